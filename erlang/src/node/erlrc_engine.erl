%% @doc The engine: functions of a native library, `priv/erlrc_nif-HASH.so', built by `native/build.sh'.
%%
%% All of them run on dirty schedulers, return `{ok, _}' or `{error, Reason}' unless their type says
%% otherwise, and fail with `badarg' on arguments that are not of their type. Paths are binaries or
%% strings, versions are strings.
%%
%% The name of the library holds a hash of its content, for two reasons: an upgrade of erlrc loads this
%% module again exactly when the library has changed, and two versions of the library never share a path,
%% which the dynamic linker would take for one and the same.
-module(erlrc_engine).

-export([
    consult/1,
    application/3,
    transition/2,
    make_appup/4,
    upgrade_script/5,
    module_digests/1,
    module_kind/2,
    system_applications/0,
    shadow/3,
    compare_vsn/2,
    vsn/0,
    round_trip/1
]).

-export_type([
    path/0, vsn/0, version/0, options/0, direction/0, instruction/0, reason/0, warning/0, appup/0,
    application_specification/0, facts/0, event/0, action/0, transition/0, script/0,
    effects/0, module_kind/0
]).

-on_load(load/0).

-nifs([
    consult/1,
    application/3,
    transition/2,
    make_appup/4,
    upgrade_script/5,
    module_digests/1,
    module_kind/2,
    system_applications/0,
    shadow/3,
    compare_vsn/2,
    vsn/0,
    round_trip/1
]).

%% ERLRC_LIBRARY_HEADER is defined by rebar.config: its build has made the header beforehand.
-ifdef(ERLRC_LIBRARY_HEADER).
-include("erlrc_engine_library.hrl").
-else.
-define(LIBRARY, "erlrc_nif").
-endif.

-type path() :: binary() | string().
-type vsn() :: string().
-type version() ::
    {vsn(), path()}
    | {vsn(), {
        loaded,
        application_specification(),
        [{module(), Md5 :: binary(), Exports :: [{atom(), arity()}], Attributes :: [{atom(), term()}]}]
    }}.
-type options() :: #{
    unchanged_modules => skip | reload,
    supervisors => [module()],
    appup => shipped | generated,
    root => path()
}.
-type direction() :: up | down.
-type instruction() :: tuple() | atom().
-type reason() :: term().
-type warning() :: tuple().
-type appup() :: {vsn(), [{vsn(), [instruction()]}], [{vsn(), [instruction()]}]}.
-type application_specification() :: {application, atom(), [{atom(), term()}]}.
-type facts() :: #{
    root := path(),
    apps := path(),
    path := [path()],
    %% Where OTP has put one of several versions on the path itself.
    libs := [path()],
    loaded := [{
        App :: atom(),
        vsn(),
        Applications :: [atom()],
        Included :: [atom()],
        Optional :: [atom()]
    }],
    original := [{App :: atom(), Applications :: [atom()]}],
    running := [App :: atom()],
    stopped := [App :: atom()],
    %% How many new ones an answer may bring.
    atoms => non_neg_integer()
}.
-type event() ::
    boot
    | {start, App :: atom(), vsn(), path()}
    | {stop, App :: atom()}
    | {upgrade, App :: atom(), application_specification()}.
-type action() ::
    {load, App :: atom(), application_specification(), Ebin :: path()}
    | {unload, App :: atom()}
    | {start, App :: atom()}
    | {stop, App :: atom()}
    | {respecify, App :: atom(), Applications :: [atom()]}
    | script.
-type transition() :: #{
    actions := [action()],
    %% What the actions come to.
    outcome :=
        booted
        | started
        | started_included_stopped
        | already_running
        | included
        | stopped
        | stopped_included_started
        | not_running
        | upgraded,
    skipped := [App :: atom()],
    warnings := [warning()]
}.
-type effects() :: #{effects := [send | 'receive' | apply | mfa()], calls_funs := boolean()}.
-type module_kind() :: supervisor | server | state_machine | event_handler | special | custom | plain.
-type script() :: #{
    source := shipped | generated,
    instructions := [instruction()],
    reasons := [term()],
    warnings := [warning()]
}.

%% @doc The terms of a file, as `file:consult/1' returns them.
-spec consult(path()) -> {ok, [term()]} | {error, reason()}.
consult(_File) ->
    erlang:nif_error(not_loaded()).

%% @doc The specification in `Dir/ebin/App.app', with the override that `Root' holds for it.
-spec application(App :: atom(), Dir :: path(), Root :: path()) ->
    {ok, application_specification()} | {error, reason()}.
application(_App, _Dir, _Root) ->
    erlang:nif_error(not_loaded()).

