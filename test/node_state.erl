%% @doc What must be the same on a node before and after an operation that failed.
-module(node_state).

-export([take/2]).

%% @doc Code path, specifications, environments, running applications; the modules that come from `Dir'; and the
%% processes of the applications that run, with their states.
-spec take(peer:server_ref(), file:filename()) -> map().
take(Peer, Dir) ->
    Loaded = [App || {App, _, _} <- call(Peer, application, loaded_applications, [])],
    #{
        path => call(Peer, code, get_path, []),
        specifications => lists:sort([{App, specification(Peer, App)} || App <- Loaded]),
        running => lists:sort(call(Peer, application, which_applications, [])),
        modules => lists:sort([
            {Module, call(Peer, Module, module_info, [md5])}
         || {Module, File} <- call(Peer, code, all_loaded, []), is_list(File), lists:prefix(Dir, File)
        ]),
        processes => lists:sort([
            {Pid, state(Peer, Pid)}
         || Pid <- call(Peer, erlang, processes, []), belongs(Peer, Pid, Dir)
        ])
    }.

specification(Peer, App) ->
    {ok, Keys} = call(Peer, application, get_all_key, [App]),
    lists:sort(lists:keyreplace(env, 1, Keys, {env, lists:sort(proplists:get_value(env, Keys))})).

belongs(Peer, Pid, Dir) ->
    case call(Peer, proc_lib, initial_call, [Pid]) of
        {Module, _, _} ->
            case call(Peer, code, is_loaded, [Module]) of
                {file, File} -> is_list(File) andalso lists:prefix(Dir, File);
                false -> false
            end;
        false ->
            false
    end.

%% A suspended process answers as well; whether it is, is part of the state.
state(Peer, Pid) ->
    {status, _, _, [_, SysState, _, _, _]} = call(Peer, sys, get_status, [Pid]),
    {SysState, call(Peer, sys, get_state, [Pid])}.

call(Peer, Module, Function, Arguments) ->
    fixture:call(Peer, Module, Function, Arguments).
