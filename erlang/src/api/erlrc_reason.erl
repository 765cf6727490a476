%% @doc Formats the parts of an error that do not come from erlrc: terms, names, and errors of files and of other
%% modules.
-module(erlrc_reason).

-export([names/1, parse/1, posix/1, term/1, text/2, why/1]).

-define(DEPTH, 60).

%% @doc Why a file of terms is refused.
-spec parse(term()) -> iodata().
parse({Line, Column, Text}) when is_integer(Line), is_integer(Column) ->
    text("line ~b, column ~b: ~ts", [Line, Column, why(Text)]);
parse({Line, Text}) when is_integer(Line) ->
    text("line ~b: ~ts", [Line, why(Text)]);
parse({appspec_override_wrong_arity, Entry}) ->
    text("an override is a pair {Key, Value}; ~ts is not", [term(Entry)]);
parse({appspec_override_refused, Key}) ->
    text("~ts cannot be overridden", [Key]);
parse({appspec_override_not_mergeable, Key}) ->
    text("the values of ~ts cannot be merged", [Key]);
parse({bad_key, Key}) ->
    text("the value of ~ts has the wrong type", [Key]);
parse({wrong_name, Found}) ->
    text("it is about ~ts", [Found]);
parse({term_count, Count}) ->
    text("holds ~b terms where one is expected", [Count]);
parse({bad_registration, Tag}) ->
    text("~ts must be ~ts", [Tag, registration(Tag)]);
parse(bad_format) ->
    "not of the form {application, Name, Keys}";
parse(not_an_application) ->
    parse(bad_format);
parse(bad_metadata) ->
    "not of the form {App, Vsn, Dir}";
parse(not_an_appup) ->
    "not of the form {Vsn, [{From, Instructions}], [{To, Instructions}]}";
parse({bad_instruction, Instruction}) ->
    text("~ts is no instruction", [term(Instruction)]);
parse({bad_pattern, Pattern}) ->
    text("~ts is no regular expression", [term(Pattern)]);
parse({larger_than, Limit}) ->
    text("larger than ~b bytes", [Limit]);
parse(not_a_regular_file) ->
    "not a regular file";
parse(Why) ->
    why(Why).

%% @doc The reason of another module: text, the error of a file, or any term.
-spec why(term()) -> iodata().
why(Text) when is_binary(Text) ->
    Text;
why([Char | _] = Text) when is_integer(Char) ->
    case io_lib:printable_unicode_list(Text) of
        true -> Text;
        false -> term(Text)
    end;
why({not_loaded, App}) when is_atom(App) ->
    text("~ts is not loaded", [App]);
why({not_started, App}) when is_atom(App) ->
    text("~ts does not run", [App]);
why({bad_return, {{Module, Function, Arguments}, Returned}}) ->
    Arity = length(Arguments),
    text("~ts:~ts/~b returned ~ts", [Module, Function, Arity, term(Returned)]);
why({Why, {Module, start, [_, _]}}) ->
    text("~ts:start/2 said ~ts", [Module, term(Why)]);
why(Posix) when is_atom(Posix) ->
    posix(Posix);
why(Why) ->
    term(Why).

%% @doc The error of a file.
-spec posix(term()) -> iodata().
posix(Reason) ->
    case file:format_error(Reason) of
        "unknown POSIX error" ++ _ -> term(Reason);
        Text -> Text
    end.

%% @doc Atoms as a list in a sentence.
-spec names([atom()]) -> iodata().
names(Apps) ->
    lists:join(", ", [atom_to_list(App) || App <- Apps]).

%% @doc Any term, cut if it is long: a reason may contain whole process states.
-spec term(term()) -> iodata().
term(Term) ->
    io_lib:format("~0tP", [Term, ?DEPTH]).

registration(enabled) -> "true or false";
registration(on_exit) -> "stay or halt";
registration(upgrade_policy) -> "a list of hot, restart_application and defer";
registration(migrate) -> "none, fields or lossy";
registration(_Tag) -> "another value".

%% @doc Text in the form in which `io_lib' returns it.
-spec text(io:format(), [term()]) -> iodata().
text(Format, Arguments) ->
    io_lib:format(Format, Arguments).
