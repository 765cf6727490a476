%% @doc Ends an operation that did not end by itself: back to the old, or, past the point where the way back was given
%% up, on to the new. Works from the journal alone, and adds to it, so that a successor can go on where this was killed.
-module(erlrc_undo).

-export([run/2]).

-type entries() :: [term()].
-type context() :: #{
    options := map(), protected := [pid()], sides := erlrc_sides:sides(), subject := atom() | [atom()], _ => _
}.
%% With the window of its own that leads back, if one was opened.
-type windows() :: #{reference() => {erlrc_scope:window(), open | changing | migrated, Back :: windows()}}.

%% @doc Carries out what the journal (newest first) asks for.
-spec run(entries(), context()) -> {finished, [module()]} | {undone, Left :: [term()]}.
run(Entries, Context) ->
    ok = erlrc_deadline:extend(take_back),
    Order = lists:reverse(Entries),
    Windows = lists:foldl(fun window/2, #{}, Order),
    case lists:keyfind(confirmed, 1, Order) of
        {confirmed, Rest} ->
            lists:foreach(fun({Window, _, _}) -> erlrc_way_back:release(Window, []) end, maps:values(Windows)),
            {finished, erlrc_execution:finish(Rest, Context)};
        false ->
            Left = undo(Entries, maps:map(fun(_, Each) -> settled(Each, Context) end, Windows), Context, []),
            {undone, Left ++ restarted([Child || {taken_down, Children} <- Entries, Child <- Children])}
    end.

-spec window(term(), windows()) -> windows().
window({open, #{id := Id} = Window}, Windows) ->
    Windows#{Id => {Window, open, #{}}};
window({joined, Id, Pids, Resume, Changed}, Windows) ->
    #{Id := {#{pids := Pids0, resume := Resume0, changed := Changed0} = Window, Status, Back}} = Windows,
    Wider = Window#{pids := Pids ++ Pids0, resume := Resume ++ Resume0, changed := Changed ++ Changed0},
    Windows#{Id := {Wider, Status, Back}};
window({changing, Id}, Windows) ->
    maps:update_with(Id, fun({Window, _, Back}) -> {Window, changing, Back} end, Windows);
window({stale, Id, Modules}, Windows) ->
    maps:update_with(Id, fun({Window, Status, Back}) -> {Window#{stale := Modules}, Status, Back} end, Windows);
window({migrated, Id, More}, Windows) ->
    maps:update_with(Id, fun({Window, _, Back}) -> {maps:merge(Window, More), migrated, Back} end, Windows);
window({released, Id}, Windows) ->
    case Windows of
        #{Id := {_, migrated, _}} -> Windows;
        #{Id := _} -> maps:remove(Id, Windows)
    end;
window({back, Id, Entry}, Windows) ->
    maps:update_with(Id, fun({Window, Status, Back}) -> {Window, Status, window(Entry, Back)} end, Windows);
window(_Entry, Windows) ->
    Windows.

undo([], _Windows, _Context, Left) ->
    lists:reverse(Left);
undo([{open, #{id := Id}} | Entries], Windows, Context, Left) when is_map_key(Id, Windows) ->
    case undo_window(maps:get(Id, Windows), Context) of
        {gone_on, More} -> lists:reverse(Left, More);
        More -> undo(Entries, Windows, Context, lists:reverse(More, Left))
    end;
undo([{applied, MFA} | Entries], Windows, Context, Left) ->
    undo(Entries, Windows, Context, [{applied, MFA} | Left]);
undo([{purged, Modules} | Entries], Windows, Context, Left) ->
    undo(Entries, Windows, Context, [{purged, Modules} | Left]);
undo([{stopped, Children} | Entries], Windows, Context, Left) ->
    ok = erlrc_children:start(Children),
    undo(Entries, Windows, Context, [{restarted, Id} || {_, Id} <- Children] ++ Left);
undo([{child, Supervisor, Id} | Entries], Windows, Context, Left) ->
    ok = erlrc_children:remove([{Supervisor, Id}]),
    undo(Entries, Windows, Context, Left);
undo([{path, Path} | Entries], Windows, Context, Left) ->
    ok = erlrc_commit:set_path(Path),
    undo(Entries, Windows, Context, Left);
undo([_ | Entries], Windows, Context, Left) ->
    undo(Entries, Windows, Context, Left).

%% Children that were stopped for others start again when their supervisors know them again.
restarted(Children) ->
    [
        case erlrc_children:restart(Child) of
            ok -> {restarted, Id};
            {error, Why} -> {child_not_started, Id, Why}
        end
     || {_, Id} = Child <- Children
    ].

%% Whoever went back before was killed, and those that stand in a window of his answer nobody: before anything else it is
%% closed. What he has not completed has not happened then.
settled({#{id := Id} = Window, Status, Backs}, Context) ->
    {Window, Status, maps:filter(fun(_, Back) -> completed =:= close(Back, Id, back(Id, Context)) end, Backs)}.

close({Back, open, _}, _Forward, _Context) ->
    ok = erlrc_way_back:release(Back, []),
    taken_back;
close({#{id := Id} = Back, changing, _}, _Forward, #{note := Note} = Context) ->
    _ = erlrc_way_back:revert(Back, Context),
    ok = Note({released, Id}),
    taken_back;
close({#{id := Id} = Back, migrated, _}, Forward, _Context) ->
    ok = erlrc_way_back:release(Back, [erlrc_migrate:drop(Each) || Each <- [Id, Forward]]),
    completed.

%% Not everything stands, but nothing has changed yet.
undo_window({Window, open, _}, _Context) ->
    ok = erlrc_way_back:release(Window, []),
    [];
undo_window({#{id := Id} = Window, changing, _}, Context) ->
    Left = erlrc_way_back:revert(Window, Context#{note => fun erlrc_journal:went_back/1}),
    ok = erlrc_journal:went_back({released, Id}),
    Left;
%% The processes ran again, or may have: the way back is a window of its own.
undo_window({#{id := Id, batch := Batch, code := Code} = Window, migrated, Backs}, Context) when map_size(Backs) =:= 0 ->
    ok = erlrc_way_back:release(Window, [erlrc_migrate:record_if_missing(Id)]),
    #{new := New, old := Old} = Code,
    case erlrc_window:run(erlrc_segment:inverse(Batch), Code#{new := Old, old := New}, back(Id, Context)) of
        {ok, Gone} -> gone_back(Gone, Window);
        {error, Why, Left} -> {gone_on, [{version, Why} | Left]}
    end;
undo_window({Window, migrated, Backs}, _Context) ->
    [{Back, migrated, _}] = maps:values(Backs),
    gone_back(Back, Window).

back(Id, #{sides := Sides, options := Options} = Context) ->
    Context#{
        note => fun(Entry) -> erlrc_journal:went_back({back, Id, Entry}) end,
        cancelled => fun() -> false end,
        last => #{},
        direction => back,
        exact => Id,
        sides := erlrc_sides:back(Sides),
        options := maps:remove(max_pause, Options)
    }.

gone_back(Back, #{code := #{no_way_back := Missing}}) ->
    ok = erlrc_journal:note({converted, converted(Back)}),
    [{code, Module} || Module <- Missing].

%% Those that had moved on, so that their states were changed back and not put back.
converted(#{changed := Changed, exact := Exact, later := Later}) ->
    length([Pid || {Pid, _} <- Changed, not is_map_key(Pid, Exact), not lists:member(Pid, Later)]).
