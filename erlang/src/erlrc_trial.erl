%% @doc Tries the new `code_change' on copies of live states, before anything is changed.
%%
%% The new module is loaded beside the running one, under another name (`erlrc_engine:shadow/3'). Each state is copied
%% out of its process by sys's `replace_state', which leaves the state as it is, and is changed in a process of our own
%% that has a limit of time and memory. A module is tried only if nothing that its `code_change' calls can be noticed by
%% others; a state only if it is no larger than a limit and, where `code_change' calls funs, holds none. Everything else
%% is skipped, with the reason.
-module(erlrc_trial).

-export([run/3, shadow/1, forget/1]).
-export([work/3]).
-export_type([change/0, result/0]).

%% What a module is told: its version, and the extra of its instruction. `Beam' is the file of the code that has the
%% `code_change': the new one going up, the loaded one going down.
-type change() :: {module(), Vsn :: term(), Extra :: term(), Beam :: file:filename()}.
-type result() :: #{
    tried := non_neg_integer(),
    failed := [{pid(), module(), Why :: term()}],
    skipped := [{module(), Why :: term(), Processes :: pos_integer()}],
    %% Funs of modules that change, found in states.
    funs := [{pid(), module(), Name :: atom()}],
    %% Processes whose state names a file below the old directory.
    paths := [pid()]
}.

-record(trial, {
    modules :: #{module() => {callback(), term(), term()} | {skip, term()}},
    %% Modules whose funs are looked for, the old directory.
    changed :: #{module() => []},
    directory :: binary(),
    nobody :: pid(),
    max_words :: pos_integer(),
    wait :: timeout()
}).
-type callback() :: {Shadow :: module(), CallsFuns :: boolean()}.

-define(CHUNK, 200).
-define(MAX_WORDS, 1000000).
-define(MAX_HEAP, 64 * 1024 * 1024).
-define(STATE_WAIT, 500).
-define(STEP, 1000).
%% Of a state, how many terms are looked at for funs and paths.
-define(LOOKS, 20000).
-define(NAMED, 20).

