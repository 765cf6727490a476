%% @doc What operations could not put right by themselves: which application, which operation, what is left. It is told by the
%% status of the node until a later operation, or {@link settle/1}, has made the application whole.
%%
%% The rows are in the table of `erlrc_outcome', which outlives the servers.
-module(erlrc_unsettled).

-export([note/2, call/2, report/0, settle/1]).
-export_type([row/0, told/0]).

%% `to' and `from' as the operation had them; `since' is system time in milliseconds.
-type row() :: #{
    operation := atom(), application := atom(), left := [term()], since := integer(), from | to => string(),
    from_dir | to_dir => file:filename_all()
}.
-type told() :: #{operation := binary(), application := binary(), left := [binary()], since := integer(), from | to => binary()}.

-define(RESUME, 5000).
%% So much is told of what is left.
-define(NAMED, 20).

%% @doc An operation has come to this.
-spec note(map(), term()) -> ok.
note(#{changes := Changes}, Result) ->
    lists:foreach(fun(Change) -> note(Change, Result) end, Changes);
note(#{application := App} = Request, {error, {not_rolled_back, _Why, Left}}) ->
    case [Entry || Entry <- Left, not is_harmless(Entry)] of
        [] ->
            ok;
        Wrong ->
            About = maps:with([operation, application, from, to, from_dir, to_dir], Request),
            Calls = [Call || #{left := Known} <- rows(App), {call, _} = Call <- Known],
            erlrc_outcome:unsettled(App, About#{left => Wrong ++ Calls, since => erlang:system_time(millisecond)})
    end;
note(#{application := App}, _Result) ->
    _ = [forget_if_whole(Row) || Row <- rows(App)],
    ok;
note(_Request, _Result) ->
    ok.

%% @doc Nobody knows how far a function came that was to be called after the commit. A person has to look, so that no later
%% operation makes this right.
-spec call(atom(), {module(), atom(), [term()]}) -> ok.
call(App, Call) ->
    Row = case rows(App) of [Known] -> Known; [] -> #{operation => call, application => App, left => []} end,
    #{left := Left} = Row,
    erlrc_outcome:unsettled(App, Row#{left := lists:usort([{call, Call} | Left]), since => erlang:system_time(millisecond)}).

rows(App) ->
    [Row || #{application := Of} = Row <- erlrc_outcome:unsettled(), Of =:= App].

%% What the errors say of an application that runs as before.
is_harmless({What, _}) -> lists:member(What, [restarted, applied, gone]);
is_harmless(_Entry) -> false.

forget_if_whole(#{application := App, left := Left} = Row) ->
    Calls = [Call || {call, _} = Call <- Left],
    [] =:= Calls ++ wrong(App, Row) andalso erlrc_outcome:settled(App).

%% @doc All of it, for the status of the node; a script that was killed with all that look after it is there as well.
-spec report() -> [told()].
report() ->
    [told(Row) || Row <- erlrc_outcome:unsettled() ++ abandoned()].

told(#{left := Left, application := App, operation := Operation} = Row) ->
    maps:merge(
        #{
            application => text(App),
            operation => text(Operation),
            since => maps:get(since, Row),
            left => [words(Entry) || Entry <- lists:sublist(Left, ?NAMED)]
        },
        maps:map(fun(_, Vsn) -> text(Vsn) end, maps:with([from, to], Row))
    ).

abandoned() ->
    case {erlrc_guardian:left(), erlrc_outcome:current()} of
        {#{} = About, unknown} -> [About#{operation => upgrade, left => [interrupted], since => erlang:system_time(millisecond)}];
        _ -> []
    end.

%% @doc Makes an application whole: what was interrupted is ended, processes that stand go on, and modules that are not those
%% of the version that runs are loaded again. What operations could not undo of their own effects is forgotten then.
-spec settle(atom()) -> {ok, settled} | {error, term()}.
settle(App) ->
    ok = erlrc_guardian:settle_left(),
    case rows(App) of
        [] -> {ok, settled};
        [Row] -> settle(App, Row)
    end.

settle(App, Row) ->
    _ = [try sys:resume(Pid, ?RESUME) catch exit:_ -> ok end || Pid <- suspended(App)],
    case reload(App, Row) of
        {ok, _} -> settled(App, wrong(App, Row));
        {error, _} = Error -> Error
    end.

settled(App, []) ->
    ok = erlrc_outcome:settled(App),
    {ok, settled};
settled(App, Wrong) ->
    {error, {unsettled, App, Wrong}}.

reload(App, Row) ->
    case erlrc_node:status(App) of
        absent ->
            {ok, absent};
        %% What loads next is of that version.
        {loaded, Vsn} ->
            _ = [erlrc_node:retire(Module) || {code, Module} <- code(directory(App, Vsn, Row)), is_atom(Module)],
            {ok, loaded};
        {_, Vsn} ->
            Dir = directory(App, Vsn, Row),
            erlrc_upgrade:change(up, #{
                operation => upgrade, application => App, from => Vsn, to => Vsn, from_dir => Dir, to_dir => Dir, options => #{}
            })
    end.

directory(_App, Vsn, #{from := Vsn, from_dir := Dir}) -> Dir;
directory(_App, Vsn, #{to := Vsn, to_dir := Dir}) -> Dir;
directory(App, Vsn, _Row) -> erlrc_versions:directory(App, Vsn).

%% What is not of the version that runs.
wrong(App, Row) ->
    case erlrc_node:status(App) of
        absent -> [];
        {_, Vsn} -> code(directory(App, Vsn, Row)) ++ [{suspended, Pid} || Pid <- suspended(App)]
    end.

code(Dir) ->
    Ebin = filename:join(Dir, "ebin"),
    Path = [{path, Ebin} || not lists:member(Ebin, code:get_path())],
    case erlrc_engine:module_digests(Dir) of
        {ok, Digests} ->
            Path ++ [{code, Module} || {Module, Md5} <- Digests, erlang:module_loaded(Module), Module:module_info(md5) =/= Md5];
        {error, Why} ->
            Path ++ [{code, Why}]
    end.

suspended(App) ->
    Master = erlrc_node:master(App),
    [
        Pid
     || is_pid(Master),
        Pid <- processes(),
        {group_leader, Master} =:= process_info(Pid, group_leader),
        erlrc_system:is_suspended(Pid)
    ].

words({call, {Module, Function, Arguments}}) ->
    text(io_lib:format("~ts:~ts/~b was interrupted and may or may not have done its work, see to it by hand", [Module, Function, length(Arguments)]));
words({code, Module}) when is_atom(Module) -> text(["the code of ", atom_to_list(Module)]);
words({state, Pid, _Why}) when is_pid(Pid) -> text(["the state of ", pid_to_list(Pid)]);
words({suspended, Pid, _Why}) when is_pid(Pid) -> text([pid_to_list(Pid), " is suspended"]);
words({specification, App, _Why}) when is_atom(App) -> text(["the specification of ", atom_to_list(App)]);
words(interrupted) -> <<"it was killed with all that look after it">>;
words(unknown) -> <<"what it had done is not known">>;
words(Entry) -> text(io_lib:format("~0tP", [Entry, 20])).

text(Text) when is_atom(Text) -> atom_to_binary(Text);
text(Text) -> unicode:characters_to_binary(Text).
