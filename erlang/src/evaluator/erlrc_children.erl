%% @doc The children of supervisors whose specification changed.
%%
%% OTP's supervisor takes the new specifications over and leaves it there: a child that is new is not started, one that
%% is gone from them stays. To tell which are which, where the supervisor has any children, the debug information of the old
%% module is read; where that does not say it, a copy of its `init/1' is asked, if that has no effects; and `init/1' itself, in a
%% process of its own, as the last resort. One that cannot be called twice means that nothing is known and nothing done.
%% `init/1' of the new module is called once, by the supervisor itself as OTP has it: what it answers is noted.
-module(erlrc_children).

-export([arguments/1, child_ids/1]).
-export([before/2, specify/4, specified/0, added/2, removed/2, take_down/1, remove/1, stop/2, start/1, restart/1]).
-export([init/1]).
-export_type([known/0]).

%% Supervisor, ids in specification order.
-type known() :: {pid(), [term()]}.

-define(INIT_TIMEOUT, 2000).

%% @doc What the supervisors with these callback modules have in their specifications now; the sides say where what is
%% loaded is.
-spec before([module()], erlrc_sides:sides()) -> [known()].
before([], _Sides) ->
    [];
before(Modules, Sides) ->
    Written = maps:from_list([{Module, written(Module, file(erlrc_sides:ebin(from, Module, Sides), Module))} || Module <- Modules]),
    #{targets := Targets} = erlrc_discover:processes(Modules, #{}),
    Pids = [Pid || {Pid, #{kind := supervisor, suspended := false}} <- maps:to_list(Targets)],
    [
        {Pid, Ids}
     || {Pid, Module, Arguments} <- arguments(Pids),
        {ok, Ids} <- [ids(children(Pid), {Module, Arguments}, maps:get(Module, Written, unknown))]
    ].

file(Ebin, Module) -> filename:join(Ebin, atom_to_list(Module) ++ code:objfile_extension()).

%% What the file says without a call, else the file itself; nothing where something else is loaded.
written(Module, File) ->
    Loaded = Module:module_info(md5),
    case file:read_file(File) of
        {ok, Beam} ->
            case beam_lib:md5(Beam) of
                {ok, {Module, Loaded}} -> known(erlrc_specified:ids(Module, Beam), File);
                _ -> unknown
            end;
        {error, _} ->
            unknown
    end.

known(unknown, File) -> {file, File};
known(Ids, _File) -> Ids.

%% @doc The callback module of supervisors, and its arguments: the last two fields of a supervisor's state.
-spec arguments([pid()]) -> [{pid(), module(), term()}].
arguments(Pids) ->
    Ref = make_ref(),
    Self = self(),
    Nobody = erlrc_system:nobody(),
    Fun = fun(State) ->
        Size = tuple_size(State),
        Self ! {{Ref, {self(), element(Size - 1, State), element(Size, State)}}, ok},
        State
    end,
    _ = [erlrc_system:tell(Pid, Nobody, {replace_state, Fun}) || Pid <- Pids],
    Answers = #{left => length(Pids), answered => [], errors => []},
    #{answered := Found} = erlrc_system:collect(Ref, Answers, ?INIT_TIMEOUT),
    Found.

%% What has no children loses none.
ids([], _Init, _Written) ->
    {ok, []};
ids(_Children, _Init, {ok, Ids}) ->
    {ok, Ids};
ids(Children, Init, {file, File}) ->
    case erlrc_hindrance:init(Init, File) of
        {ok, Answer} -> child_ids(Answer);
        _ -> ids(Children, Init, unknown)
    end;
ids(_Children, {Module, Arguments}, unknown) ->
    case erlrc_check:call({Module, init, [Arguments]}, ?INIT_TIMEOUT) of
        {ok, Answer} -> child_ids(Answer);
        {error, _} -> unknown
    end.

%% @doc The ids in what an `init/1' answers, unless all children are of one kind.
-spec child_ids(term()) -> {ok, [term()]} | unknown.
child_ids({ok, {Flags, Specs}}) when is_list(Specs) ->
    case is_simple(Flags) of
        true -> unknown;
        false -> {ok, [id(Spec) || Spec <- Specs]}
    end;
child_ids(_) ->
    unknown.

