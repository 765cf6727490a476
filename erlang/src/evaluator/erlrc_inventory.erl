%% @doc What a node lost because processes had to be killed: taken before the first is killed, compared when all run again
%% and supervisors have had time to start others.
%%
%% Compared are registered names, supervisors, listening ports, and how many processes there are that were started as
%% those that were killed.
-module(erlrc_inventory).

-export([take/1, gone/0]).
-export_type([lost/0]).

-type lost() ::
    {name, atom()} | {supervisor, module()} | {process, mfa()} | {listener, inet:ip_address(), inet:port_number()}.

%% Milliseconds.
-define(RESTARTS, 1000).
-define(REST, 20).

%% @doc Takes it for the operation that calls this, unless that was done; these are about to be killed.
-spec take([pid()]) -> ok.
take(Pids) ->
    {Before, Killed} =
        case get(?MODULE) of
            undefined -> {counted(), []};
            Taken -> Taken
        end,
    _ = put(?MODULE, {Before, [Label || Pid <- Pids, {process, _} = Label <- labels(Pid)] ++ Killed}),
    ok.

%% @doc What is gone since, and forgets what it was compared with.
-spec gone() -> [{gone, lost()}].
gone() ->
    case erase(?MODULE) of
        undefined -> [];
        Taken -> gone(Taken, erlang:monotonic_time(millisecond) + ?RESTARTS)
    end.

gone({Before, Killed} = Taken, Deadline) ->
    Now = counted(),
    Fewer = [Label || {Label, Count} <- maps:to_list(Before), maps:get(Label, Now, 0) < Count, counts(Label, Killed)],
    case Fewer =:= [] orelse erlang:monotonic_time(millisecond) >= Deadline of
        true ->
            [{gone, Label} || Label <- lists:sort(Fewer)];
        false ->
            receive
            after ?REST -> gone(Taken, Deadline)
            end
    end.

counts({process, _} = Label, Killed) -> lists:member(Label, Killed);
counts(_Label, _Killed) -> true.

counted() ->
    Labels = lists:append([labels(Pid) || Pid <- processes()]) ++ lists:append([listener(Port) || Port <- erlang:ports()]),
    lists:foldl(fun(Label, Acc) -> maps:update_with(Label, fun(N) -> N + 1 end, 1, Acc) end, #{}, Labels).

labels(Pid) ->
    case process_info(Pid, [registered_name, dictionary, initial_call]) of
        [{_, Registered}, {_, Dictionary}, {_, Initial}] ->
            Names = [{name, Registered} || is_atom(Registered)],
            [started(proplists:get_value('$initial_call', Dictionary, Initial)) | Names];
        undefined ->
            []
    end.

started({supervisor, Module, _}) -> {supervisor, Module};
started(Initial) -> {process, Initial}.

listener(Port) ->
    case {erlang:port_info(Port, name), inet:sockname(Port)} of
        {{name, "tcp_inet"}, {ok, {Address, Number}}} -> [{listener, Address, Number} || is_listening(Port)];
        _ -> []
    end.

is_listening(Port) ->
    case prim_inet:getstatus(Port) of
        {ok, Status} -> lists:member(listen, Status);
        _ -> false
    end.
