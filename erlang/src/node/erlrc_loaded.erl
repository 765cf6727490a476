%% @doc What this node has loaded, for a plan that is made outside the node: the files of all modules, the code path,
%% the applications. Values of the application environment never leave the node; only the keys that are set are listed.
-module(erlrc_loaded).

-export([code/1, place/1]).
-export_type([code/0]).

-type code() :: #{
    %% The directory of the application, if it is loaded from one.
    dir => binary(),
    %% Module and file; for a module without a file, its origin.
    modules := [{module(), binary() | atom()}],
    path := [binary()],
    %% Application, version, and whether it runs.
    applications := [{atom(), binary(), boolean()}],
    %% The keys of the application whose values differ from those in its `.app' file.
    kept := [atom()],
    %% The options for scripts that this node's environment sets.
    options := map()
}.

%% @doc What is loaded, and the directory of this application.
-spec code(atom()) -> code().
code(App) ->
    Running = erlrc_node:running(),
    Code = #{
        modules => [{Module, file(File)} || {Module, File} <- code:all_loaded()],
        path => [text(Dir) || Dir <- erlrc_code_path:absolute()],
        applications => [
            {Name, text(Vsn), lists:member(Name, Running)}
         || {Name, _, Vsn} <- application:loaded_applications()
        ],
        kept => [],
        options => erlrc_options:scripts()
    },
    case directory(App) of
        {ok, Dir} -> Code#{dir => text(Dir), kept => kept(App, Dir)};
        none -> Code
    end.

%% @doc The directory of the application, what a hook shall do with its plan (the key `preflight' of erlrc's
%% environment), and the options for scripts.
-spec place(atom()) -> #{dir => binary(), preflight := strict | warn | off, options := map()}.
place(App) ->
    Mode =
        case application:get_env(erlrc, preflight, strict) of
            Known when Known =:= warn; Known =:= off -> Known;
            %% `erlrc_options' refuses other values.
            _ -> strict
        end,
    case directory(App) of
        {ok, Dir} -> #{dir => text(Dir), preflight => Mode, options => erlrc_options:scripts()};
        none -> #{preflight => Mode, options => erlrc_options:scripts()}
    end.

file([_ | _] = File) -> text(filename:absname(File));
file(From) when is_atom(From) -> From;
file(_) -> none.

%% The directory that its code was loaded from.
directory(App) ->
    case erlrc_versions:loaded(App) of
        {ok, _, Dir} when Dir =/= unknown -> {ok, Dir};
        _ -> none
    end.

kept(App, Dir) ->
    case erlrc_engine:application(App, Dir, erlrc_node:root()) of
        {ok, {application, App, Keys}} ->
            Defaults = proplists:get_value(env, Keys, []),
            [Key || {Key, Value} <- application:get_all_env(App), is_set(Key, Value, Defaults)];
        {error, _} ->
            []
    end.

is_set(Key, Value, Defaults) ->
    lists:member(Key, [Name || {Name, _} <- Defaults]) andalso
        proplists:get_value(Key, Defaults) =/= Value.

text(Text) ->
    case unicode:characters_to_binary(Text) of
        Binary when is_binary(Binary) -> Binary;
        _ -> iolist_to_binary(io_lib:format("~0tp", [Text]))
    end.