is_simple(#{strategy := Strategy}) -> Strategy =:= simple_one_for_one;
is_simple(Flags) when is_tuple(Flags) -> element(1, Flags) =:= simple_one_for_one;
is_simple(_) -> false.

id(#{id := Id}) -> Id;
id(Spec) -> element(1, Spec).

%% @doc The request by which a supervisor takes the new specifications over: as `code_change' would, and beside the answer
%% that is collected under `Ref' and `Key' the ids are told.
-spec specify(reference(), term(), term(), term()) -> {replace_state, fun()}.
specify(Ref, Key, Vsn, Extra) ->
    Self = self(),
    {replace_state, fun(State) ->
        {Result, Changed} = take_over(State, Vsn, Extra, Self),
        Self ! {{Ref, Key}, Result},
        Changed
    end}.

%% `supervisor' asks the module in its state, this one for once, which answers what the supervisor's own has said.
take_over(State, Vsn, Extra, Self) ->
    Size = tuple_size(State),
    {Module, Arguments} = {element(Size - 1, State), element(Size, State)},
    try
        Answer = Module:init(Arguments),
        Given = setelement(Size, setelement(Size - 1, State, ?MODULE), Answer),
        case supervisor:code_change(Vsn, Given, Extra) of
            {ok, Changed} ->
                Self ! {?MODULE, self(), child_ids(Answer)},
                {ok, setelement(Size, setelement(Size - 1, Changed, Module), Arguments)};
            Error ->
                {Error, State}
        end
    catch
        Class:Reason:Stack -> {{error, {'EXIT', {{Class, Reason}, Stack}}}, State}
    end.

%% @private
-spec init(term()) -> term().
init(Answer) -> Answer.

%% @doc Notes what supervisors have said since.
-spec specified() -> ok.
specified() ->
    receive
        {?MODULE, Pid, Ids} ->
            ok = erlrc_journal:note({specified, Pid, Ids}),
            specified()
    after 0 -> ok
    end.

%% The latest word of each supervisor.
now(Entries) ->
    maps:from_list(lists:reverse([{Pid, Ids} || {specified, Pid, {ok, Ids}} <- Entries])).

%% @doc Children that came with the new specifications, as the journal has them, and do not run; in specification order.
-spec added([known()], [term()]) -> [{pid(), term()}].
added(Known, Entries) ->
    New = now(Entries),
    [
        {Pid, Id}
     || {Pid, Old} <- Known,
        Children <- [children(Pid)],
        Id <- maps:get(Pid, New, []) -- Old,
        {_, undefined, _, _} <- [lists:keyfind(Id, 1, Children)]
    ].

%% @doc Children that are in the specifications no longer, in reverse order of the old ones.
-spec removed([known()], [term()]) -> [{pid(), term()}].
removed(Known, Entries) ->
    New = now(Entries),
    [
        {Pid, Id}
     || {Pid, Old} <- Known,
        is_map_key(Pid, New),
        Children <- [children(Pid)],
        Id <- lists:reverse(Old -- maps:get(Pid, New)),
        lists:keymember(Id, 1, Children)
    ].

children(Pid) ->
    try
        supervisor:which_children(Pid)
    catch
        exit:_ -> []
    end.

%% @doc Stops children; they can be started again.
-spec take_down([{pid(), term()}]) -> ok.
take_down(Children) ->
    lists:foreach(fun(Child) -> attempt(terminate_child, Child) end, Children).

%% @doc Stops and forgets children.
-spec remove([{pid(), term()}]) -> ok.
remove(Children) ->
    lists:foreach(
        fun(Child) ->
            _ = attempt(terminate_child, Child),
            _ = attempt(delete_child, Child)
        end,
        Children
    ).

%% @doc Stops the children that run one of `Modules', the instruction `stop'.
-spec stop([module()], map()) -> [{pid(), term()}].
stop(Modules, Options) ->
    [
        {Supervisor, Id}
     || {Supervisor, Id, _, Runs} <- erlrc_discover:children(Options),
        is_pid(Supervisor),
        lists:any(fun(Module) -> lists:member(Module, Modules) end, Runs),
        ok =:= attempt(terminate_child, {Supervisor, Id})
    ].

%% @doc Starts stopped children again.
-spec start([{pid(), term()}]) -> ok.
start(Children) ->
    lists:foreach(fun restart/1, Children).

%% @doc Starts one of them.
-spec restart({pid(), term()}) -> ok | {error, term()}.
restart(Child) ->
    case attempt(restart_child, Child) of
        {error, running} -> ok;
        {error, _} = Error -> Error;
        _ -> ok
    end.

%% A supervisor that is gone has no children to care for. One that waits for a child to start or to stop waits for ever,
%% and answers nobody, until the child is killed.
attempt(Function, {Supervisor, Id}) ->
    case erlrc_check:call({supervisor, Function, [Supervisor, Id]}, erlrc_deadline:left()) of
        {ok, Result} ->
            Result;
        {error, timeout} ->
            erlrc_journal:log(warning, #{event => child_killed, supervisor => Supervisor, id => Id, 'after' => Function}),
            _ = [exit(Child, kill) || Child <- erlrc_quiesce:waits_for(Supervisor)],
            {error, timeout};
        {error, _} = Error ->
            Error
    end.
