%% @doc Says in a sentence what went wrong, where, why, and what to do next.
-module(erlrc_error).

-export([format_error/1, report/1]).

%% @doc One sentence for every reason that erlrc answers; a reason that it does not know is printed as it is.
-spec format_error(term()) -> string().
format_error(Reason) ->
    text("~tp", [Reason]).

%% @doc A log report as `logger' wants it.
-spec report(map()) -> {io:format(), [term()]}.
report(#{what := What} = Report) ->
    {"erlrc: ~tp ~tp", [What, maps:remove(what, Report)]}.

text(Format, Arguments) ->
    unicode:characters_to_list(io_lib:format(Format, Arguments)).
