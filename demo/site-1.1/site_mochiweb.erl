%% @doc The site served by mochiweb. Also says which version of the site answered.
-module(site_mochiweb).

-export([child/0, port/0, answer/1]).

child() ->
    Options = [{name, site_http}, {ip, "127.0.0.1"}, {port, 0}, {loop, {?MODULE, answer}}],
    #{
        id => http,
        start => {mochiweb_http, start_link, [Options]},
        modules => [mochiweb_socket_server]
    }.

port() ->
    mochiweb_socket_server:get(site_http, port).

answer(Request) ->
    "/" ++ Number = mochiweb_request:get(path, Request),
    mochiweb_request:ok({"text/plain", [{"X-Site", "1.1"}], Number}, Request).
