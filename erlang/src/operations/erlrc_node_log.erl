%% @doc What comes of an operation stands in the node's own log, as OTP has set it up, and in words.
%%
%% The events of {@link erlrc_events} have the domain `[erlrc]'. The filters with which OTP starts the handler `default'
%% drop every domain but its own: so the handler is given one more, for events that are no mere stages. A handler whose
%% filters somebody else has chosen is left alone.
-module(erlrc_node_log).

-export([open/0, close/0, filter/2, sentence/1]).

-define(FILTER, erlrc).

%% @doc Has the handler `default' take what comes of operations, if it would drop it.
-spec open() -> ok.
open() ->
    case logger:get_handler_config(default) of
        {ok, #{filter_default := stop, filters := Filters}} ->
            _ = [logger:add_handler_filter(default, ?FILTER, {fun ?MODULE:filter/2, none}) || is_of_otp(Filters)],
            ok;
        _ ->
            ok
    end.

is_of_otp(Filters) ->
    not lists:keymember(?FILTER, 1, Filters) andalso
        [remote_gl, domain, no_domain] =:= [Id || {Id, _} <- Filters].

%% @doc Takes the filter out again.
-spec close() -> ok.
close() ->
    _ = logger:remove_handler_filter(default, ?FILTER),
    ok.

%% @private
-spec filter(logger:log_event(), term()) -> logger:filter_return().
filter(#{level := Level, meta := #{domain := [erlrc | _]}} = Event, _) when Level =/= info, Level =/= debug -> Event;
filter(_Event, _) -> ignore.

%% @doc An event as one sentence.
-spec sentence(logger:report()) -> {io:format(), [term()]}.
sentence(#{event := Event} = Report) ->
    {"erlrc: ~ts", [erlrc_reason:text("~ts~ts", [about(Report), words(Event, Report)])]}.

about(#{application := App, from := From, to := To}) -> erlrc_reason:text("~ts ~ts -> ~ts: ", [names(App), From, To]);
about(#{application := App}) -> erlrc_reason:text("~ts: ", [names(App)]);
about(_Report) -> "".

names([_ | _] = Apps) -> erlrc_reason:names(Apps);
names(App) -> erlrc_reason:term(App).

words(upgraded, #{direction := down} = Report) -> ["downgraded", pause(Report)];
words(upgraded, Report) -> ["upgraded", pause(Report)];
words(failed, #{reason := Reason}) -> ["failed: ", erlrc_error:format_error(Reason)];
words(rolled_back, #{left := [], from := From}) -> ["rolled back, ", From, " runs on"];
words(rolled_back, #{left := Left}) -> ["rolled back as far as that is possible, what is left: ", erlrc_reason:term(Left)];
words(killed_for_old_code, #{killed := Killed}) ->
    Each = [[Name, " (", atom_to_list(Module), ")"] || {Name, Module} <- Killed],
    ["killed, for they still ran code that had to go: ", lists:join(", ", Each)];
words(Event, Report) ->
    [erlrc_reason:term(Event), " ", erlrc_reason:term(maps:without([event, application, direction, from, to], Report))].

pause(#{timings := #{pause := Microseconds}}) when Microseconds > 0 ->
    io_lib:format("; processes were suspended for ~.1f ms at most", [Microseconds / 1000]);
pause(_Report) ->
    "".
