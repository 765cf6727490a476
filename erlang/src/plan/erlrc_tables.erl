%% @doc Looks for funs of modules that change, for records of an earlier size and for names of functions that go, in ets
%% tables and among the persistent terms.
%%
%% Of a table only its first objects are looked at, a few at a time: a big table is neither copied nor held. What is
%% private cannot be read but by its owner. What was not looked at is told.
-module(erlrc_tables).

-export([search/2, funs/2]).
-export_type([result/0, table/0, unseen/0]).

-type table() :: atom() | ets:tid() | persistent_term.
-type wanted() :: #{
    modules := [module()], records := erlrc_look:records(), directory := file:filename(), application := atom(),
    functions => erlrc_look:functions()
}.
%% Of which not everything was looked at, and why: it is private or large, or there was no time left.
-type unseen() :: {table(), private | large | late}.
-type result() :: #{
    records := [{table(), erlrc_look:shape()}],
    funs := [{table(), module(), Name :: atom()}],
    names := [{table(), module(), Name :: atom()}],
    unseen := [unseen()]
}.

-define(OBJECTS, 10000).
-define(AT_ONCE, 500).
%% Terms to be looked at, of an object and of the persistent terms.
-define(LOOKS, 2000).
-define(PERSISTENT_LOOKS, 200000).
%% Words that are copied out of a table at once.
-define(WORDS, 100000).
-define(MAX_HEAP, 8 * 1024 * 1024).
-define(NAMED, 20).
-define(OWN, [erlrc_table, erlrc_outcome, erlrc_journal, erlrc_snapshot]).
%% Where application_controller keeps the environment, which is a matter of its own.
-define(ENVIRONMENT, ac_tab).

%% @doc Funs of these modules, names of these functions, and in tables of this application records of these sizes; after so
%% many milliseconds no further table is begun.
-spec search(wanted(), non_neg_integer()) -> result().
search(#{modules := Modules, records := Records, directory := Directory, application := App} = Search, Patience) ->
    Functions = maps:get(functions, Search, #{}),
    case {Modules, map_size(Records) + map_size(Functions)} of
        {[], 0} ->
            #{funs => [], records => [], names => [], unseen => []};
        _ ->
            Wanted = erlrc_look:naming(Functions, erlrc_look:wanted(Modules, Directory, Records)),
            #{funs := Funs, records := All, names := Names} = Result = funs(Wanted, Patience),
            Ours = [Each || {Table, _} = Each <- All, belongs(Table, App)],
            Others = [Each || {Table, _, _} = Each <- Names, Table =/= ?ENVIRONMENT],
            Result#{
                funs := lists:sublist(Funs, ?NAMED), records := lists:sublist(Ours, ?NAMED),
                names := lists:sublist(Others, ?NAMED)
            }
    end.

%% @doc The same for what {@link erlrc_look} calls wanted; all that is found.
-spec funs(erlrc_look:wanted(), non_neg_integer()) -> result().
funs(Wanted, Patience) ->
    Deadline = erlang:monotonic_time(millisecond) + Patience,
    Persistent = look(persistent_term, persistent_term:get(), ?PERSISTENT_LOOKS, Wanted),
    Found = [Persistent | tables(ets:all(), Wanted, Deadline)],
    #{
        funs => [{Table, M, Name} || {Table, Seen, _} <- Found, {'fun', M, Name} <- Seen],
        records => [{Table, Record} || {Table, Seen, _} <- Found, {record, Record} <- Seen],
        names => [{Table, M, Name} || {Table, Seen, _} <- Found, {name, M, Name} <- Seen],
        unseen => [{Table, Why} || {Table, _, Why} <- Found, Why =/= whole]
    }.

%% What a table of another application holds may only look like it.
belongs(persistent_term, _App) ->
    true;
belongs(Table, App) ->
    case ets:info(Table, owner) of
        undefined -> false;
        Owner -> lists:member(application:get_application(Owner), [{ok, App}, {ok, mnesia}])
    end.

