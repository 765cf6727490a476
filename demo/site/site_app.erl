%% @doc A web site that answers `GET /N' with `N', served by mochiweb or inets.
-module(site_app).
-behaviour(application).
-behaviour(supervisor).

-export([start/2, stop/1, init/1]).

start(_Type, _Args) ->
    {ok, Supervisor} = supervisor:start_link({local, site_sup}, ?MODULE, []),
    {ok, File} = application:get_env(site, port_file),
    {ok, Server} = application:get_env(site, server),
    Port =
        case Server of
            mochiweb -> site_mochiweb:port();
            inets -> site_inets:port()
        end,
    ok = file:write_file([File, ".new"], integer_to_list(Port)),
    ok = file:rename([File, ".new"], File),
    {ok, Supervisor}.

stop(_State) ->
    ok.

init([]) ->
    {ok, Server} = application:get_env(site, server),
    Module = list_to_existing_atom("site_" ++ atom_to_list(Server)),
    {ok, {#{strategy => one_for_one}, [Module:child()]}}.
