%% @doc An operation leaves the node entirely old or entirely new, also when its process dies.
%%
%% What an operation does beside its script (applications loaded, started, stopped and respecified, code path,
%% specification, environment) is noted before it is done. A keeper, a process that is linked to nobody, holds the
%% notes. When the process of the operation dies, the keeper waits until the guardian of the script has settled that one,
%% and does the rest: before the commit of the operation everything goes back, after it everything is finished. The
%% commit of an upgrade is that of its script; that of any other operation is noted.
%%
%% What the operation came to is written down for `erlrc_operations'. When the keeper dies, the next note starts another.
-module(erlrc_settlement).

-export([cover/2, note/1, revive/0, keeper/0, resume/1, give_up/2]).
-export_type([entry/0]).

-type entry() ::
    %% What was asked for.
    {request, map()}
    | {undo, erlrc_transition:undo()}
    %% An application that did not run has a new version in the place of the old one.
    | {replaced, erlrc_upgrade_stopped:undo()}
    %% What is to follow when the script has succeeded, and what the environment was before.
    | {forward, [erlrc_set:forward() | map()]}
    | {environment, erlrc_environment:undo()}
    | {script, Guardian :: pid(), Runner :: pid()}
    %% The evaluator `release_handler' has no guardian.
    | {unguarded, atom(), erlrc_snapshot:snapshot()}
    | {reverting, Guardian :: pid(), erlrc_hold:which()}
    | {scripted, erlrc_evaluator:result()}
    | {committed, erlrc_start:finish(), erlrcdynamic:result()}.

%% @doc Runs an operation in the calling process. Where it crashes, it is settled, and crashes.
-spec cover(map(), fun(() -> Result)) -> Result | {error, term()}.
cover(Request, Fun) ->
    _ = put({?MODULE, entries}, [{request, Request}]),
    ok = revive(),
    try Fun() of
        Result ->
            ok = close(Result),
            Result
    catch
        Class:Why:Stack ->
            Settled = settle({operation_died, Why}, entries()),
            ok = close(Settled),
            case Settled of
                {error, {operation_died, Why}} -> erlang:raise(Class, Why, Stack);
                _ -> Settled
            end
    end.

%% @doc Notes what the operation is about to do. Nothing is noted outside of {@link cover/2}.
-spec note(entry()) -> ok.
note(Entry) ->
    case get({?MODULE, entries}) of
        undefined ->
            ok;
        Entries ->
            ok = revive(),
            _ = put({?MODULE, entries}, [Entry | Entries]),
            get({?MODULE, keeper}) ! {note, self(), Entry},
            erlrc_outcome:noted(self(), [Entry | Entries])
    end.

entries() ->
    get({?MODULE, entries}).

%% @doc Makes sure that the operation that calls this has a keeper.
-spec revive() -> ok.
revive() ->
    Keeper = get({?MODULE, keeper}),
    case {entries(), is_pid(Keeper) andalso is_process_alive(Keeper)} of
        {[_ | _] = Entries, false} -> start(Entries);
        {[], false} -> start([]);
        _ -> ok
    end.

start(Entries) ->
    _ = put({?MODULE, keeper}, start(self(), Entries)),
    ok.

start(Owner, Entries) ->
    Deadline = erlrc_deadline:current(),
    spawn(fun() ->
        ok = erlrc_deadline:set(Deadline),
        ok = take_name(),
        keep(Owner, monitor(process, Owner), Entries, monitored(Entries))
    end).

%% @doc Starts another keeper for an operation whose process and keeper are dead, unless it is settled.
-spec resume(pid()) -> pid() | undefined.
resume(Owner) ->
    case {erlrc_outcome:settlement(Owner), erlrc_outcome:notes(Owner)} of
        {none, {ok, Entries}} -> start(Owner, Entries);
        _ -> undefined
    end.

%% @doc Nobody could settle it.
-spec give_up(pid(), term()) -> {ok, {error, term()}} | none.
give_up(Owner, Why) ->
    case erlrc_outcome:notes(Owner) of
        {ok, Entries} ->
            Result = {error, {not_rolled_back, {operation_died, Why}, [unknown]}},
            ok = unsettled(Entries, Result),
            {ok, Result};
        none ->
            none
    end.

%% @doc The keeper that is at work.
-spec keeper() -> pid() | undefined.
keeper() ->
    whereis(?MODULE).

take_name() ->
    try register(?MODULE, self()) of
        true -> ok
    catch
        error:badarg ->
            Ref = monitor(process, ?MODULE),
            receive
                {'DOWN', Ref, process, _, _} -> take_name()
            end
    end.

%% The operation has ended by itself.
close(Result) ->
    Keeper = get({?MODULE, keeper}),
    Ref = monitor(process, Keeper),
    Keeper ! {close, self(), Result},
    ok = unsettled(entries(), Result),
    _ = [erase({?MODULE, Key}) || Key <- [entries, keeper]],
    receive
        {'DOWN', Ref, process, Keeper, _} -> ok
    end.

