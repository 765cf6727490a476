%% @doc What a window is about: who stands, whose state changes, which code and path it leads to.
-module(erlrc_scope).

-export([modules/1, open/4, join/2, take/2, pids/1, running/2, sides/2, patience/1, stale/1, is_statem/1]).
-export_type([window/0, context/0]).

-type window() :: #{
    id := reference(),
    batch := erlrc_segment:batch(),
    code := erlrc_prepare:code(),
    %% All that we suspend, the supervisors among them, those that we resume at the end, and those whose state changes,
    %% with their modules.
    pids := [pid()],
    supervisors := [pid()],
    resume := [pid()],
    changed := [{pid(), [module()]}],
    %% The callback mode that gen_statem modules had before.
    modes := #{module() => term()},
    direction := forward | back,
    %% Who stands, once all do.
    standing => [pid()],
    %% Who watches those whose state changes.
    watcher => erlrc_losses:watcher(),
    %% The code path when the window was opened, and what is to become of it.
    path := [file:filename()],
    path_change := erlrc_commit:path_change(),
    %% Processes whose exact earlier state was put back, and those that get it after their change.
    exact := #{pid() => []},
    later := [pid()],
    %% The processes still keep their earlier states.
    kept => true,
    %% Modules whose processes have seen the other version's callback mode: an earlier attempt to go back found them.
    stale := [module()]
}.
-type context() :: #{
    note := fun((term()) -> ok),
    options := map(),
    protected := [pid()],
    cancelled := fun(() -> boolean()),
    %% The path is changed with the first commit.
    sides := erlrc_sides:sides(),
    %% What follows this window without a way back, `none' if there has to be one.
    last := none | map(),
    subject := atom() | [atom()],
    direction => forward | back,
    %% Where the exact states of an earlier window are kept.
    exact => reference(),
    _ => _
}.
-type targets() :: #{pid() => erlrc_discover:target()}.

%% How long a server that nobody suspended may take to leave the code that is to be replaced.
-define(PATIENCE, 5000).

%% @doc The modules whose processes have to stand for a batch.
-spec modules(erlrc_segment:batch()) -> [module()].
modules(#{suspend := Suspend, before := Before, 'after' := After}) ->
    lists:usort([M || {M, _} <- Suspend] ++ [M || {M, _, _} <- Before ++ After]).

%% @doc A window over these processes and the supervisors above them. All are to be resumed, until {@link erlrc_stand} has
%% seen who ran.
-spec open(erlrc_segment:batch(), erlrc_prepare:code(), erlrc_discover:found(), context()) -> window().
open(Batch, Code, #{targets := Targets, parents := Parents}, Context) ->
    Changing = changing_modules(Batch),
    %% In the order in which they came into being, which is how they lie in memory.
    All = lists:keysort(1, maps:to_list(Targets)),
    Supervisors = Parents ++ [Pid || {Pid, #{kind := supervisor}} <- All],
    #{
        id => make_ref(),
        batch => Batch,
        code => Code,
        pids => Supervisors ++ [Pid || {Pid, #{kind := Kind}} <- All, Kind =/= supervisor],
        supervisors => Supervisors,
        resume => in_order(All) ++ Parents,
        changed => changing(All, Changing),
        modes => maps:from_list([{M, mode(M)} || M <- maps:keys(Changing), is_statem(M)]),
        direction => maps:get(direction, Context, forward),
        path => code:get_path(),
        path_change => path_change(Context),
        exact => #{},
        later => [],
        stale => []
    }.

path_change(#{sides := Sides}) ->
    erlrc_commit:path_change(erlrc_sides:pairs(Sides)).

changing_modules(#{before := Before, 'after' := After}) ->
    maps:from_list([{Module, []} || {Module, _, _} <- Before ++ After]).

%% In the order in which they are resumed: supervisors last.
in_order(Targets) ->
    {Supervisors, Others} = lists:partition(fun({_, #{kind := Kind}}) -> Kind =:= supervisor end, Targets),
    [Pid || {Pid, _} <- Others ++ Supervisors].

changing(_Targets, Changing) when map_size(Changing) =:= 0 ->
    [];
changing(Targets, Changing) ->
    [
        {Pid, Changed}
     || {Pid, #{modules := Modules}} <- Targets,
        Changed <- [[M || M <- Modules, is_map_key(M, Changing)]],
        Changed =/= []
    ].

%% @doc The window with these processes beside the others. Answers what has to be noted of it, too.
-spec join(targets(), window()) -> {{joined, reference(), [pid()], [pid()], [{pid(), [module()]}]}, window()}.
join(New, #{id := Id, batch := Batch, pids := Pids, changed := Changed} = Window) ->
    Targets = maps:to_list(New),
    More = changing(Targets, changing_modules(Batch)),
    {
        {joined, Id, maps:keys(New), [], More},
        Window#{pids := maps:keys(New) ++ Pids, changed := More ++ Changed}
    }.

%% @doc The window with these processes among those to be resumed. Answers what has to be noted of it, too.
-spec take([pid()], window()) -> {{joined, reference(), [], [pid()], []}, window()}.
take(Pids, #{id := Id, resume := Resume} = Window) ->
    {{joined, Id, [], Pids, []}, Window#{resume := Pids ++ Resume}}.

%% @doc Those whose state changes.
-spec pids(window()) -> [pid()].
pids(#{changed := Changed}) -> [Pid || {Pid, _} <- Changed].

%% @doc Those of them that run a module.
-spec running(module(), window()) -> [pid()].
running(Module, #{changed := Changed}) ->
    [Pid || {Pid, Modules} <- Changed, lists:member(Module, Modules)].

%% @doc The versions of a module: that which it leaves and that to which it goes.
-spec sides(module(), window()) -> {term(), term()}.
sides(Module, #{direction := Direction, code := #{vsns := Vsns}}) ->
    case {Direction, maps:get(Module, Vsns, {undefined, undefined})} of
        {forward, Sides} -> Sides;
        {back, {From, To}} -> {To, From}
    end.

%% @doc How long whoever did not have to stand, and may still be in a callback of the code that has to go, is waited for.
-spec patience(erlrc_prepare:code()) -> non_neg_integer().
patience(#{shapes := Shapes}) ->
    case lists:member(same, maps:values(Shapes)) of
        true -> ?PATIENCE;
        false -> 0
    end.

%% @doc The gen_statem modules whose callback mode is not what it was when the window was opened.
-spec stale(window()) -> [module()].
stale(#{modes := Modes}) ->
    [Module || {Module, Mode} <- maps:to_list(Modes), is_statem(Module), mode(Module) =/= Mode].

%% @doc Whether a module that is loaded is one of gen_statem's.
-spec is_statem(module()) -> boolean().
is_statem(Module) -> erlang:function_exported(Module, callback_mode, 0).

mode(Module) ->
    try
        Module:callback_mode()
    catch
        _:_ -> unknown
    end.
