%% @doc The site served by inets, also the callback module of its httpd.
-module(site_inets).

-include_lib("inets/include/httpd.hrl").

-export([child/0, port/0, do/1]).

%% httpd tells its port to nobody: take one that is free.
child() ->
    {ok, Socket} = gen_tcp:listen(0, [{ip, loopback}]),
    {ok, Port} = inet:port(Socket),
    ok = gen_tcp:close(Socket),
    ok = application:set_env(site, port, Port),
    Options = [
        {port, Port},
        {bind_address, {127, 0, 0, 1}},
        {server_name, "demo"},
        {server_root, "/"},
        {document_root, "/"},
        {socket_type, {ip_comm, [{nodelay, true}]}},
        {modules, [?MODULE]}
    ],
    #{id => http, start => {inets, start, [httpd, Options, stand_alone]}, modules => dynamic}.

port() ->
    {ok, Port} = application:get_env(site, port),
    Port.

do(#mod{request_uri = "/" ++ Number}) ->
    {proceed, [{response, {200, Number}}]}.
