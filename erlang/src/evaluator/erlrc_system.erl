%% @doc System messages, sys(3), to many processes at once: all requests are sent, then all answers collected.
%%
%% The messages are those that `sys' itself sends. An answer that nobody wants goes to a process that is dead already,
%% so that a state, which some requests answer with, is never copied.
-module(erlrc_system).

-export([nobody/0, tell/3, ask/4, ask_sign_of_life/2, ask_when_done/3, answers/1, collect/3, settle/3, culprit/1, is_suspended/1, is_server/1]).
-export_type([answers/0]).

-type answers() :: #{left := non_neg_integer(), answered := [term()], errors := [{term(), term()}]}.

%% @doc A process that is dead, to address unwanted answers to.
-spec nobody() -> pid().
nobody() ->
    case get(?MODULE) of
        undefined ->
            {Pid, Ref} = spawn_monitor(fun() -> ok end),
            receive
                {'DOWN', Ref, process, Pid, _} -> ok
            end,
            put(?MODULE, Pid),
            Pid;
        Pid ->
            Pid
    end.

%% @doc Sends a request whose answer is not wanted.
-spec tell(pid(), pid(), term()) -> ok.
tell(Pid, Nobody, Request) ->
    Pid ! {system, {Nobody, erlrc}, Request},
    ok.

%% @doc Sends a request; its answer is collected under `Ref' as `Key'.
-spec ask(pid(), reference(), term(), term()) -> ok.
ask(Pid, Ref, Key, Request) ->
    Pid ! {system, {self(), {Ref, Key}}, Request},
    ok.

%% @doc Sends a request that changes nothing and has a short answer, which is collected as the process.
-spec ask_sign_of_life(pid(), reference()) -> ok.
ask_sign_of_life(Pid, Ref) ->
    ask(Pid, Ref, Pid, {debug, {statistics, get}}).

%% @doc Sends a request that changes nothing, whether the process stands or runs, and is answered with `ok' when all requests
%% before it have been carried out.
-spec ask_when_done(pid(), reference(), term()) -> ok.
ask_when_done(Pid, Ref, Key) ->
    ask(Pid, Ref, Key, {debug, {remove, ?MODULE}}).

%% @doc No answers yet, that many to come.
-spec answers(non_neg_integer()) -> answers().
answers(Left) ->
    #{left => Left, answered => [], errors => []}.

%% @doc Collects until nothing is left to come, or nothing has come for `Wait' milliseconds.
-spec collect(reference(), answers(), timeout()) -> answers().
collect(_Ref, #{left := 0} = Answers, _Wait) ->
    Answers;
collect(Ref, #{left := Left, answered := Answered, errors := Errors}, Wait) ->
    collect(Ref, Left, Answered, Errors, Wait).

collect(_Ref, 0, Answered, Errors, _Wait) ->
    #{left => 0, answered => Answered, errors => Errors};
collect(Ref, Left, Answered, Errors, Wait) ->
    receive
        {{Ref, Key}, ok} -> collect(Ref, Left - 1, [Key | Answered], Errors, Wait);
        {{Ref, Key}, Error} -> collect(Ref, Left - 1, [Key | Answered], [{Key, Error} | Errors], Wait)
    after Wait ->
        #{left => Left, answered => Answered, errors => Errors}
    end.

%% @doc Takes answers that matter to nobody, until all are there or none has come for `Wait' milliseconds.
-spec settle(reference(), non_neg_integer(), timeout()) -> ok.
settle(_Ref, 0, _Wait) ->
    ok;
settle(Ref, Left, Wait) ->
    receive
        {{Ref, _Key}, _} -> settle(Ref, Left - 1, Wait)
    after Wait -> ok
    end.

%% @doc What a person wants to know of a process that does not answer.
-spec culprit(pid()) -> map().
culprit(Pid) ->
    Items = [registered_name, current_function, current_stacktrace, message_queue_len],
    case process_info(Pid, Items) of
        undefined -> #{pid => Pid};
        Info -> maps:from_list([{pid, Pid} | [Entry || {_, Value} = Entry <- Info, Value =/= []]])
    end.

%% @doc Whether a process stands suspended. One that hibernates cannot be told from one that hibernates and runs.
-spec is_suspended(pid()) -> boolean().
is_suspended(Pid) ->
    case process_info(Pid, current_function) of
        {_, {sys, Function, _}} -> Function =:= suspend_loop orelse Function =:= suspend_loop_hib;
        _ -> false
    end.

%% @doc Whether a process is one of a behaviour with callbacks, told by what proc_lib keeps.
-spec is_server(pid()) -> boolean().
is_server(Pid) ->
    case process_info(Pid, dictionary) of
        {_, Dictionary} -> is_behaviour(proplists:get_value('$initial_call', Dictionary));
        undefined -> false
    end.

is_behaviour({supervisor, _, _}) ->
    true;
is_behaviour({Module, init, 1}) ->
    lists:any(fun({F, A}) -> erlang:function_exported(Module, F, A) end, [{handle_call, 3}, {callback_mode, 0}]);
is_behaviour(_Other) ->
    false.
