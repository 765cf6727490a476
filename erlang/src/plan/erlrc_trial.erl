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
    paths := [pid()],
    %% Processes whose states are too large for all of it to be searched.
    cut := [pid()],
    %% Records of an earlier size that the state holds after `code_change', or that it holds and was not tried.
    records := [{pid(), stays | untried, erlrc_look:shape()}],
    %% Callbacks of which no clause takes the state that `code_change' makes.
    refused := [{pid(), module(), {atom(), arity()}}]
}.

-record(trial, {
    %% What is told to those that run a module: version and extra; and who is called.
    modules :: #{module() => {Vsn :: term(), Extra :: term()}},
    callbacks :: #{module() => callback() | {skip, term()}},
    %% Whether the conversion of each may be tried.
    conversions :: #{module() => {loaded, CallsFuns :: boolean()} | {skip, term()}},
    heads :: #{module() => erlrc_heads:change()},
    %% Funs of modules that change, files of the old directory.
    wanted :: erlrc_look:wanted(),
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
run(Changes, Targets, Options) ->
    Conversions = [{Module, element(1, erlrc_conversion:parts(Vsn, Extra))} || {Module, Vsn, Extra, _} <- Changes],
    erlrc_migrator:with_trial([Conversion || {_, Conversion} <- Conversions], fun(Tried) ->
        May = maps:from_list([{Module, erlrc_migrator:may(Conversion, Tried)} || {Module, Conversion} <- Conversions]),
        Converted = [Module || {Module, Each} <- Conversions, Each =/= no],
        try_all(Changes, Targets, Options#{conversions => May, converted => Converted})
    end).

try_all(Changes, Targets, #{changed := Changed, directory := Directory, converted := Converted} = Options) ->
    All = [{Pid, Kind, called(Target)} || {Pid, #{kind := Kind} = Target} <- maps:to_list(Targets)],
    {Todo, Others} = lists:partition(fun({_, Kind, Mods}) -> is_tried(Kind, Mods, Converted) end, All),
    Special = [{Module, special_process} || {_, special, Mods} <- Others, {Module, _} <- Mods],
    Callbacks = callbacks([Each || {_, _, Mods} <- Todo, Each <- Mods], Changes),
    Trial = #trial{
        modules = maps:from_list([{Module, {Vsn, Extra}} || {Module, Vsn, Extra, _} <- Changes]),
        callbacks = Callbacks,
        conversions = maps:get(conversions, Options),
        %% Going down the code that will run is not the one that is tried.
        heads = erlrc_heads:of_changes([{Module, File} || {Module, Vsn, _, File} <- Changes, not is_down(Vsn)]),
        wanted = erlrc_look:wanted(Changed, Directory, maps:get(records, Options, #{})),
        nobody = erlrc_system:nobody(),
        max_words = maps:get(max_state_words, Options, ?MAX_WORDS),
        wait = maps:get(state_wait, Options, ?STATE_WAIT)
    },
    try
        Found = coordinate(chunks(Todo), Trial, maps:get(deadline, Options)),
        summary(Found ++ [{skipped, Module, Why} || {Module, Why} <- Special])
    after
        [forget(Shadow) || {Shadow, _} <- maps:values(Callbacks), Shadow =/= skip]
    end.

is_down({down, _}) -> true;
is_down(_Vsn) -> false.

%% The modules of a process with the callback module that is called for each: a server's own, whatever module is said to
%% change.
called(#{modules := Modules, own := Own}) -> [{Module, Own} || Module <- Modules];
called(#{modules := Modules}) -> [{Module, Module} || Module <- Modules].

%% A special process gives its state away unless it says itself what that is, and then what it says is what erlrc converts;
%% another's module is not asked.
is_tried(special, [{Module, _}], Converted) -> is_special(Module) andalso (lists:member(Module, Converted) orelse not hides(Module));
is_tried(Kind, _Modules, _Converted) -> Kind =:= server orelse Kind =:= event_manager.

hides(Module) -> erlang:function_exported(Module, system_replace_state, 2).

%% @doc The name that a module has while it is tried: its own with a mark, so that no second trial makes another atom.
-spec shadow(module()) -> module().
shadow(Module) ->
    list_to_atom(atom_to_list(Module) ++ "$trial").

%% Of a callback module that does not change itself the code that runs is called.
callbacks(Called, Changes) ->
    Changed = maps:from_list([{Module, File} || {Module, _, _, File} <- Changes]),
    Own = lists:usort([Own || {Module, Own} <- Called, is_map_key(Module, Changed)]),
    maps:from_list([{Module, load(Module, maps:get(Module, Changed, code:which(Module)))} || Module <- Own]).

load(Module, File) when is_list(File) ->
    Shadow = shadow(Module),
    case erlrc_engine:shadow(File, Shadow, [{code_change, 3}, {code_change, 4}, {system_code_change, 4}]) of
        {ok, {Beam, Functions}} ->
            case effects([Each || Each <- Functions, Each =/= not_exported]) of
                {harmless, CallsFuns} -> loaded(Shadow, File, Beam, CallsFuns);
                {effects, Effects} -> {skip, {has_effects, Effects}}
            end;
        {error, Why} ->
            {skip, Why}
    end;
load(_Module, _From) ->
    {skip, no_file}.

effects(Functions) ->
    case lists:usort(lists:append([Effects || #{effects := Effects} <- Functions])) of
        [] -> {harmless, lists:any(fun(#{calls_funs := Calls}) -> Calls end, Functions)};
        Effects -> {effects, Effects}
    end.

loaded(Shadow, File, Beam, CallsFuns) ->
    case code:load_binary(Shadow, File, Beam) of
        {module, Shadow} -> {Shadow, CallsFuns};
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
            Failed = [{failed, Pid, first(Mods), died(Why)} || {Pid, _, Mods} <- Culprits],
            next(Rest, [Left || Left =/= []] ++ Later, Trial, Deadline, Failed ++ Found)
    after ?STEP ->
        stalled(Workers, Later, Trial, Deadline, Found)
    end.

first([{Module, _} | _]) -> Module.

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
    [{skipped, first(Mods), out_of_time} || Chunk <- Chunks, {_, _, Mods} <- Chunk].

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
    _ = [erlrc_system:tell(Pid, Nobody, {replace_state, Ask}) || {Pid, Kind, _} <- Chunk, Kind =/= event_manager],
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
                try_state(Pid, {Module, Module}, State, Trial)
             || {Module, _Id, State} <- Handlers, lists:keymember(Module, 1, Modules)
            ])
    catch
        exit:_ -> not_answering(Pid, first(Modules))
    end;
one({Pid, _Kind, Modules}, Ref, Until, Trial) ->
    receive
        {Ref, Pid, {state, State}} -> worst([try_state(Pid, Module, State, Trial) || Module <- Modules]);
        {Ref, Pid, {too_large, Size}} -> {skipped, first(Modules), {state_too_large, Size}}
    after max(0, Until - erlang:monotonic_time(millisecond)) ->
        not_answering(Pid, first(Modules))
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

try_state(Pid, {Module, Own}, State, #trial{modules = Modules, callbacks = Callbacks, conversions = Conversions, wanted = Wanted} = Trial) ->
    Seen = erlrc_look:at(State, Wanted, erlrc_look:new(?LOOKS)),
    case {Modules, Callbacks, maps:get(Module, Conversions, none)} of
        {#{Module := _}, _, {skip, Why}} ->
            {skipped, Module, Why, Pid, Seen};
        {#{Module := _}, #{Own := {skip, Why}}, _} ->
            {skipped, Module, Why, Pid, Seen};
        {#{Module := {Vsn, Extra}}, #{Own := {_, CallsFuns} = Callback}, {loaded, MigratorCallsFuns}} ->
            case (CallsFuns orelse MigratorCallsFuns) andalso erlrc_look:may_hold_funs(Seen) of
                true -> {skipped, Module, funs_in_state, Pid, Seen};
                false ->
                    Changed = change(Callback, Module, Vsn, State, Extra),
                    Refused = refused(Changed, {Module, Own}, State, Trial),
                    outcome(Changed, {Pid, Module, Refused}, Seen, Wanted)
            end;
        _ ->
            {seen, Pid, Seen, erlrc_look:records(Seen)}
    end.

outcome({ok, New}, {Pid, _Module, Refused}, Seen, Wanted) ->
    {tried, Pid, Seen, erlrc_look:records(erlrc_look:at(New, Wanted, erlrc_look:new(?LOOKS))), Refused};
outcome({error, Why}, {Pid, Module, _Refused}, _Seen, _Wanted) ->
    {failed, Pid, Module, Why}.

refused({ok, New}, {Module, Module}, State, #trial{heads = Heads, callbacks = Callbacks}) when is_map_key(Module, Heads) ->
    #{Module := {Shadow, _}} = Callbacks,
    [{Module, Each} || Each <- erlrc_heads:lost(maps:get(Module, Heads), data(Shadow, State), New)];
refused(_Changed, _Modules, _State, _Trial) ->
    [].

%% A machine's callbacks are given its data.
data(Shadow, State) ->
    case {erlang:function_exported(Shadow, code_change, 4), State} of
        {true, {_Name, Data}} -> Data;
        _ -> State
    end.

%% As gen_server, gen_event, gen_statem and sys judge the answer.
change(Callback, Module, Vsn, State, Extra) ->
    {Conversion, Call} = erlrc_conversion:parts(Vsn, Extra),
    case Conversion =:= no orelse erlrc_conversion:convert(Module, erlrc_migrator:for(trial, Conversion), State) of
        true -> call(Callback, Module, Vsn, State, Call);
        {ok, Converted} -> call(Callback, Module, Vsn, Converted, after_conversion(Module, Call));
        {error, _} = Error -> Error
    end.

%% A special process that hides what is around its state is not asked for that: its `system_code_change' gives all of it back,
%% else there would be no conversion.
after_conversion(Module, Call) ->
    case is_special(Module) andalso hides(Module) of
        true -> none;
        false -> Call
    end.

call(_Callback, _Module, _Vsn, State, none) ->
    {ok, State};
call({Shadow, _}, Module, Vsn, State, {extra, Extra}) ->
    try changed(Shadow, Module, Vsn, State, Extra) of
        {ok, New} -> {ok, New};
        {ok, _, New} -> {ok, New};
        Other -> {error, {bad_return, Other}}
    catch
        throw:{ok, New} -> {ok, New};
        _:Why:Stack -> {error, {Why, lists:sublist(Stack, 2)}}
    end.

%% A module that handles system messages itself has this one, and then its processes have no other state.
changed(Shadow, Module, Vsn, State, Extra) ->
    case {is_special(Shadow), erlang:function_exported(Shadow, code_change, 4), State} of
        {true, _, _} -> Shadow:system_code_change(State, Module, Vsn, Extra);
        {false, true, {Name, Data}} -> Shadow:code_change(Vsn, Name, Data, Extra);
        {false, _, _} -> Shadow:code_change(Vsn, State, Extra)
    end.

is_special(Module) ->
    erlang:function_exported(Module, system_code_change, 4).

summary(Found) ->
    Seen = [{Pid, erlrc_look:found(Each)} || Result <- Found, {Pid, Each} <- seen(Result)],
    Skipped = lists:foldl(
        fun(Key, Acc) -> maps:update_with(Key, fun(Count) -> Count + 1 end, 1, Acc) end,
        #{},
        [Key || Result <- Found, Key <- skipped(Result)]
    ),
    #{
        tried => length([tried || {tried, _, _, _, _} <- Found]),
        refused => [{Pid, Module, Callback} || {tried, Pid, _, _, Refused} <- Found, {Module, Callback} <- Refused],
        records => lists:append([stale(Result) || Result <- Found]),
        failed => [{Pid, Module, Why} || {failed, Pid, Module, Why} <- Found],
        skipped => [{Module, Why, Count} || {{Module, Why}, Count} <- lists:sort(maps:to_list(Skipped))],
        funs => lists:sublist([{Pid, M, Name} || {Pid, {Funs, _}} <- Seen, {M, Name} <- Funs], ?NAMED),
        paths => lists:sublist([Pid || {Pid, {_, true}} <- Seen], ?NAMED),
        cut => lists:usort([Pid || Result <- Found, {Pid, Each} <- seen(Result), not erlrc_look:is_complete(Each)])
    }.

stale({tried, Pid, _, Records, _}) -> [{Pid, stays, Record} || Record <- Records];
stale({seen, Pid, _, Records}) -> [{Pid, stays, Record} || Record <- Records];
stale({skipped, _, _, Pid, Seen}) -> [{Pid, untried, Record} || Record <- erlrc_look:records(Seen)];
stale(_) -> [].

seen({tried, Pid, Seen, _, _}) -> [{Pid, Seen}];
seen({seen, Pid, Seen, _}) -> [{Pid, Seen}];
seen({skipped, _, _, Pid, Seen}) -> [{Pid, Seen}];
seen(_) -> [].

skipped({skipped, _Module, ended}) -> [];
skipped({skipped, Module, Why}) -> [{Module, Why}];
skipped({skipped, Module, Why, _, _}) -> [{Module, Why}];
skipped(_) -> [].
