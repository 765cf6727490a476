%% @doc Checks the requests of the command. Nothing in a request is trusted, and only the name of an application becomes
%% an atom.
-module(erlrc_request).

-export([checked/1, deadline/1, id/1]).
-export_type([checked/0]).

%% The longest name of an operation, in bytes.
-define(ID, 64).
%% Applications of one request.
-define(CHANGES, 10000).

-type checked() ::
    {ok, #{operation := atom(), _ => _}}
    | {dry_run | live_plan, checked()}
    | {error, term()}.

%% @doc How long the caller will wait. {@link checked/1} refuses a value that is not a number.
-spec deadline(erlrc_hook:request()) -> erlrc_deadline:deadline().
deadline(#{patience := Patience}) when is_integer(Patience), Patience > 0 -> erlrc_deadline:in(Patience);
deadline(_Request) -> infinity.

%% @doc The name that the caller gave to the operation, by which it can ask for the outcome. {@link checked/1} refuses a
%% value that is not a name.
-spec id(erlrc_hook:request()) -> #{id => erlrc_outcome:id()}.
id(#{id := Id}) when is_binary(Id), byte_size(Id) > 0, byte_size(Id) =< ?ID -> #{id => Id};
id(_Request) -> #{}.

%% @doc The requested operation, or why the request is refused.
-spec checked(erlrc_hook:request()) -> checked().
checked(Request) ->
    case [Key || Key <- [patience, id], not is_bound(Key, Request)] of
        [] -> meant(Request);
        [patience] -> {error, {bad_option, patience, maps:get(patience, Request)}};
        [Key | _] -> {error, {bad_argument, Key}}
    end.

is_bound(patience, #{patience := Patience}) -> is_integer(Patience) andalso Patience > 0;
is_bound(id, #{id := _} = Request) -> id(Request) =/= #{};
is_bound(_Key, _Request) -> true.

%% An operation of its own and not an option, because a node that does not know it must refuse it instead of carrying it
%% out.
meant(#{operation := dry_run, 'of' := Operation}) when
    Operation =:= confirm; Operation =:= revert; Operation =:= prolong; Operation =:= settle
->
    {error, {unknown_operation, {dry_run, Operation}}};
meant(#{operation := dry_run, 'of' := Operation} = Request) ->
    {dry_run, meant(Request#{operation := Operation})};
meant(#{operation := outcome, id := Id}) ->
    {ok, #{operation => outcome, id => Id}};
meant(#{operation := outcome}) ->
    {error, {missing, id}};
meant(#{operation := Question}) when
    Question =:= status; Question =:= progress; Question =:= health; Question =:= boot_times
->
    {ok, #{operation => Question}};
meant(#{operation := live_plan, 'of' := Operation} = Request) when Operation =:= upgrade; Operation =:= downgrade ->
    {live_plan, meant(Request#{operation := Operation})};
meant(#{operation := Operation, changes := Changes} = Request) when
    Operation =:= change; Operation =:= confirm; Operation =:= revert; Operation =:= prolong
->
    several(Request, changes(Changes));
meant(#{operation := Operation, application := Name} = Request) ->
    case {lists:member(Operation, operations()), application_name(Name)} of
        {true, {ok, App}} -> arguments(Request, #{operation => Operation, application => App});
        {true, error} -> {error, {bad_application_name, Name}};
        {false, _} -> {error, {unknown_operation, Operation}}
    end;
meant(_Request) ->
    {error, incomplete_request}.

%% Each is an operation of its own, but for the options, which are those of all.
changes([_ | _] = Changes) when length(Changes) =< ?CHANGES ->
    Meant = [change(Change) || Change <- Changes],
    case [Error || {error, _} = Error <- Meant] of
        [] -> {ok, [Operation || {ok, Operation} <- Meant]};
        [Error | _] -> Error
    end;
changes(_Changes) ->
    {error, {bad_argument, changes}}.

change(#{operation := Operation} = Change) when
    Operation =:= upgrade; Operation =:= downgrade; Operation =:= start; Operation =:= stop
->
    meant(maps:remove(options, Change));
change(_Change) ->
    {error, {bad_argument, changes}}.

several(#{operation := Operation} = Request, {ok, Changes}) ->
    case arguments(maps:with([options, held], Request), #{operation => Operation, changes => Changes}) of
        {ok, _} = Meant -> Meant;
        {error, _} = Error -> Error
    end;
several(_Request, {error, _} = Error) ->
    Error.

operations() ->
    [start, stop, unload, upgrade, downgrade, confirm, revert, prolong, settle, running, code, versions].

application_name(Name) when is_atom(Name) ->
    checked_name(atom_to_binary(Name));
application_name(Name) when is_binary(Name) ->
    checked_name(Name);
application_name(_Name) ->
    error.

checked_name(<<First, Rest/binary>> = Name) when First >= $a, First =< $z, byte_size(Name) < 256 ->
    case lists:all(fun is_name_char/1, binary_to_list(Rest)) of
        true -> {ok, binary_to_atom(Name)};
        false -> error
    end;
checked_name(_Name) ->
    error.

is_name_char(Char) ->
    (Char >= $a andalso Char =< $z) orelse (Char >= $A andalso Char =< $Z) orelse (Char >= $0 andalso Char =< $9) orelse
        Char =:= $_ orelse Char =:= $@.

arguments(Request, Operation) ->
    Texts = [{Key, Value} || {Key, Value} <- maps:to_list(Request), lists:member(Key, texts())],
    Needed = case Operation of #{changes := _} -> []; #{operation := Name} -> needed(Name) end,
    Missing = Needed -- [Key || {Key, _} <- Texts],
    Bad = [Key || {Key, Value} <- Texts, not is_text(Value)],
    case {Missing, Bad, options(Request)} of
        {[], [], {ok, Options}} ->
            Known = [{Key, unicode:characters_to_list(Value)} || {Key, Value} <- Texts],
            {ok, maps:merge(Operation#{options => Options}, maps:from_list(Known))};
        {[Key | _], _, _} ->
            {error, {missing, Key}};
        {_, [Key | _], _} ->
            {error, {bad_argument, Key}};
        {_, _, {error, _} = Error} ->
            Error
    end.

texts() ->
    [vsn, dir, from, to, from_dir, to_dir, held].

needed(settle) -> [];
needed(running) -> [];
needed(code) -> [];
needed(versions) -> [];
needed(Operation) when Operation =:= start; Operation =:= stop; Operation =:= unload -> [vsn];
needed(_Operation) -> [from, to].

is_text(Value) when is_binary(Value), byte_size(Value) =< 4096 ->
    is_list(unicode:characters_to_list(Value));
is_text(_Value) ->
    false.

options(#{options := Options}) when is_map(Options) ->
    case [Key || {Key, Value} <- maps:to_list(Options), not is_option(Key, Value)] of
        [] -> {ok, maps:map(fun option/2, over(Options))};
        [Key | _] -> {error, {bad_option, Key, maps:get(Key, Options)}}
    end;
options(_Request) ->
    {ok, #{}}.

%% The evaluators check their own options.
is_option(max_pause, Value) -> is_integer(Value) andalso Value >= 0;
%% With what happens when the time is over: a pair, because a node that confirms always refuses what is no number.
is_option(hold, {Time, Over}) -> is_time(Time) andalso (Over =:= <<"confirm">> orelse Over =:= <<"revert">>);
is_option(hold, Time) -> is_time(Time);
is_option(over, _Value) -> false;
is_option(old_code, Value) -> lists:member(Value, [<<"wait">>, <<"kill">>, wait, kill]);
is_option(appup, Value) -> Value =:= shipped orelse Value =:= generated;
is_option(preflight, Value) -> lists:member(Value, [<<"strict">>, <<"warn">>, <<"off">>]);
is_option(migrate, Value) -> lists:member(Value, [<<"none">>, <<"fields">>, <<"lossy">>]);
is_option(way_back, Value) -> is_boolean(Value);
%% Service and version, for people.
is_option(release, Value) -> is_text(Value) andalso length(string:lexemes(Value, " ")) =:= 2;
is_option(_Key, _Value) -> true.

%% A receive can wait for so long.
is_time(Time) -> is_integer(Time) andalso Time >= 0 andalso Time < 1 bsl 32.

over(#{hold := {Time, <<"revert">>}} = Options) -> Options#{hold := Time, over => revert};
over(#{hold := {Time, <<"confirm">>}} = Options) -> Options#{hold := Time};
over(Options) -> Options.

option(evaluator, <<"transactional">>) -> transactional;
option(evaluator, <<"release_handler">>) -> release_handler;
option(old_code, <<"kill">>) -> kill;
option(old_code, <<"wait">>) -> wait;
option(preflight, <<"strict">>) -> strict;
option(preflight, <<"warn">>) -> warn;
option(preflight, <<"off">>) -> off;
option(migrate, <<"none">>) -> none;
option(migrate, <<"fields">>) -> fields;
option(migrate, <<"lossy">>) -> lossy;
option(_Key, Value) -> Value.
