%% @doc The top supervisor of erlrc. It owns `erlrc_table', so that what was rewritten and what was
%% stopped is known for as long as erlrc runs, whichever server below it dies; and until erlrc is stopped, if it dies
%% itself.
-module(erlrc_sup).
-behaviour(supervisor).

-export([start_link/0]).
-export([init/1]).

%% @doc Starts the supervisor.
-spec start_link() -> supervisor:startlink_ret().
start_link() ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, []).

%% @private
-spec init([]) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init([]) ->
    ok = create_table(),
    Children = [child(erlrc_watch), child(erlrc_listener), child(erlrc_registration)],
    {ok, {#{strategy => one_for_one, intensity => 5, period => 10}, Children}}.

child(Module) ->
    #{id => Module, start => {Module, start_link, []}}.

%% An upgrade of this module calls init/1 again in the same process. The table of a supervisor that was killed is there.
create_table() ->
    ok = erlrc_outcome:open(),
    case ets:whereis(erlrc_table) of
        undefined ->
            erlrc_table = ets:new(erlrc_table, [named_table, public, set, {read_concurrency, true} | heir()]),
            ok;
        _ ->
            _ = [true = ets:setopts(erlrc_table, Heir) || Heir <- heir(), ets:info(erlrc_table, owner) =:= self()],
            ok
    end.

heir() ->
    case whereis(erlrc_outcome) of
        undefined -> [];
        Keeper -> [{heir, Keeper, erlrc_table}]
    end.
