%% @doc Ends an operation that did not end by itself: back to the old, or, past the point where the way back was given
%% up, on to the new. Works from the journal alone.
-module(erlrc_undo).

-export([run/2]).

-type entries() :: [term()].
-type context() :: #{
    options := map(), protected := [pid()], sides := erlrc_sides:sides(), subject := atom() | [atom()], _ => _
}.

%% @doc Carries out what the journal (newest first) asks for.
-spec run(entries(), context()) -> {finished, [module()]} | {undone, Left :: [term()]}.
run(Entries, Context) ->
    ok = erlrc_deadline:extend(take_back),
    Order = lists:reverse(Entries),
    Windows = lists:foldl(fun window/2, #{}, Order),
    case lists:keyfind(confirmed, 1, Order) of
        {confirmed, Rest} ->
            lists:foreach(fun({Window, _}) -> erlrc_way_back:release(Window, []) end, maps:values(Windows)),
            {finished, erlrc_execution:finish(Rest, Context)};
        false ->
            Left = undo(Entries, Windows, Context, []),
            {undone, Left ++ restarted([Child || {taken_down, Children} <- Entries, Child <- Children])}
    end.

window({open, #{id := Id} = Window}, Windows) ->
    Windows#{Id => {Window, open}};
window({joined, Id, Pids, Resume, Changed}, Windows) ->
    #{Id := {#{pids := Pids0, resume := Resume0, changed := Changed0} = Window, Status}} = Windows,
    Wider = Window#{pids := Pids ++ Pids0, resume := Resume ++ Resume0, changed := Changed ++ Changed0},
    Windows#{Id := {Wider, Status}};
window({changing, Id}, Windows) ->
    maps:update_with(Id, fun({Window, _}) -> {Window, changing} end, Windows);
window({stale, Id, Modules}, Windows) ->
    maps:update_with(Id, fun({Window, Status}) -> {Window#{stale := Modules}, Status} end, Windows);
window({migrated, Id, More}, Windows) ->
    maps:update_with(Id, fun({Window, _}) -> {maps:merge(Window, More), migrated} end, Windows);
window({released, Id}, Windows) ->
    case Windows of
        #{Id := {_, migrated}} -> Windows;
        #{Id := _} -> maps:remove(Id, Windows)
    end;
window(_Entry, Windows) ->
    Windows.

undo([], _Windows, _Context, Left) ->
    lists:reverse(Left);
undo([{open, #{id := Id}} | Entries], Windows, Context, Left) when is_map_key(Id, Windows) ->
    {Window, Status} = maps:get(Id, Windows),
    case undo_window(Status, Window, Context) of
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

%% Not everything stands, but nothing has changed yet.
undo_window(open, Window, _Context) ->
    ok = erlrc_way_back:release(Window, []),
    [];
undo_window(changing, Window, Context) ->
    erlrc_way_back:revert(Window, Context);
%% The processes ran again, or may have: the way back is a window of its own.
undo_window(migrated, #{id := Id, batch := Batch, code := Code} = Window, Context) ->
    ok = erlrc_way_back:release(Window, [erlrc_migrate:record_if_missing(Id)]),
    #{new := New, old := Old, no_way_back := Missing} = Code,
    #{sides := Sides, options := Options} = Context,
    Back = Context#{
        note => fun(_) -> ok end,
        cancelled => fun() -> false end,
        last => #{},
        direction => back,
        exact => Id,
        sides := erlrc_sides:back(Sides),
        options := maps:remove(max_pause, Options)
    },
    case erlrc_window:run(erlrc_segment:inverse(Batch), Code#{new := Old, old := New}, Back) of
        {ok, Gone} ->
            ok = erlrc_journal:note({converted, converted(Gone)}),
            [{code, Module} || Module <- Missing];
        {error, Why, Left} -> {gone_on, [{version, Why} | Left]}
    end.

%% Those that had moved on, so that their states were changed back and not put back.
converted(#{changed := Changed, exact := Exact, later := Later}) ->
    length([Pid || {Pid, _} <- Changed, not is_map_key(Pid, Exact), not lists:member(Pid, Later)]).
