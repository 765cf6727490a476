%% @doc The engine: functions of a native library, `priv/erlrc_nif-HASH.so', built by `native/build.sh'.
%%
%% All functions run on dirty schedulers, and return `{ok, _}' or `{error, Reason}' unless their type says otherwise.
%% They fail with `badarg' for arguments of another type. Paths are binaries or strings, versions are strings.
%%
%% The name of the library contains a hash of its content, for two reasons: an upgrade of erlrc reloads this module
%% exactly if the library has changed, and two versions of the library never have the same path, which the dynamic
%% linker would take for the same library.
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

%% rebar.config defines ERLRC_LIBRARY_HEADER, because its build has made the header before.
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
    root => path(),
    %% What the environment of erlrc says, and whoever asks for the change.
    migrate => none | fields | lossy,
    asked => none | fields | lossy,
    evaluator => transactional | release_handler,
    way_back => boolean()
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
    %% Directories for which OTP itself has chosen one of several versions.
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
    %% The number of atoms that the result may add.
    atoms => non_neg_integer()
}.
-type event() ::
    boot
    | {start, App :: atom(), vsn(), path()}
    | {stop, App :: atom()}
    | {upgrade, App :: atom(), application_specification()}
    | {change, #{
        upgrade := [application_specification()],
        start := [{App :: atom(), vsn(), path()}],
        stop := [App :: atom()]
    }}.
-type action() ::
    {load, App :: atom(), application_specification(), Ebin :: path()}
    | {unload, App :: atom()}
    | {start, App :: atom()}
    | {stop, App :: atom()}
    | {respecify, App :: atom(), Applications :: [atom()]}
    | script.
-type transition() :: #{
    actions := [action()],
    %% The outcome of the actions.
    outcome :=
        booted
        | started
        | started_included_stopped
        | already_running
        | included
        | stopped
        | stopped_included_started
        | not_running
        | upgraded
        | changed,
    skipped := [App :: atom()],
    warnings := [warning()]
}.
-type effects() :: #{effects := [send | 'receive' | apply | mfa()], calls_funs := boolean()}.
-type module_kind() :: supervisor | server | state_machine | event_handler | special | custom | plain.
-type script() :: #{
    source := shipped | generated,
    %% Records in the start arguments of children, up and down.
    arguments => #{module() => {erlrc_conversion:records(), erlrc_conversion:records()}},
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

%% @doc The transition for `Event' on a node with these `Facts'.
-spec transition(facts(), event()) -> {ok, transition()} | {error, reason()}.
transition(_Facts, _Event) ->
    erlang:nif_error(not_loaded()).

%% @doc Generates the appup between `Old' and `New' from the modules of both.
-spec make_appup(App :: atom(), Old :: version(), New :: version(), options()) ->
    {ok, #{
        appup := appup(),
        reasons := [{direction(), instruction(), [term()]}],
        warnings := [warning()]
    }}
    | {error, reason()}.
make_appup(_App, _Old, _New, _Options) ->
    erlang:nif_error(not_loaded()).

%% @doc The instructions from one version to the other: those of the appup in the later version if it covers the pair,
%% otherwise generated ones.
-spec upgrade_script(App :: atom(), Old :: version(), New :: version(), direction(), options()) ->
    {ok, script()} | {error, reason()}.
upgrade_script(_App, _Old, _New, _Direction, _Options) ->
    erlang:nif_error(not_loaded()).

%% @doc The digest of every module in a directory, as `beam_lib:md5/1' returns it.
-spec module_digests(Dir :: path()) ->
    {ok, [{module(), Md5 :: binary() | {error, reason()}}]} | {error, reason()}.
module_digests(_Dir) ->
    erlang:nif_error(not_loaded()).

%% @doc The kind of a module, determined from its exports and behaviours in the same way as for generated appups.
%% `Supervisors' lists modules and behaviours that also count as supervisors.
-spec module_kind(
    {module(), Exports :: [{atom(), arity()}], Behaviours :: [module()]}, Supervisors :: [module()]
) -> {ok, module_kind()}.
module_kind(_Module, _Supervisors) ->
    erlang:nif_error(not_loaded()).

%% @doc The applications that a running emulator does not replace.
-spec system_applications() -> {ok, [App :: atom()]}.
system_applications() ->
    erlang:nif_error(not_loaded()).

%% @doc The module in `File', renamed to `Name', so that its functions can run beside the loaded module; and for each
%% exported function in `Functions' the effects that others would notice. A function without effects can be called
%% safely, unless it calls funs and is passed one.
-spec shadow(File :: path(), Name :: module(), Functions :: [{atom(), arity()}]) ->
    {ok, {Beam :: binary(), [effects() | not_exported]}} | {error, reason()}.
shadow(_File, _Name, _Functions) ->
    erlang:nif_error(not_loaded()).

%% @doc Compares two versions in the same way as dpkg.
-spec compare_vsn(vsn(), vsn()) -> lt | eq | gt.
compare_vsn(_A, _B) ->
    erlang:nif_error(not_loaded()).

%% @doc The version of the library, which is that of the application unless files of two versions were mixed.
-spec vsn() -> vsn().
vsn() ->
    erlang:nif_error(not_loaded()).

%% @private
-spec round_trip(term()) -> {ok, term()}.
round_trip(_Term) ->
    erlang:nif_error(not_loaded()).

%% Without its library the module is loaded all the same, because an error that names the missing library is more useful
%% than `undef'. It refuses to be loaded only if it would replace a working version.
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

%% The directory of the application comes first, because during an upgrade the code path may still name the other
%% version.
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
