%% @doc What of the node itself matters to an upgrade, for a live plan: environment, dependencies, code path, programs.
-module(erlrc_plan_node).


-export([findings/2, ports/1]).

%% @doc Programs that run from the directory that is to go.
-spec ports(erlrc_evaluator:change()) -> [erlrc_finding:finding()].
ports(#{from := {_, Dir}}) ->
    Prefix = Dir ++ "/",
    Found = [
        {Port, Name}
     || Port <- erlang:ports(), {name, Name} <- [erlang:port_info(Port, name)], lists:prefix(Prefix, Name)
    ],
    [
        erlrc_finding:new(
            port_of_old_directory, warning, erlrc_finding:text("~p", [Port]),
            erlrc_finding:text("The program ~ts runs from the old version's directory.", [Name]),
            "It goes on running; it is the new version's only after it is started again.", #{}
        )
     || {Port, Name} <- Found
    ].

%% @doc Environment, dependencies, code path, the next start of the node.
-spec findings(erlrc_evaluator:change(), erlrc_old_side:old()) -> [erlrc_finding:finding()].
findings(#{application := App, to_spec := Spec, from := {_, From}, to := {Vsn, To}}, #{env := Env}) ->
    environment(erlrc_environment:preview(App, Env, Spec), App) ++ compile_env(Spec, Env) ++ dependencies(Spec) ++
        code_path(App, From, To) ++ after_restart(App, Vsn).

%% A release boots its own version, whatever runs by then.
after_restart(App, Vsn) ->
    [
        erlrc_finding:new(
            restart_goes_back, warning, atom_to_binary(App),
            erlrc_finding:text("A restart of the node goes back to ~ts, the version in its release ~ts.", [Other, Release]),
            ["Build the release with ", Vsn, " and install it before the node is started again."], #{script => Script}
        )
     || #{vsn := Other, release := Release, script := Script} <- erlrc_next_boot:other(erlrc_next_boot:read(), App, Vsn)
    ].

compile_env({application, App, _} = Spec, Env) ->
    [
        erlrc_finding:new(
            compile_env, warning, [atom_to_binary(App), $., io_lib:format("~0tp", [hd(Path)])],
            erlrc_finding:text("~ts.", [erlrc_compile_env:format(Each)]),
            "A node that boots Elixir's releases with these versions refuses to start.", #{}
        )
     || {compile_env, _, Path, _, _} = Each <- erlrc_compile_env:foreseen(Spec, Env)
    ].

environment({ok, _, Kept}, App) ->
    [
        erlrc_finding:new(
            environment_kept, info, [atom_to_binary(App), $., atom_to_binary(Key)],
            erlrc_finding:text("The default of ~0tp changes; the value that was set on this node stays.", [Key]),
            "See whether the value still fits the new version.", #{}
        )
     || Key <- Kept
    ];
environment({error, Why}, App) ->
    [
        erlrc_finding:new(
            environment_unknown, error, atom_to_binary(App), erlrc_error:format_error(Why),
            "Use the erlrc that knows this OTP release.", #{}
        )
    ].

dependencies({application, _, Keys}) ->
    [
        erlrc_finding:new(
            dependency_too_old, warning, atom_to_binary(App),
            erlrc_finding:text("The new version wants ~ts ~ts or later; ~ts runs.", [App, Wanted, Runs]),
            "Upgrade it first.", #{}
        )
     || Text <- proplists:get_value(runtime_dependencies, Keys, []),
        {ok, App, Wanted} <- [dependency(Text)],
        {ok, Runs} <- [erlrc_node:vsn(App)],
        erlrc_engine:compare_vsn(Runs, Wanted) =:= lt
    ].

dependency(Text) ->
    case string:split(Text, "-", trailing) of
        [Name, Vsn] ->
            try
                {ok, list_to_existing_atom(Name), Vsn}
            catch
                error:badarg -> unknown
            end;
        _ ->
            unknown
    end.

code_path(App, From, To) ->
    Name = atom_to_list(App),
    Known = [erlrc_code_path:identity(filename:join(Dir, "ebin")) || Dir <- [From, To]],
    [
        erlrc_finding:new(
            other_version_on_path, warning, unicode:characters_to_binary(Ebin),
            "A third version of the application is on the code path.",
            "Remove it: a module that only it has would be loaded from there.", #{}
        )
     || Ebin <- code:get_path(),
        filename:basename(Ebin) =:= "ebin",
        erlrc_code_path:stands_for(Name, Ebin),
        filelib:is_dir(Ebin),
        not lists:member(erlrc_code_path:identity(Ebin), Known),
        not is_of_otp(filename:dirname(Ebin))
    ].

%% OTP's own copy of one of its applications is always there, and nobody removes it. OTP says which it has installed.
is_of_otp(Dir) ->
    Release = filename:join([code:root_dir(), "releases", erlang:system_info(otp_release), "installed_application_versions"]),
    IsThere = erlrc_code_path:identity(filename:dirname(Dir)) =:= erlrc_code_path:identity(code:lib_dir()),
    case IsThere andalso file:read_file(Release) of
        {ok, Listed} -> lists:member(filename:basename(Dir), string:lexemes(binary_to_list(Listed), "\n"));
        _ -> false
    end.
