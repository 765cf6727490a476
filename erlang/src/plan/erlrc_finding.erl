%% @doc What a plan has to say: findings, in the shape in which they go to the binary.
-module(erlrc_finding).

-export([new/6, means/2, name/1, named/1, names/1, count/1, text/2]).
-export_type([finding/0, severity/0]).

-type severity() :: info | warning | error.
-type finding() :: #{
    kind := atom(),
    severity := severity(),
    %% What it is about: a module, a process, an application.
    subject := binary(),
    %% One sentence: what and where. And what to do.
    text := binary(),
    advice := binary(),
    details := #{atom() => term()},
    %% What the upgrade comes to, where that is not what the severity says.
    verdict => restart_application
}.

%% Of many processes, so many are named.
-define(NAMED, 10).

%% @doc A finding.
-spec new(atom(), severity(), iodata(), iodata(), iodata(), map()) -> finding().
new(Kind, Severity, Subject, Text, Advice, Details) ->
    #{
        kind => Kind,
        severity => Severity,
        subject => binary(Subject),
        text => binary(Text),
        advice => binary(Advice),
        details => Details
    }.

%% @doc The finding with a verdict of its own.
-spec means(restart_application, finding()) -> finding().
means(Verdict, Finding) ->
    Finding#{verdict => Verdict}.

%% @doc A process for a person: its registered name where it has one.
-spec name(pid()) -> binary().
name(Pid) ->
    case process_info(Pid, registered_name) of
        {registered_name, Name} -> text("~ts (~p)", [Name, Pid]);
        _ -> text("~p", [Pid])
    end.

%% @doc The first of these processes.
-spec named([pid()]) -> [binary()].
named(Pids) ->
    [name(Pid) || Pid <- lists:sublist(Pids, ?NAMED)].

%% @doc The same in a line.
-spec names([pid()]) -> iodata().
names(Pids) ->
    lists:join(", ", named(Pids)).

%% @doc How many processes these are.
-spec count([pid()]) -> iodata().
count([_]) -> "1 process";
count(Pids) -> text("~w processes", [length(Pids)]).

%% @doc Formatted text, cut where it becomes too long for a line.
-spec text(io:format(), [term()]) -> binary().
text(Format, Arguments) ->
    binary(io_lib:format(Format, Arguments, [{chars_limit, 400}])).

binary(Text) ->
    case unicode:characters_to_binary(Text) of
        Binary when is_binary(Binary) -> Binary;
        _ -> <<"?">>
    end.
