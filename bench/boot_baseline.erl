%% @doc The baseline for the boot order: what one would write in Erlang, tuned.
%%
%% Reads lines `count Root' and `time Root'. One listing of the directory of registrations, one of the
%% library; every `.app' file read with prim_file and parsed by erl_scan and erl_parse; then a depth-first
%% search for the start order, dependents of included applications after the includer.
-module(boot_baseline).

-export([main/0]).

-spec main() -> no_return().
main() ->
    case io:get_line("") of
        "stop\n" -> halt(0);
        eof -> halt(0);
        Line -> io:format("~b~n", [run(string:lexemes(Line, " \n"))]), main()
    end.

run(["count", Root]) -> element(2, in_a_process(Root));
run(["time", Root]) -> element(1, in_a_process(Root)).

%% The garbage of one run is not the next one's.
in_a_process(Root) ->
    Work = fun() -> exit({done, timer:tc(fun() -> length(order(Root)) end)}) end,
    {Pid, Ref} = spawn_monitor(Work),
    receive
        {'DOWN', Ref, process, Pid, {done, Result}} -> Result
    end.

order(Root) ->
    {ok, Registered} = prim_file:list_dir(Root ++ "/applications"),
    Library = Root ++ "/lib",
    {ok, Directories} = prim_file:list_dir(Library),
    Index = maps:from_list([{hd(string:split(D, "-")), Library ++ "/" ++ D} || D <- Directories]),
    Specs = lists:foldl(fun(App, Specs) -> read(App, Index, Specs) end, #{}, lists:sort(Registered)),
    IncludedBy = maps:from_list([{X, App} || {App, {_, Included}} <- maps:to_list(Specs), X <- Included]),
    {Order, _} = lists:foldl(
        fun(App, Acc) -> visit(top(App, IncludedBy), Specs, IncludedBy, Acc) end,
        {[], #{}},
        lists:sort(maps:keys(Specs))
    ),
    lists:reverse(Order).

read(App, Index, Specs) ->
    Name = list_to_atom(App),
    case Specs of
        #{Name := _} ->
            Specs;
        _ ->
            {ok, Bytes} = prim_file:read_file([maps:get(App, Index), "/ebin/", App, ".app"]),
            {ok, Tokens, _} = erl_scan:string(binary_to_list(Bytes)),
            {ok, {application, Name, Keys}} = erl_parse:parse_term(Tokens),
            Needed = proplists:get_value(applications, Keys, []),
            Included = proplists:get_value(included_applications, Keys, []),
            lists:foldl(
                fun(Other, Acc) -> read(atom_to_list(Other), Index, Acc) end,
                Specs#{Name => {Needed, Included}},
                Needed ++ Included
            )
    end.

top(App, IncludedBy) ->
    case IncludedBy of
        #{App := By} -> top(By, IncludedBy);
        _ -> App
    end.

visit(App, Specs, IncludedBy, {Order, Met}) when not is_map_key(App, Met) ->
    Needed = [top(X, IncludedBy) || X <- needed(App, Specs)],
    {Before, Met1} = lists:foldl(
        fun(X, Acc) -> visit(X, Specs, IncludedBy, Acc) end,
        {Order, Met#{App => true}},
        [X || X <- Needed, X =/= App]
    ),
    {[App | Before], Met1};
visit(_App, _Specs, _IncludedBy, Acc) ->
    Acc.

needed(App, Specs) ->
    {Needed, Included} = maps:get(App, Specs),
    Needed ++ lists:append([needed(X, Specs) || X <- Included]).