%% `Script' is the monitor of the guardian of the script, and how that one ended if it has.
keep(Owner, Ref, Entries, Script) ->
    receive
        {note, Owner, {script, _, _} = Entry} ->
            keep(Owner, Ref, [Entry | Entries], monitored([Entry]));
        {note, Owner, Entry} ->
            keep(Owner, Ref, [Entry | Entries], Script);
        {close, Owner, Result} ->
            erlrc_outcome:settled(Owner, Result);
        {'DOWN', Ref, process, Owner, Why} ->
            Result = settle({operation_died, Why}, with_script(Entries, Script)),
            ok = unsettled(Entries, Result),
            erlrc_outcome:settled(Owner, Result);
        {'DOWN', Of, process, _, Why} ->
            keep(Owner, Ref, Entries, ended(Of, Why, Script));
        _Other ->
            keep(Owner, Ref, Entries, Script)
    end.

%% The script may have taken erlrc to a version that knows nothing of it.
unsettled(Entries, Result) ->
    {request, Request} = lists:keyfind(request, 1, Entries),
    try
        erlrc_unsettled:note(Request, Result)
    catch
        error:undef -> ok
    end.

monitored(Entries) ->
    case lists:keyfind(script, 1, Entries) of
        {script, Guardian, Runner} -> {monitor(process, Guardian), Guardian, Runner, running};
        false -> none
    end.

ended(Ref, Why, {Ref, Guardian, Runner, running}) -> {Ref, Guardian, Runner, Why};
ended(_Ref, _Why, Script) -> Script.

%% What came of a script of which the operation did not hear any more.
with_script(Entries, Script) ->
    case {lists:keymember(scripted, 1, Entries), Script} of
        {false, {_, _, _, _}} -> [{scripted, await(Script)} | Entries];
        _ -> Entries
    end.

%% The guardian has the last word; where it is dead, a successor.
await({Ref, Guardian, Runner, running}) ->
    receive
        {'DOWN', Ref, process, Guardian, Why} -> await({Ref, Guardian, Runner, Why})
    end;
await({_, _, _, {erlrc_done, Result, _Cost}}) ->
    Result;
await({_, Guardian, Runner, _Why}) ->
    erlrc_guardian:succeed(Guardian, Runner).

%% What the notes (the newest first) ask for.
settle(Why, Entries) ->
    ok = erlrc_deadline:extend(take_back),
    try
        settle(lists:keyfind(committed, 1, Entries), lists:keyfind(scripted, 1, Entries), Why, Entries)
    catch
        Class:Crash:Stack -> {error, {not_rolled_back, Why, [{undo_crashed, {Class, Crash, lists:sublist(Stack, 5)}}]}}
    end.

settle({committed, Finish, Result}, _Scripted, _Why, Entries) ->
    ok = erlrc_start:finish(Finish),
    case [Undo || {replaced, Undo} <- Entries] of
        [] ->
            Result;
        Undos ->
            lists:foreach(fun erlrc_upgrade_stopped:keep/1, Undos),
            case Result of {ok, _} -> Result; _ -> {ok, Result} end
    end;
settle(false, false, _Why, [{reverting, Guardian, Which} | _]) ->
    erlrc_revert:outcome(Guardian, Which);
settle(false, {scripted, {ok, Unpurged}}, _Why, Entries) ->
    {forward, Forwards} = lists:keyfind(forward, 1, Entries),
    case erlrc_set:forward(Forwards, [Undo || {environment, Undo} <- lists:reverse(Entries)]) of
        {ok, _, []} -> {ok, Unpurged};
        {ok, _, [Failed | _]} -> {error, {not_rolled_back, Failed, [{script, App, done} || #{application := App} <- Forwards]}};
        {error, _} = Error -> Error
    end;
settle(false, {scripted, {error, {not_rolled_back, Reason, Left}}}, Why, Entries) ->
    result(reason(Reason, Why), Left ++ undo(Entries));
settle(false, {scripted, {error, Reason}}, Why, Entries) ->
    result(reason(Reason, Why), undo(Entries));
settle(false, {scripted, Other}, _Why, Entries) ->
    case undo(Entries) of
        [] -> Other;
        Left -> {error, {not_rolled_back, Other, Left}}
    end;
settle(false, false, Why, Entries) ->
    Interrupted = lists:append([erlrc_snapshot:interrupt(Snapshot) || {unguarded, _App, Snapshot} <- Entries]),
    result(Why, Interrupted ++ undo(Entries)).

%% The script was called off because the operation had died.
reason({script_failed, _App, cancelled}, Why) -> Why;
reason(Reason, _Why) -> Reason.

result(Why, []) -> {error, Why};
result(Why, Left) -> {error, {not_rolled_back, Why, Left}}.

undo(Entries) ->
    lists:append([undone(Entry) || Entry <- Entries]).

undone({undo, Undo}) -> erlrc_transition:undo([Undo]);
undone({replaced, Undo}) -> erlrc_upgrade_stopped:undo(Undo);
undone(_Entry) -> [].
