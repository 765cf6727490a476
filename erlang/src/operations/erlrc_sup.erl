%% @doc The top supervisor of erlrc. It owns `erlrc_table', so that what was rewritten and what was
%% stopped is known for as long as erlrc runs, whichever server below it dies.
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

%% An upgrade of this module calls init/1 again in the same process.
create_table() ->
    case ets:whereis(erlrc_table) of
        undefined ->
            Options = [named_table, public, set, {read_concurrency, true}],
            erlrc_table = ets:new(erlrc_table, Options),
            ok;
        _ ->
            ok
    end.