%% @doc What is to be done when `Event' meets `Facts'.
-spec transition(facts(), event()) -> {ok, transition()} | {error, reason()}.
transition(_Facts, _Event) ->
    erlang:nif_error(not_loaded()).

%% @doc The appup from `Old' to `New' and back, generated from the modules of both.
-spec make_appup(App :: atom(), Old :: version(), New :: version(), options()) ->
    {ok, #{
        appup := appup(),
        reasons := [{direction(), instruction(), [term()]}],
        warnings := [warning()]
    }}
    | {error, reason()}.
make_appup(_App, _Old, _New, _Options) ->
    erlang:nif_error(not_loaded()).

%% @doc The instructions from one version to the other: those of the appup that the newer version
%% brings, where it covers the pair, otherwise generated ones.
-spec upgrade_script(App :: atom(), Old :: version(), New :: version(), direction(), options()) ->
    {ok, script()} | {error, reason()}.
upgrade_script(_App, _Old, _New, _Direction, _Options) ->
    erlang:nif_error(not_loaded()).

%% @doc The digest, as `beam_lib:md5/1' has it, of every module in a directory.
-spec module_digests(Dir :: path()) ->
    {ok, [{module(), Md5 :: binary() | {error, reason()}}]} | {error, reason()}.
module_digests(_Dir) ->
    erlang:nif_error(not_loaded()).

%% @doc What a module is, told by what it exports and its behaviours, as the generator of appups tells it. `Supervisors'
%% are modules and behaviours that count as supervisors too.
-spec module_kind(
    {module(), Exports :: [{atom(), arity()}], Behaviours :: [module()]}, Supervisors :: [module()]
) -> {ok, module_kind()}.
module_kind(_Module, _Supervisors) ->
    erlang:nif_error(not_loaded()).

%% @doc The applications that are not replaced while the emulator runs.
-spec system_applications() -> {ok, [App :: atom()]}.
system_applications() ->
    erlang:nif_error(not_loaded()).

%% @doc The module in `File' as a module of the name `Name', to run functions of it beside the loaded one; and what
%% others would notice of each of `Functions', which are exported: nothing where there are no effects and, where it
%% calls funs, none is handed in.
-spec shadow(File :: path(), Name :: module(), Functions :: [{atom(), arity()}]) ->
    {ok, {Beam :: binary(), [effects() | not_exported]}} | {error, reason()}.
shadow(_File, _Name, _Functions) ->
    erlang:nif_error(not_loaded()).

%% @doc The order of two versions, as dpkg has it.
-spec compare_vsn(vsn(), vsn()) -> lt | eq | gt.
compare_vsn(_A, _B) ->
    erlang:nif_error(not_loaded()).

%% @doc The version of the library: that of the application, unless files of two versions were mixed.
-spec vsn() -> vsn().
vsn() ->
    erlang:nif_error(not_loaded()).

%% @private
-spec round_trip(term()) -> {ok, term()}.
round_trip(_Term) ->
    erlang:nif_error(not_loaded()).

%% Without its library the module loads all the same, for an error that says what is missing is of more
%% use than `undef'. Only where a working version would be replaced does it refuse to.
load() ->
    Loaded = [erlang:load_nif(filename:rootname(Library), 0) || Library <- found(directories())],
    case lists:member(ok, Loaded) of
        true ->
            ok;
        false ->
            case erlang:module_loaded(?MODULE) of
                true -> {error, {engine_not_loaded, Loaded}};
                false -> logger:error("~ts", [explanation(Loaded)])
            end
    end.

%% The directory of the application first; but while it is being upgraded, the code path may still name
%% the other version.
directories() ->
    Own =
        case code:lib_dir(erlrc) of
            {error, bad_name} -> [];
            Dir -> [Dir]
        end,
    Own ++ [filename:dirname(Ebin) || Ebin <- code:get_path(), filename:basename(Ebin) =:= "ebin"].

found(Directories) ->
    Files = [filename:join([Dir, "priv", ?LIBRARY ".so"]) || Dir <- Directories],
    lists:sublist([File || File <- Files, filelib:is_regular(File)], 1).

explanation(Loaded) ->
    Why =
        case Loaded of
            [] -> "is not in its priv directory";
            [{error, {_Reason, Text}} | _] -> ["does not load: ", Text]
        end,
    io_lib:format(
        "erlrc's engine, ~ts.so, ~ts; build it with native/build.sh, which rebar3 and mix run, "
        "or install the package again",
        [?LIBRARY, Why]
    ).

not_loaded() ->
    {engine_not_loaded, lists:flatten(explanation([]))}.
