%% @doc The way back from a window: states, code, path and processes as they were; and how it is given up.
-module(erlrc_way_back).

-export([revert/2, release/2, forget/1, tell/2, refresh/3]).

-define(RESTORE, 5000).
-define(CODE_CHANGE, 5000).
%% How long whoever is in the code that has to go is waited for while others stand, and when they run.
-define(STANDING, 100).
-define(RUNNING, 2000).

-type window() :: erlrc_scope:window().

%% @doc Sends a request to all those whose state changes; nobody waits for an answer.
-spec tell(window(), term()) -> ok.
tell(Window, Request) ->
    Nobody = erlrc_system:nobody(),
    lists:foreach(fun(Pid) -> erlrc_system:tell(Pid, Nobody, Request) end, erlrc_scope:pids(Window)).

%% @doc Lets all processes of a window go on. `Before' are requests to send to those whose state changes; without any,
%% what was kept is dropped, before they go on: nobody may put it back any more.
-spec release(window(), [term()]) -> ok.
release(#{id := Id} = Window, []) ->
    release(Window, [erlrc_migrate:drop(Id)]);
release(#{resume := Pids} = Window, Before) ->
    lists:foreach(fun(Request) -> tell(Window, Request) end, Before),
    erlrc_quiesce:resume(Pids).

%% @doc Gives up the way back that a window kept.
-spec forget(window()) -> ok.
forget(#{kept := true, id := Id} = Window) -> erlrc_migrate:forget(erlrc_scope:pids(Window), [Id]);
forget(_Window) -> ok.

%% @doc Puts states, code, path and processes of a window back that are all still standing. Answers what is left.
%%
%% Old code has to be purged before it can be current again, module by module over all processes. So what has nothing to
%% do with those that stand goes back after they went on; and what has is purged while the states are put back. Whoever
%% is in that code is waited for, a moment, and killed then: there is no other way back. What its supervisor does not
%% start again is left.
-spec revert(window(), #{protected := [pid()], note := fun((term()) -> ok), _ => _}) -> Left :: [term()].
revert(Opened, #{note := Note} = Context) ->
    #{id := Id, code := Code, path := Path, path_change := Change} = Window = erlrc_stand:again(Opened, Context),
    #{stale := Known, resume := Resume} = Window,
    Stale = lists:usort(Known ++ erlrc_scope:stale(Window)),
    ok = Note({stale, Id, Stale}),
    Other = keep_other(Stale, Window),
    Restoring = erlrc_migrate:restoring(erlrc_scope:pids(Window), put_back(Stale, Id)),
    {Now, Later} = halves(Code),
    ok = make_room(Now, Context),
    Hung = erlrc_migrate:restored(Restoring, ?RESTORE),
    Left = uncommit(Now, ?STANDING, Context),
    ok = erlrc_commit:path_back(Change, Path),
    Modeless = lists:append([refresh_back(Module, Other, Window, Hung) || Module <- Stale]),
    ok = go_on(Stale, Window),
    Rest = uncommit(Later, ?RUNNING, Context),
    ok = erlrc_quiesce:resume(Resume),
    [{hung, erlrc_system:culprit(Pid)} || Pid <- Hung] ++ Left ++ Modeless ++ Rest ++ erlrc_inventory:gone().

%% Where nothing follows, what was kept is dropped in the same breath. All are let go at once and waited for at the end.
put_back([], Id) -> erlrc_migrate:take_back(Id);
put_back([_ | _], Id) -> erlrc_migrate:put_back(Id).

go_on([], #{resume := Pids}) -> erlrc_quiesce:let_go(Pids);
go_on([_ | _], Window) -> release(Window, []).

%% What cannot go back is said of the whole.
halves(#{no_way_back := [], together := [_ | _] = Together, old := Old} = Code) ->
    case erlrc_commit:is_switched(Old) of
        true ->
            {Code, none};
        false ->
            {First, Rest} = erlrc_commit:divide(Old, Together),
            {Code#{old := First}, Code#{old := Rest}}
    end;
halves(Code) ->
    {Code, none}.

make_room(#{old := Old} = Code, Context) ->
    case is_back(Code) of
        true -> ok;
        false -> erlrc_journal:killed(erlrc_commit:make_room(Old, options(Code, ?STANDING, Context)))
    end.

options(Code, Patience, Context) ->
    #{
        protected => maps:get(protected, Context),
        patience => max(Patience, erlrc_scope:patience(Code)),
        wait_for => everybody,
        old_code => kill
    }.

is_back(#{old := Old, new := New, no_way_back := Missing}) ->
    erlrc_commit:is_switched(Old) andalso (Missing =:= [] orelse not erlrc_commit:is_switched(New)).

uncommit(none, _Patience, _Context) ->
    [];
uncommit(#{old := Old, no_way_back := Missing} = Code, Patience, Context) ->
    case is_back(Code) of
        true ->
            [];
        false ->
            case erlrc_commit:switch(Old, options(Code, Patience, Context)) of
                {ok, Killed} ->
                    ok = erlrc_journal:killed(Killed),
                    [{code, Module} || Module <- Missing];
                {error, Why} ->
                    [{code, Why}]
            end
    end.

%% The states of the other version, for processes that will have to be changed once more.
keep_other(Stale, #{id := Opened} = Window) ->
    Id = {other, Opened},
    Pids = lists:usort(lists:append([erlrc_scope:running(Module, Window) || Module <- Stale])),
    _ = erlrc_migrate:restore(Pids, erlrc_migrate:keep_if_missing(Opened), ?RESTORE),
    _ = erlrc_migrate:restore(Pids, erlrc_migrate:keep(Id), ?RESTORE),
    Id.

%% @doc Has gen_statem processes look at their callback mode once more; their states stay.
-spec refresh(module(), window(), timeout()) -> ok | {error, term()}.
refresh(Module, #{id := Id} = Window, Timeout) ->
    erlrc_migrate:refresh(erlrc_scope:running(Module, Window), Module, {refresh, Id}, Timeout).

%% Under the code that was there before, a gen_statem that looked at the other's callback mode has to look once more:
%% by a change from its own version to itself, else by one from the other version's state, which it may know.
refresh_back(Module, Other, #{id := Id} = Window, Hung) ->
    Pids = erlrc_scope:running(Module, Window) -- Hung,
    Result =
        case erlrc_migrate:refresh(Pids, Module, {refresh, Id}, ?CODE_CHANGE) of
            ok -> ok;
            {error, _} -> change_over(Module, Other, Pids, Window)
        end,
    _ = erlrc_migrate:restore(Pids, erlrc_migrate:put_back(Id), ?RESTORE),
    case Result of
        {error, Why} -> [{callback_mode, Module, Why}];
        _ -> []
    end.

change_over(Module, Other, Pids, #{batch := #{before := Before, 'after' := After}} = Window) ->
    _ = erlrc_migrate:restore(Pids, erlrc_migrate:put_back(Other), ?RESTORE),
    {_, _, Extra} = lists:keyfind(Module, 1, Before ++ After),
    {_, To} = erlrc_scope:sides(Module, Window),
    erlrc_migrate:change([{Pid, [Module]} || Pid <- Pids], #{Module => {To, Extra}}, #{
        keep => none, timeout => ?CODE_CHANGE
    }).
