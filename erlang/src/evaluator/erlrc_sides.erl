%% @doc The two sides of a script, one change or several: where each module is read from, and which directories of the code
%% path take the place of which. Pure.
-module(erlrc_sides).

-export([of_script/1, ebin/3, is_generated/2, pairs/1, back/1]).
-export([applications/1, subject/1, about/1]).
-export_type([sides/0, pair/0]).

%% Ebin directories.
-type pair() :: {atom(), From :: file:filename(), To :: file:filename()}.
-opaque sides() :: #{
    pairs := [pair(), ...],
    %% As the specifications have them.
    from := #{module() => file:filename()},
    to := #{module() => file:filename()},
    generated := #{module() => []}
}.

%% @doc The sides of all changes of a script.
-spec of_script(erlrc_evaluator:script()) -> sides().
of_script(Script) ->
    Ebin = fun({_, Dir}) -> filename:join(Dir, "ebin") end,
    #{
        pairs => [{App, Ebin(From), Ebin(To)} || #{application := App, from := From, to := To} <- Script],
        from => maps:from_list([{M, Ebin(From)} || #{from := From, from_spec := Spec} <- Script, M <- modules(Spec)]),
        to => maps:from_list([{M, Ebin(To)} || #{to := To, to_spec := Spec} <- Script, M <- modules(Spec)]),
        generated => maps:from_list([
            {Module, []}
         || #{options := #{source := generated}, to_spec := Spec} <- Script, Module <- modules(Spec)
        ])
    }.

modules({application, _, Keys}) -> proplists:get_value(modules, Keys, []).

%% @doc The directory of a module on one side.
-spec ebin(from | to, module(), sides()) -> file:filename().
ebin(from, Module, #{from := Known, pairs := [{_, From, _} | _]}) -> maps:get(Module, Known, From);
ebin(to, Module, #{to := Known, pairs := [{_, _, To} | _]}) -> maps:get(Module, Known, To).

%% @doc Whether the instructions for a module were generated, and not written by hand.
-spec is_generated(module(), sides()) -> boolean().
is_generated(Module, #{generated := Generated}) -> is_map_key(Module, Generated).

%% @doc What takes the place of what on the code path.
-spec pairs(sides()) -> [pair(), ...].
pairs(#{pairs := Pairs}) -> Pairs.

%% @doc The sides of the way back.
-spec back(sides()) -> sides().
back(#{pairs := Pairs, from := From, to := To} = Sides) ->
    Sides#{pairs := [{App, New, Old} || {App, Old, New} <- Pairs], from := To, to := From}.

%% @doc The applications that a script is about.
-spec applications(erlrc_evaluator:script()) -> [atom(), ...].
applications(Script) -> [App || #{application := App} <- Script].

%% @doc The same as it stands in reasons: one by its name, several as a list.
-spec subject(erlrc_evaluator:script()) -> atom() | [atom(), ...].
subject([#{application := App}]) -> App;
subject(Script) -> applications(Script).

%% @doc What the events of an operation say of it. Directions and versions are those of a single change.
-spec about(erlrc_evaluator:script()) -> map().
about([#{application := App, direction := Direction, from := {From, _}, to := {To, _}}]) ->
    #{application => App, direction => Direction, from => From, to => To};
about(Script) ->
    #{
        applications => applications(Script),
        changes => [{App, From, To} || #{application := App, from := {From, _}, to := {To, _}} <- Script]
    }.
