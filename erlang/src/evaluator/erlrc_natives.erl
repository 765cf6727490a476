%% @doc Modules with native functions, erl_nif(3). Objects that the old library made, and pointers into its code, may live
%% on, and nobody can ask for them: so such a module's old code is purged only where that was asked for. And a module that
%% comes out of a change without its native functions is taken back.
-module(erlrc_natives).

-export([of_modules/1, keep/1, forget/1, old/1, check/2, without/1]).

%% Its library is not unloaded and has no resource types.
-define(OWN, erlrc_engine).

%% @doc Those of `Modules' that have native functions now.
-spec of_modules([module()]) -> [module()].
of_modules(Modules) ->
    [Module || Module <- Modules, Module =/= ?OWN, has_natives(Module)].

has_natives(Module) ->
    erlang:module_loaded(Module) andalso erlang:get_module_info(Module, nifs) =/= [].

%% @doc Notes that the old code of these modules has native functions, so that nobody purges it. Answers those of which
%% that was not known.
-spec keep([module()]) -> [module()].
keep(Modules) ->
    New = [Module || Module <- Modules, not is_kept(Module)],
    _ = [ets:insert(erlrc_table, {{old_natives, Module}, true}) || Module <- New, ets:whereis(erlrc_table) =/= undefined],
    New.

%% @doc The old code of a module is gone.
-spec forget(module()) -> ok.
forget(Module) ->
    _ = ets:whereis(erlrc_table) =/= undefined andalso ets:delete(erlrc_table, {old_natives, Module}),
    ok.

is_kept(Module) ->
    ets:whereis(erlrc_table) =/= undefined andalso ets:member(erlrc_table, {old_natives, Module}).

%% @doc Those of `Modules' whose old code has native functions. Where nobody remembers, what is current tells.
-spec old([module()]) -> [module()].
old(Modules) ->
    Old = [Module || Module <- Modules, Module =/= ?OWN, erlang:check_old_code(Module)],
    [Module || Module <- Old, is_kept(Module) orelse has_natives(Module)].

%% @doc The first of these modules that would have no native functions after its change: it loads a library, but not when
%% it is loaded itself.
-spec without([erlrc_prepare:item()]) -> none | module().
without(Items) ->
    case [Module || {Module, _, Beam, _} <- Items, has_natives(Module), loads_library(Beam)] of
        [] -> none;
        [Module | _] -> Module
    end.

%% @doc Whether those that had native functions have some still, unless their new version loads no library.
-spec check([module()], [erlrc_prepare:item()]) -> ok | {error, {natives_gone, module()}}.
check(Before, Items) ->
    Loading = [Module || {Module, _, Beam, _} <- Items, lists:member(Module, Before), loads_library(Beam)],
    case [Module || Module <- Loading, not has_natives(Module)] of
        [] -> ok;
        [Module | _] -> {error, {natives_gone, Module}}
    end.

loads_library(Beam) ->
    case beam_lib:chunks(Beam, [imports]) of
        {ok, {_, [{imports, Imports}]}} -> lists:member({erlang, load_nif, 2}, Imports);
        {error, _, _} -> false
    end.