%% In a process of its own, which an object of any size costs its life, not the node.
tables(Tables, Wanted, Deadline) ->
    Self = self(),
    Limit = {max_heap_size, #{size => ?MAX_HEAP, kill => true, error_logger => false}},
    {Pid, Ref} = spawn_opt(
        fun() -> lists:foreach(fun(Table) -> Self ! {?MODULE, self(), table(Table, Wanted, Deadline)} end, Tables) end,
        [monitor, Limit, {priority, low}]
    ),
    collect(Pid, Ref, Tables, Wanted, Deadline).

collect(Pid, Ref, [Table | Tables], Wanted, Deadline) ->
    receive
        {?MODULE, Pid, nothing} -> collect(Pid, Ref, Tables, Wanted, Deadline);
        {?MODULE, Pid, Found} -> [Found | collect(Pid, Ref, Tables, Wanted, Deadline)];
        {'DOWN', Ref, process, Pid, _} -> [{Table, [], large} | tables(Tables, Wanted, Deadline)]
    end;
collect(_Pid, Ref, [], _Wanted, _Deadline) ->
    true = erlang:demonitor(Ref, [flush]),
    [].

%% What erlrc keeps for itself, as the answers of earlier operations, is nothing that an application works with.
table(Table, Wanted, Deadline) ->
    case lists:member(ets:info(Table, name), ?OWN) of
        true -> nothing;
        false -> foreign(Table, Wanted, Deadline)
    end.

foreign(Table, Wanted, Deadline) ->
    Late = erlang:monotonic_time(millisecond) >= Deadline,
    case {ets:info(Table, protection), ets:info(Table, size)} of
        {Protection, Size} when Protection =:= undefined; Size =:= 0; Size =:= undefined -> nothing;
        {private, _} -> {Table, [], private};
        _ when Late -> {Table, [], late};
        {_, Size} -> read(Table, at_once(Table, Size), Wanted)
    end.

%% Fewer at once where they are large.
at_once(Table, Size) ->
    case ets:info(Table, memory) of
        Words when is_integer(Words) -> max(1, min(?AT_ONCE, ?WORDS div max(1, Words div Size)));
        undefined -> 1
    end.

%% A table may end at any time.
read(Table, AtOnce, Wanted) ->
    try
        true = ets:safe_fixtable(Table, true),
        try
            objects(Table, ets:match_object(Table, '_', AtOnce), ?OBJECTS, Wanted, {Table, [], whole})
        after
            ets:safe_fixtable(Table, false)
        end
    catch
        error:badarg -> nothing
    end.

objects(_Table, '$end_of_table', _Left, _Wanted, Found) ->
    Found;
objects(_Table, _More, Left, _Wanted, {Table, Funs, _}) when Left =< 0 ->
    {Table, Funs, large};
objects(Table, {Objects, Continuation}, Left, Wanted, Found) ->
    Next = lists:foldl(
        fun(Object, {_, Funs, Before}) ->
            {_, More, Extent} = look(Table, Object, ?LOOKS, Wanted),
            {Table, lists:usort(More ++ Funs), case Before of whole -> Extent; large -> large end}
        end,
        Found,
        Objects
    ),
    objects(Table, ets:match_object(Continuation), Left - length(Objects), Wanted, Next).

look(Table, Term, Looks, Wanted) ->
    Seen = erlrc_look:at(Term, Wanted, erlrc_look:new(Looks)),
    {Funs, _} = erlrc_look:found(Seen),
    Found =
        [{'fun', Module, Name} || {Module, Name} <- Funs] ++
            [{record, Record} || Record <- erlrc_look:records(Seen)] ++
            [{name, Module, Name} || {Module, Name} <- erlrc_look:names(Seen)],
    {Table, lists:usort(Found), case erlrc_look:is_complete(Seen) of true -> whole; false -> large end}.
