%% @doc Writes the boot script of a minimal release that ends in {@link erlrc_boot:boot_or_halt/0}:
%% `erlrc make-boot-script NAME [APP,APP]'.
-module(erlrc_boot_script).

-export([make/2, main/0]).
-export_type([error/0]).

-type error() ::
    {appspec_file_not_found, file:filename()}
    | {appspec_file_parse_error, file:filename(), term()}
    | {boot_script_failed, file:filename(), iodata()}
    | {file_error, file:filename(), file:posix() | badarg | terminated | system_limit}.

%% Only permanent is possible for kernel and stdlib; what erlrc starts is temporary.
-define(BASE, [{kernel, permanent}, {stdlib, permanent}, {sasl, permanent}, {erlrc, temporary}]).

%% @doc Writes `Name.rel', `Name.script' and `Name.boot' for kernel, stdlib, sasl, erlrc, `Apps' and their dependencies.
%% `Name' may be a path.
-spec make(file:filename(), [atom()]) -> ok | {error, error()}.
make(Name, Apps) ->
    try
        Names = [App || {App, _} <- ?BASE] ++ Apps,
        Specs = specifications(Names, []),
        write(Name ++ ".rel", [release(Name, Specs)]),
        make_script(Name),
        append_boot(Name)
    catch
        throw:{?MODULE, Reason} -> {error, Reason}
    end.

%% @doc The command: plain arguments `NAME [APP,APP]'; ends the node with status 0, 1 or 2.
-spec main() -> no_return().
main() ->
    case init:get_plain_arguments() of
        [Name] -> finish(make(Name, []));
        [Name, Apps] -> finish(make(Name, [list_to_atom(App) || App <- string:lexemes(Apps, ",")]));
        _ -> finish(usage)
    end.

-spec finish(ok | {error, error()} | usage) -> no_return().
finish(ok) ->
    erlang:halt(0);
finish({error, Reason}) ->
    io:put_chars(standard_error, ["erlrc: ", erlrc_error:format_error(Reason), "\n"]),
    erlang:halt(1);
finish(usage) ->
    io:put_chars(standard_error, "usage: erlrc make-boot-script NAME [APP,APP]\n"),
    erlang:halt(2).

%% The applications and their dependencies, in no particular order.
specifications([App | Apps], Specs) ->
    case lists:keymember(App, 1, Specs) of
        true ->
            specifications(Apps, Specs);
        false ->
            Keys = keys(App),
            Optional = get_key(optional_applications, Keys),
            Present = [Needed || Needed <- Optional, is_present(Needed)],
            Needed = (get_key(applications, Keys) -- Optional) ++ Present,
            Included = get_key(included_applications, Keys),
            specifications(Needed ++ Included ++ Apps, [{App, Keys} | Specs])
    end;
specifications([], Specs) ->
    lists:reverse(Specs).

is_present(App) ->
    code:where_is_file(atom_to_list(App) ++ ".app") =/= non_existing.

keys(App) ->
    Name = atom_to_list(App) ++ ".app",
    case code:where_is_file(Name) of
        non_existing -> throw({?MODULE, {appspec_file_not_found, Name}});
        File -> keys(App, File, file:consult(File))
    end.

keys(App, _File, {ok, [{application, App, Keys}]}) when is_list(Keys) ->
    Keys;
keys(_App, File, {ok, _}) ->
    throw({?MODULE, {appspec_file_parse_error, File, not_an_application}});
keys(_App, File, {error, Reason}) ->
    throw({?MODULE, {appspec_file_parse_error, File, lists:flatten(file:format_error(Reason))}}).

get_key(Key, Keys) ->
    proplists:get_value(Key, Keys, []).

release(Name, Specs) ->
    Applications = [
        {App, proplists:get_value(vsn, Keys, ""), proplists:get_value(App, ?BASE, temporary)}
     || {App, Keys} <- Specs
    ],
    {release, {filename:basename(Name), "1"}, {erts, erlang:system_info(version)}, Applications}.

make_script(Name) ->
    Path = [filename:absname(Dir) || Dir <- code:get_path()],
    Options = [silent, local, {path, Path}, {outdir, filename:dirname(filename:absname(Name))}],
    case systools:make_script(Name, Options) of
        {ok, _, _} -> ok;
        {error, Module, Error} -> failed(Name, Module:format_error(Error))
    end.

-spec failed(file:filename(), unicode:chardata()) -> no_return().
failed(Name, Text) ->
    throw({?MODULE, {boot_script_failed, Name ++ ".rel", string:trim(Text)}}).

%% systools offers no way to name the last call.
append_boot(Name) ->
    File = Name ++ ".script",
    {ok, [{script, Id, Instructions}]} = file:consult(File),
    Boot = {apply, {erlrc_boot, boot_or_halt, []}},
    Script = {script, Id, insert(Boot, Instructions)},
    write(File, [Script]),
    written(Name ++ ".boot", file:write_file(Name ++ ".boot", term_to_binary(Script))).

insert(Boot, [{progress, started} = Started | Rest]) -> [Boot, Started | Rest];
insert(Boot, [Instruction | Rest]) -> [Instruction | insert(Boot, Rest)];
insert(Boot, []) -> [Boot].

write(File, Terms) ->
    Text = ["%% coding: utf-8\n" | [io_lib:format("~tp.~n", [Term]) || Term <- Terms]],
    written(File, file:write_file(File, unicode:characters_to_binary(Text))).

written(_File, ok) -> ok;
written(File, {error, Reason}) -> throw({?MODULE, {file_error, File, Reason}}).