%% @doc Tries `Changes' on the states of `Targets'. Options: `changed' modules, `directory' that is to go, `deadline'.
-spec run([change()], #{pid() => erlrc_discover:target()}, map()) -> result().
run(Changes, Targets, #{changed := Changed, directory := Directory} = Options) ->
    Modules = maps:from_list([prepare(Change, Targets) || Change <- Changes]),
    Trial = #trial{
        modules = Modules,
        changed = maps:from_keys(Changed, []),
        directory = unicode:characters_to_binary(Directory),
        nobody = erlrc_system:nobody(),
        max_words = maps:get(max_state_words, Options, ?MAX_WORDS),
        wait = maps:get(state_wait, Options, ?STATE_WAIT)
    },
    Todo = [{Pid, Kind, Mods} || {Pid, #{kind := Kind, modules := Mods}} <- maps:to_list(Targets), is_tried(Kind)],
    Special = [{Module, special_process} || #{kind := special, modules := Mods} <- maps:values(Targets), Module <- Mods],
    try
        Found = coordinate(chunks(Todo), Trial, maps:get(deadline, Options)),
        summary(Found ++ [{skipped, Module, Why} || {Module, Why} <- Special])
    after
        [forget(Shadow) || {{Shadow, _}, _, _} <- maps:values(Modules)]
    end.

is_tried(Kind) -> Kind =:= server orelse Kind =:= event_manager.

%% @doc The name that a module has while it is tried: its own with a mark, so that no second trial makes another atom.
-spec shadow(module()) -> module().
shadow(Module) ->
    list_to_atom(atom_to_list(Module) ++ "$trial").

prepare({Module, Vsn, Extra, File}, Targets) ->
    Runs = lists:any(
        fun(#{kind := Kind, modules := Mods}) -> is_tried(Kind) andalso lists:member(Module, Mods) end,
        maps:values(Targets)
    ),
    {Module, case Runs of true -> load(Module, Vsn, Extra, File); false -> {skip, no_process} end}.

load(Module, Vsn, Extra, File) ->
    Shadow = shadow(Module),
    case erlrc_engine:shadow(File, Shadow, [{code_change, 3}, {code_change, 4}]) of
        {ok, {Beam, [Three, Four]}} ->
            case effects([Each || Each <- [Three, Four], Each =/= not_exported]) of
                {harmless, CallsFuns} -> loaded(Shadow, File, Beam, CallsFuns, Vsn, Extra);
                {effects, Effects} -> {skip, {has_effects, Effects}}
            end;
        {error, Why} ->
            {skip, Why}
    end.

effects(Functions) ->
    case lists:usort(lists:append([Effects || #{effects := Effects} <- Functions])) of
        [] -> {harmless, lists:any(fun(#{calls_funs := Calls}) -> Calls end, Functions)};
        Effects -> {effects, Effects}
    end.

loaded(Shadow, File, Beam, CallsFuns, Vsn, Extra) ->
    case code:load_binary(Shadow, File, Beam) of
        {module, Shadow} -> {{Shadow, CallsFuns}, Vsn, Extra};
        {error, Why} -> {skip, Why}
    end.

%% @doc Unloads what was loaded under a name of {@link shadow/1}.
-spec forget(module()) -> ok.
forget(Shadow) ->
    _ = code:delete(Shadow),
    _ = code:purge(Shadow),
    ok.

chunks([]) ->
    [];
chunks(List) when length(List) =< ?CHUNK ->
    [List];
chunks(List) ->
    {Chunk, Rest} = lists:split(?CHUNK, List),
    [Chunk | chunks(Rest)].

%% Two at work are enough to fill the time in which one waits for states.
coordinate(Chunks, Trial, Deadline) ->
    {Now, Later} = lists:split(min(2, length(Chunks)), Chunks),
    Workers = maps:from_list([start(Chunk, Trial) || Chunk <- Now]),
    collect(Workers, Later, Trial, Deadline, []).

start(Chunk, Trial) ->
    Limit = {max_heap_size, #{size => ?MAX_HEAP div 8, kill => true, error_logger => false}},
    {Pid, Ref} = spawn_opt(?MODULE, work, [self(), Chunk, Trial], [monitor, Limit, {priority, low}]),
    {Ref, {Pid, Chunk}}.

collect(Workers, [], _Trial, _Deadline, Found) when map_size(Workers) =:= 0 ->
    Found;
collect(Workers, Later, Trial, Deadline, Found) ->
    receive
        {?MODULE, Worker, Result} ->
            collect(progress(Worker, Workers), Later, Trial, Deadline, [Result | Found]);
        {'DOWN', Ref, process, _, normal} when is_map_key(Ref, Workers) ->
            next(maps:remove(Ref, Workers), Later, Trial, Deadline, Found);
        {'DOWN', Ref, process, _, Why} when is_map_key(Ref, Workers) ->
            {{_, Chunk}, Rest} = maps:take(Ref, Workers),
            {Culprits, Left} = split(Chunk),
            Failed = [{failed, Pid, hd(Mods), died(Why)} || {Pid, _, Mods} <- Culprits],
            next(Rest, [Left || Left =/= []] ++ Later, Trial, Deadline, Failed ++ Found)
    after ?STEP ->
        stalled(Workers, Later, Trial, Deadline, Found)
    end.

died(killed) -> out_of_time_or_memory;
died(Why) -> Why.

split([]) -> {[], []};
split([First | Rest]) -> {[First], Rest}.

next(Workers, Later, Trial, Deadline, Found) ->
    Over = erlang:monotonic_time(millisecond) >= Deadline,
    case Later of
        _ when Over -> collect(Workers, [], Trial, Deadline, late(Later) ++ Found);
        [] -> collect(Workers, [], Trial, Deadline, Found);
        [Chunk | Rest] ->
            {Ref, Worker} = start(Chunk, Trial),
            collect(Workers#{Ref => Worker}, Rest, Trial, Deadline, Found)
    end.

late(Chunks) ->
    [{skipped, hd(Mods), out_of_time} || Chunk <- Chunks, {_, _, Mods} <- Chunk].

%% A worker answers in the order of its chunk: what it has not answered is what it is at.
progress(Worker, Workers) ->
    maps:map(
        fun
            (_, {Pid, [_ | Left]}) when Pid =:= Worker -> {Pid, Left};
            (_, Other) -> Other
        end,
        Workers
    ).

%% Nothing has come for a second: some state takes for ever.
stalled(Workers, Later, Trial, Deadline, Found) ->
    _ = [exit(Pid, kill) || {Pid, _} <- maps:values(Workers)],
    collect(Workers, Later, Trial, Deadline, Found).

%% @private A chunk: all states are asked for, then tried as they come, in order.
-spec work(pid(), [tuple()], #trial{}) -> ok.
work(Coordinator, Chunk, #trial{nobody = Nobody, max_words = Max, wait = Wait} = Trial) ->
    Ref = make_ref(),
    Ask = ask(self(), Ref, Max),
    _ = [erlrc_system:tell(Pid, Nobody, {replace_state, Ask}) || {Pid, server, _} <- Chunk],
    Until = erlang:monotonic_time(millisecond) + Wait,
    lists:foreach(
        fun(Entry) -> Coordinator ! {?MODULE, self(), one(Entry, Ref, Until, Trial)} end,
        Chunk
    ).

%% Runs in the process whose state it is.
ask(Worker, Ref, Max) ->
    fun(State) ->
        _ =
            case erts_debug:flat_size(State) of
                Size when Size > Max -> Worker ! {Ref, self(), {too_large, Size}};
                _ -> Worker ! {Ref, self(), {state, State}}
            end,
        State
    end.

one({Pid, event_manager, Modules}, _Ref, _Until, #trial{wait = Wait} = Trial) ->
    try sys:get_state(Pid, Wait) of
        Handlers ->
            worst([
                try_state(Pid, Module, State, Trial)
             || {Module, _Id, State} <- Handlers, lists:member(Module, Modules)
            ])
    catch
        exit:_ -> not_answering(Pid, hd(Modules))
    end;
one({Pid, server, Modules}, Ref, Until, Trial) ->
    receive
        {Ref, Pid, {state, State}} -> worst([try_state(Pid, Module, State, Trial) || Module <- Modules]);
        {Ref, Pid, {too_large, Size}} -> {skipped, hd(Modules), {state_too_large, Size}}
    after max(0, Until - erlang:monotonic_time(millisecond)) ->
        not_answering(Pid, hd(Modules))
    end.

%% A process that has ended meanwhile is no concern of ours.
not_answering(Pid, Module) ->
    case is_process_alive(Pid) of
        true -> {skipped, Module, not_answering};
        false -> {skipped, Module, ended}
    end.

worst(Results) ->
    case [Failed || {failed, _, _, _} = Failed <- Results] ++ Results of
        [Worst | _] -> Worst;
        [] -> nothing
    end.

try_state(Pid, Module, State, #trial{modules = Modules, changed = Changed, directory = Directory}) ->
    Seen = look(State, Changed, Directory),
    case Modules of
        #{Module := {{Shadow, CallsFuns}, Vsn, Extra}} ->
            case CallsFuns andalso may_hold_funs(Seen) of
                true -> {skipped, Module, funs_in_state, Pid, Seen};
                false -> outcome(change(Shadow, Vsn, State, Extra), Pid, Module, Seen)
            end;
        #{Module := {skip, Why}} ->
            {skipped, Module, Why, Pid, Seen};
        #{} ->
            {seen, Pid, Seen}
    end.

%% What was not looked at may hold some.
may_hold_funs(#{any_fun := AnyFun, left := Left}) -> AnyFun orelse Left =< 0.

outcome(ok, Pid, _Module, Seen) -> {tried, Pid, Seen};
outcome({error, Why}, Pid, Module, _Seen) -> {failed, Pid, Module, Why}.

%% As gen_server, gen_event and gen_statem judge the answer.
change(Shadow, Vsn, State, Extra) ->
    try changed(Shadow, Vsn, State, Extra) of
        {ok, _} -> ok;
        {ok, _, _} -> ok;
        Other -> {error, {bad_return, Other}}
    catch
        throw:{ok, _} -> ok;
        _:Why:Stack -> {error, {Why, lists:sublist(Stack, 2)}}
    end.

changed(Shadow, Vsn, {Name, Data} = State, Extra) ->
    case erlang:function_exported(Shadow, code_change, 4) of
        true -> Shadow:code_change(Vsn, Name, Data, Extra);
        false -> Shadow:code_change(Vsn, State, Extra)
    end;
changed(Shadow, Vsn, State, Extra) ->
    Shadow:code_change(Vsn, State, Extra).

%% What else a state tells: funs of the code that is to go, names of files that are to go.
look(State, Changed, Directory) ->
    Nothing = #{any_fun => false, funs => [], path => false, left => ?LOOKS},
    look(State, Changed, Directory, Nothing).

look(_Term, _Changed, _Directory, #{left := Left} = Seen) when Left =< 0 ->
    Seen;
look(Fun, Changed, _Directory, #{funs := Funs} = Seen) when is_function(Fun) ->
    Module = element(2, erlang:fun_info(Fun, module)),
    Local = erlang:fun_info(Fun, type) =:= {type, local},
    Names = [{Module, element(2, erlang:fun_info(Fun, name))} || Local, is_map_key(Module, Changed)],
    step(Seen#{any_fun := true, funs := Names ++ Funs});
look(Binary, _Changed, Directory, Seen) when is_binary(Binary) ->
    Size = byte_size(Directory),
    case Binary of
        <<Directory:Size/binary, _/binary>> -> step(Seen#{path := true});
        _ -> step(Seen)
    end;
look([Head | _] = List, Changed, Directory, Seen) when is_integer(Head) ->
    look_string(List, Changed, Directory, Seen);
look([Head | Tail], Changed, Directory, Seen) ->
    look(Tail, Changed, Directory, look(Head, Changed, Directory, step(Seen)));
look(Tuple, Changed, Directory, Seen) when is_tuple(Tuple) ->
    look_all(tuple_to_list(Tuple), Changed, Directory, step(Seen));
look(Map, Changed, Directory, #{left := Left} = Seen) when is_map(Map), map_size(Map) =< Left ->
    look_all(lists:append([[Key, Value] || {Key, Value} <- maps:to_list(Map)]), Changed, Directory, step(Seen));
look(Map, _Changed, _Directory, Seen) when is_map(Map) ->
    Seen#{left := 0};
look(_Term, _Changed, _Directory, Seen) ->
    step(Seen).

look_all(Terms, Changed, Directory, Seen) ->
    lists:foldl(fun(Term, Acc) -> look(Term, Changed, Directory, Acc) end, Seen, Terms).

step(#{left := Left} = Seen) -> Seen#{left := Left - 1}.

look_string(List, Changed, Directory, Seen) ->
    case is_prefix(Directory, List) of
        true -> step(Seen#{path := true});
        false -> look(tl(List), Changed, Directory, step(Seen))
    end.

is_prefix(<<>>, _) -> true;
is_prefix(<<Byte, Rest/binary>>, [Byte | List]) -> is_prefix(Rest, List);
is_prefix(_, _) -> false.

summary(Found) ->
    Seen = [{Pid, Each} || Result <- Found, {Pid, Each} <- seen(Result)],
    Skipped = lists:foldl(
        fun(Key, Acc) -> maps:update_with(Key, fun(Count) -> Count + 1 end, 1, Acc) end,
        #{},
        [Key || Result <- Found, Key <- skipped(Result)]
    ),
    #{
        tried => length([tried || {tried, _, _} <- Found]),
        failed => [{Pid, Module, Why} || {failed, Pid, Module, Why} <- Found],
        skipped => [{Module, Why, Count} || {{Module, Why}, Count} <- lists:sort(maps:to_list(Skipped))],
        funs => lists:sublist([{Pid, M, Name} || {Pid, #{funs := Funs}} <- Seen, {M, Name} <- Funs], ?NAMED),
        paths => lists:sublist([Pid || {Pid, #{path := true}} <- Seen], ?NAMED)
    }.

seen({tried, Pid, Seen}) -> [{Pid, Seen}];
seen({seen, Pid, Seen}) -> [{Pid, Seen}];
seen({skipped, _, _, Pid, Seen}) -> [{Pid, Seen}];
seen(_) -> [].

skipped({skipped, _Module, ended}) -> [];
skipped({skipped, Module, Why}) -> [{Module, Why}];
skipped({skipped, Module, Why, _, _}) -> [{Module, Why}];
skipped(_) -> [].
