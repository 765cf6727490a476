%% @doc Plans of what is not made for tests: every application of the installed OTP built anew, releases of third-party
%% applications from Debian's packages, and the page in a browser. Nothing of them is run.
-module(plan_system_SUITE).
-include_lib("common_test/include/ct.hrl").

-export([all/0, suite/0, otp_put_together/1, otp_built_anew/1, later_otp/1, releases/1, page/1, status_page/1]).

%% What a plan says of releases that were looked at by hand and found true: three servers got fields that
%% their `code_change' does not add.
-define(RELEASES, [
    {"p1_mysql", [{<<"state_not_migrated">>, <<"p1_mysql_conn">>}]},
    {"p1_oauth2", []},
    {"stun", [{<<"state_not_migrated">>, <<"stun">>}, {<<"state_not_migrated">>, <<"turn">>}]},
    {"p1_utils", []},
    {"mochiweb", []}
]).

%% Kernel and the like cannot be replaced, funs that are kept die with the code, a native library is loaded once more,
%% and so is run what a supervisor does before it answers.
-define(TRUE_OF_ANY_CHANGE, [
    <<"system_application">>, <<"funs_kept">>, <<"loads_nif">>, <<"on_load">>, <<"init_repeats">>, <<"init_fails_again">>
]).

suite() -> [{timetrap, {minutes, 15}}].

all() -> [otp_put_together, otp_built_anew, later_otp, releases, page, status_page].

%% Nothing is said of the same code in other files.
otp_put_together(Config) ->
    Dir = ?config(priv_dir, Config),
    Apps = [App || App <- applications(), code:lib_dir(App) =/= {error, bad_name}],
    true = length(Apps) > 20,
    _ = [said_nothing(App, Dir) || App <- Apps].

applications() ->
    Dirs = filelib:wildcard(filename:join(code:lib_dir(), "*-*/ebin/*.app")),
    [list_to_atom(filename:basename(File, ".app")) || File <- Dirs].

said_nothing(App, Dir) ->
    Old = code:lib_dir(App),
    New = filename:join([Dir, "again", App]),
    rebuild(filename:join(Old, "ebin"), filename:join(New, "ebin")),
    #{<<"plans">> := [#{<<"findings">> := Findings}]} = plan(App, Old, New),
    %% True, and not of the code: kernel and the like cannot be replaced, versions beside the copies are none.
    Said = [F || #{<<"kind">> := Kind} = F <- Findings, Kind =/= <<"system_application">>],
    {App, []} = {App, Said}.

rebuild(From, To) ->
    ok = filelib:ensure_path(To),
    Beams = filelib:wildcard(filename:join(From, "*.beam")),
    _ = [{ok, _} = file:copy(File, filename:join(To, filename:basename(File)))
         || File <- filelib:wildcard(filename:join(From, "*.app*"))],
    _ = [write(filename:join(To, filename:basename(Beam)), again(Beam)) || Beam <- Beams],
    ok.

write(File, Binary) -> ok = file:write_file(File, Binary).

%% Compiled from its debug information and given a later version: all modules differ, and all do what they did. What is
%% said then is true of any change to them.
otp_built_anew(Config) ->
    Apps = applications(),
    Dir = ?config(priv_dir, Config),
    Self = self(),
    Workers = [
        spawn_monitor(fun() -> Self ! {self(), [built_anew(App, Dir) || App <- Share]} end)
     || Share <- shares(lists:sort(fun(A, B) -> count(A) >= count(B) end, Apps), erlang:system_info(schedulers_online))
    ],
    Counts = lists:append([
        receive
            {Worker, Found} -> true = demonitor(Ref, [flush]), Found;
            {'DOWN', Ref, process, Worker, Why} -> error(Why)
        end
     || {Worker, Ref} <- Workers
    ]),
    %% Debian's packages have their debug information.
    true = lists:sum(Counts) > 800.

count(App) -> length(beams(code:lib_dir(App))).

beams(Dir) -> filelib:wildcard(filename:join([Dir, "ebin", "*.beam"])).

shares(Apps, Count) ->
    Numbered = lists:zip(lists:seq(1, length(Apps)), Apps),
    [[App || {N, App} <- Numbered, N rem Count =:= Share] || Share <- lists:seq(0, Count - 1)].

built_anew(App, Dir) ->
    Old = code:lib_dir(App),
    New = filename:join([Dir, "anew", App]),
    ok = filelib:ensure_path(filename:join(New, "ebin")),
    {ok, [{application, App, Keys}]} = file:consult(filename:join([Old, "ebin", atom_to_list(App) ++ ".app"])),
    Spec = {application, App, lists:keystore(vsn, 1, Keys, {vsn, "99"})},
    ok = write(filename:join([New, "ebin", atom_to_list(App) ++ ".app"]), io_lib:format("~tp.~n", [Spec])),
    _ = [write(filename:join([New, "ebin", filename:basename(Beam)]), compiled(Beam)) || Beam <- beams(Old)],
    #{<<"plans">> := [#{<<"findings">> := Findings, <<"modules">> := #{<<"changed">> := Changed}}]} = plan(App, Old, New),
    Said = [F || #{<<"kind">> := Kind} = F <- Findings, not lists:member(Kind, ?TRUE_OF_ANY_CHANGE)],
    {App, []} = {App, Said},
    length(Changed).

compiled(Beam) ->
    {ok, {_, [{abstract_code, {raw_abstract_v1, Forms}}, {compile_info, Info}]}} =
        beam_lib:chunks(Beam, [abstract_code, compile_info]),
    Options = [Option || {Key, _} = Option <- proplists:get_value(options, Info, []), Key =:= inline] ++ [debug_info],
    {ok, _, Binary} = compile:forms(Forms, Options),
    Binary.

%% Read, taken apart and put together anew: another file of the same code, without what only describes it.
again(Beam) ->
    {ok, _, Chunks} = beam_lib:all_chunks(Beam),
    {ok, Binary} = beam_lib:build_module([Chunk || {Id, _} = Chunk <- Chunks, Id =/= "CInf", Id =/= "Line"]),
    Binary.

%% What the compiler of a later OTP makes of the simplest module is refused by this one, and the plan knows.
later_otp(Config) ->
    Trees = string:lexemes(os:getenv("ERLRC_OTP_TREES"), " "),
    true = Trees =/= [],
    [later_otp(Tree, filename:join(?config(priv_dir, Config), filename:basename(Tree))) || Tree <- Trees].

later_otp(Tree, Dir) ->
    Bin = filename:join(Tree, "bin"),
    [Old, New] = [version(Dir, Vsn) || Vsn <- ["1.0", "2.0"]],
    Ebin = filename:join(New, "ebin"),
    _ = project:run(Ebin, Bin ++ "/erlc +debug_info shop.erl", []),
    {0, Said} = command(Bin ++ "/erl", ["-noshell", "-eval", "io:put_chars(erlang:system_info(otp_release)), halt()."]),
    Release = binary_to_list(Said),
    File = filename:join(Ebin, "shop.beam"),
    {ok, Beam} = file:read_file(File),
    {error, _} = code:load_binary(shop, File, Beam),
    Node = erlang:system_info(otp_release),
    Findings = findings(json(run(["plan", "shop", "--otp", Node, "--json", "--from", Old, "--to", New]))),
    [Text] = [T || #{<<"kind">> := <<"otp_release">>, <<"text">> := T} <- Findings],
    [{_, _} = binary:match(Text, iolist_to_binary(Part)) || Part <- ["compiled by OTP " ++ Release, "node runs OTP " ++ Node]],
    [] = findings(json(run(["plan", "shop", "--otp", Release, "--json", "--from", New, "--to", New]))).

findings(#{<<"plans">> := [#{<<"findings">> := Findings}]}) -> Findings.

releases(Config) ->
    Dir = ?config(priv_dir, Config),
    Script = filename:join(project:root(), "test/debian_erlang"),
    Trees = [Old, New, Newest] = [filename:join(Dir, Suite) || Suite <- ["bookworm", "trixie", "sid"]],
    [_ = project:run(Dir, string:join([Script, Tree, filename:basename(Tree) | packages()], " "), []) || Tree <- Trees],
    [{App, Expected} = {App, grave(App, Old, New)} || {App, Expected} <- ?RELEASES],
    %% What is in sid today is looked at by nobody: a server may have got a field, and a build may differ.
    Kinds = [<<"state_not_migrated">>, <<"same_version">>],
    [{App, []} = {App, [Found || {Kind, _} = Found <- grave(App, From, Newest), not lists:member(Kind, Kinds)]}
     || {App, _} <- ?RELEASES, From <- [Old, New]].

packages() ->
    ["erlang-p1-mysql", "erlang-p1-oauth2", "erlang-p1-stun", "erlang-p1-utils", "erlang-mochiweb"].

grave(App, From, To) ->
    Findings = findings(plan(App, directory(App, From), directory(App, To))),
    [{K, S} || #{<<"kind">> := K, <<"subject">> := S, <<"severity">> := Severity} <- Findings, Severity =/= <<"info">>].

directory(App, Tree) ->
    [File | _] = filelib:wildcard(filename:join([Tree, "usr/lib/erlang/lib/*/ebin", App ++ ".app"])),
    filename:dirname(filename:dirname(File)).

%% The page is read by a browser as it was meant: text stays text, nothing is asked for from outside.
page(Config) ->
    Dir = ?config(priv_dir, Config),
    [Old, New] = [version(Dir, Vsn) || Vsn <- ["1.0", "2.0"]],
    Page = filename:join(Dir, "plan.html"),
    _ = run(["plan", "shop", "--from", Old, "--to", New, "--html", Page]),
    Dom = browser(Dir, ["--dump-dom", "file://" ++ Page]),
    _ = [match = re:run(Dom, Text, [{capture, none}]) || Text <- [
        "state_not_migrated", "the application needs a restart", "&lt;script&gt;alert", "\\. &lt;script&gt;", "<svg"]],
    nomatch = re:run(Dom, "<script", [{capture, none}]),
    nomatch = re:run(Dom, "(src|href)=", [{capture, none}]),
    %% For who reads with the ears or the keyboard alone.
    _ = [match = re:run(Dom, Text, [{capture, none}]) || Text <- ["<main>", "scope=\"col\"", "tabindex=\"0\"", "aria-label"]],
    Light = picture(Dir, Page, "light", []),
    Dark = picture(Dir, Page, "dark", ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"]),
    true = Light =/= Dark.

%% The same of the page of a host: one node that is down, and what was done to it.
status_page(Config) ->
    Dir = filename:join(?config(priv_dir, Config), "host"),
    _ = [ok = filelib:ensure_path(filename:join(Dir, Name)) || Name <- ["nodes", "applications", "apps", "run", "state"]],
    Entry = filename:join(Dir, "nodes/n1"),
    ok = file:write_file(Entry, "cookie\n"),
    ok = file:change_mode(Entry, 8#600),
    ok = file:write_file(filename:join(Dir, "apps/shop"), io_lib:format("{shop, \"2.0\", ~p}.~n", [Dir])),
    ok = file:write_file(filename:join(Dir, "state/history"), [
        record("upgraded", 0, 1500), record("<script>alert(1)</script>", 0, 900), record("script_failed", 1, 3000)]),
    Page = filename:join(Dir, "status.html"),
    Places = [{"ROOT", ""}, {"APPS", "apps"}, {"RUN", "run"}, {"STATE", "state"}],
    Variables = ["ERLRC_" ++ Name ++ "=" ++ filename:join(Dir, Place) || {Name, Place} <- Places],
    Erlrc = filename:join(project:root(), "priv/erlrc"),
    {_, _} = command("env", Variables ++ ["ERL_EPMD_PORT=1", Erlrc, "status", "--html", Page]),
    Dom = browser(Dir, ["--dump-dom", "file://" ++ Page]),
    _ = [match = re:run(Dom, Text, [{capture, none}]) || Text <- [
        "node_down", "shop", "3\\.0 ms</text>", "rect class=\"failed\"", "&lt;script&gt;alert", "scope=\"col\"", "tabindex=\"0\""]],
    [nomatch, nomatch] = [re:run(Dom, Text, [{capture, none}]) || Text <- ["<script", "(src|href)="]],
    Sizes = [{"wide", "1100,1500"}, {"narrow", "400,1500"}],
    Dark = ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"],
    Pictures = [
        picture(Dir, Page, Look ++ "-" ++ Name, Size, Flags)
     || {Name, Size} <- Sizes, {Look, Flags} <- [{"light", []}, {"dark", Dark}]
    ],
    4 = length(lists:usort(Pictures)).

%% A line of the history.
record(Outcome, Status, Pause) ->
    Json = iolist_to_binary(io_lib:format(
        "{\"version\":1,\"time\":\"2026-03-01T12:00:00.~3..0bZ\",\"who\":{\"uid\":0},\"operation\":\"upgrade\","
        "\"application\":\"shop\",\"from\":\"1.0\",\"to\":\"2.0\",\"status\":~b,\"duration_us\":9000,\"nodes\":[{\"node\":\"n1\","
        "\"outcome\":\"~s\",\"status\":~b,\"report\":{\"evaluator\":\"transactional\",\"pause_us\":~b}}]}",
        [Pause rem 1000, Status, Outcome, Status, Pause])),
    io_lib:format("~b ~8.16.0b ~s~n", [byte_size(Json), erlang:crc32(Json), Json]).

picture(Dir, Page, Name, Flags) ->
    picture(Dir, Page, Name, "1100,1500", Flags).

picture(Dir, Page, Name, Size, Flags) ->
    File = filename:join(Dir, Name ++ ".png"),
    _ = browser(Dir, Flags ++ ["--window-size=" ++ Size, "--screenshot=" ++ File, "file://" ++ Page]),
    {ok, <<137, "PNG", _/binary>> = Png} = file:read_file(File),
    true = byte_size(Png) > 20000,
    Png.

%% A server whose state grows, and a module that is called like markup.
version(Dir, Vsn) ->
    Top = filename:join(Dir, "shop-" ++ Vsn),
    Ebin = filename:join(Top, "ebin"),
    ok = filelib:ensure_path(Ebin),
    Fields = case Vsn of "1.0" -> "a"; "2.0" -> "a, b" end,
    Server = ["-module(shop).\n-behaviour(gen_server).\n-export([init/1, handle_call/3, handle_cast/2]).\n"
        "-record(s, {", Fields, "}).\ninit(_) -> {ok, #s{}}.\nhandle_call(_, _, S) -> {reply, S, S}.\n"
        "handle_cast(_, S) -> {noreply, S}.\n"],
    Markup = ["-module('<script>alert(1)<script>').\n-export([f/0]).\nf() -> \"", Vsn, "\".\n"],
    _ = [compile(Ebin, Name, Text) || {Name, Text} <- [{"shop", Server}, {"<script>alert(1)<script>", Markup}]],
    Modules = [shop, '<script>alert(1)<script>'],
    Spec = {application, shop, [{vsn, Vsn}, {modules, Modules}, {applications, [kernel, stdlib]}]},
    ok = file:write_file(filename:join(Ebin, "shop.app"), io_lib:format("~tp.~n", [Spec])),
    Top.

compile(Ebin, Name, Text) ->
    File = filename:join(Ebin, Name ++ ".erl"),
    ok = file:write_file(File, Text),
    {ok, _} = compile:file(File, [debug_info, {outdir, Ebin}]).

browser(Dir, Arguments) ->
    Profile = filename:join(Dir, "profile-" ++ integer_to_list(erlang:unique_integer([positive]))),
    Flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir=" ++ Profile],
    {0, Out} = command("chromium", Flags ++ Arguments),
    Out.

plan(App, Old, New) ->
    json(run(["plan", App, "--json", "--from", Old, "--to", New])).

run(Arguments) ->
    {_Status, Out} = command(filename:join(project:root(), "priv/erlrc"), [text(A) || A <- Arguments]),
    Out.

text(Atom) when is_atom(Atom) -> atom_to_list(Atom);
text(Text) -> Text.

command(Program, Arguments) ->
    Path = case filename:pathtype(Program) of absolute -> Program; _ -> os:find_executable(Program) end,
    Port = open_port({spawn_executable, Path}, [{args, Arguments}, binary, exit_status, use_stdio]),
    collect(Port, []).

collect(Port, Parts) ->
    receive
        {Port, {data, Data}} -> collect(Port, [Data | Parts]);
        {Port, {exit_status, Status}} -> {Status, iolist_to_binary(lists:reverse(Parts))}
    end.

%% OTP 25 has no reader of JSON: what is printed is Erlang's syntax but for a few signs.
json(Text) ->
    {Value, _} = value(Text),
    Value.

value(<<C, Rest/binary>>) when C =:= $\s; C =:= $\n -> value(Rest);
value(<<"null", Rest/binary>>) -> {null, Rest};
value(<<"true", Rest/binary>>) -> {true, Rest};
value(<<"false", Rest/binary>>) -> {false, Rest};
value(<<"\"", Rest/binary>>) -> string(Rest, <<>>);
value(<<"[]", Rest/binary>>) -> {[], Rest};
value(<<"{}", Rest/binary>>) -> {#{}, Rest};
value(<<"[", Rest/binary>>) -> list(Rest, []);
value(<<"{", Rest/binary>>) -> object(Rest, #{});
value(Text) ->
    {match, [{0, Length}]} = re:run(Text, "^-?[0-9]+", []),
    <<Digits:Length/binary, Rest/binary>> = Text,
    {binary_to_integer(Digits), Rest}.

string(<<"\\u", Hex:4/binary, Rest/binary>>, Text) ->
    string(Rest, <<Text/binary, (binary_to_integer(Hex, 16))/utf8>>);
string(<<"\\", C, Rest/binary>>, Text) -> string(Rest, <<Text/binary, C>>);
string(<<"\"", Rest/binary>>, Text) -> {Text, Rest};
string(<<C, Rest/binary>>, Text) -> string(Rest, <<Text/binary, C>>).

list(Text, Values) ->
    case value(Text) of
        {Value, <<",", Rest/binary>>} -> list(Rest, [Value | Values]);
        {Value, <<"]", Rest/binary>>} -> {lists:reverse([Value | Values]), Rest}
    end.

object(Text, Map) ->
    {Key, <<":", Rest/binary>>} = value(Text),
    case value(Rest) of
        {Value, <<",", More/binary>>} -> object(More, Map#{Key => Value});
        {Value, <<"}", More/binary>>} -> {Map#{Key => Value}, More}
    end.
