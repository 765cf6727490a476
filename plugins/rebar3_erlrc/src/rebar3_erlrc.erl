%% @doc `rebar3 erlrc package | plan | suite': calls the command erlrc for the applications of a project. What stands after
%% `--' is the command's.
-module(rebar3_erlrc).

-export([init/1, provider/3, command/3, applications/1, root/1, run/3, format_error/1]).

%% @doc Adds the commands to rebar3.
-spec init(rebar_state:t()) -> {ok, rebar_state:t()}.
init(State) ->
    Modules = [rebar3_erlrc_package, rebar3_erlrc_plan, rebar3_erlrc_suite],
    {ok, lists:foldl(fun(Module, Known) -> {ok, Added} = Module:init(Known), Added end, State, Modules)}.

%% @doc A command of the namespace `erlrc', carried out when the project has been compiled.
-spec provider(atom(), module(), string()) -> providers:t().
provider(Name, Module, What) ->
    providers:create([
        {name, Name},
        {namespace, erlrc},
        {module, Module},
        {bare, true},
        {deps, [{default, compile}]},
        {example, lists:concat(["rebar3 erlrc ", Name, " -- --help"])},
        {opts, []},
        {short_desc, What},
        {desc, What ++ " What stands after -- goes to the command `erlrc'."}
    ]).

%% @doc Runs `erlrc' in the project, with these arguments and those of the user.
-spec command(rebar_state:t(), file:filename(), [string()]) -> ok | {error, {module(), term()}}.
command(State, Dir, Arguments) ->
    {_, Own} = rebar_state:command_parsed_args(State),
    case program(State) of
        false -> {error, {?MODULE, no_program}};
        Program -> run(Program, Arguments ++ Own, Dir)
    end.

%% @doc The applications of the project and where they were built.
-spec applications(rebar_state:t()) -> [{string(), file:filename()}].
applications(State) ->
    [{binary_to_list(rebar_app_info:name(App)), rebar_app_info:out_dir(App)} || App <- rebar_state:project_apps(State)].

%% @doc The directory of the project.
-spec root(rebar_state:t()) -> file:filename().
root(State) ->
    rebar_state:dir(State).

%% The one that is built where erlrc is a dependency, else the one that is installed.
program(State) ->
    Built = filename:join([rebar_dir:deps_dir(State), "erlrc", "priv", "erlrc"]),
    case filelib:is_regular(Built) of
        true -> Built;
        false -> os:find_executable("erlrc")
    end.

%% @doc Runs a program to its end; it writes where rebar3 does.
-spec run(file:filename(), [string()], file:filename()) -> ok | {error, {module(), term()}}.
run(Program, Arguments, Dir) ->
    Port = open_port({spawn_executable, Program}, [{args, Arguments}, {cd, Dir}, exit_status, binary, stderr_to_stdout]),
    case status(Port) of
        0 -> ok;
        Status -> {error, {?MODULE, {status, filename:basename(Program), hd(Arguments), Status}}}
    end.

status(Port) ->
    receive
        {Port, {data, Text}} ->
            ok = file:write(standard_io, Text),
            status(Port);
        {Port, {exit_status, Status}} ->
            Status
    end.

%% @doc What went wrong, in words.
-spec format_error(term()) -> iolist().
format_error(no_program) ->
    "the command erlrc is not there: install it, or add erlrc to the dependencies of the project";
format_error({status, Program, Command, Status}) ->
    io_lib:format("~ts ~ts ended with status ~b", [Program, Command, Status]).
