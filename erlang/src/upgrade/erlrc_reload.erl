%% @doc An upgrade from a version to itself: what is loaded is compared with what lies in the files,
%% and what differs is loaded again, hot.
-module(erlrc_reload).

-export([part/1]).

%% @doc The change that loads what differs, if anything does.
-spec part(erlrc_upgrade:change()) -> same | {ok, erlrc_set:part()} | {error, term()}.
part(#{application := App, to_dir := Dir} = Change) ->
    case erlrc_engine:module_digests(Dir) of
        {ok, Digests} ->
            case [Module || {Module, Digest} <- Digests, differs(Module, Digest)] of
                [] -> same;
                _ -> reload(Change, erlrc_old_side:loaded(App))
            end;
        {error, _} = Error ->
            Error
    end.

%% A module that is not loaded yet will be loaded from the file.
differs(Module, Digest) ->
    erlang:module_loaded(Module) andalso Module:module_info(md5) =/= Digest.

reload(#{application := App, to := Vsn, to_dir := Dir} = Change, #{side := Side} = Old) ->
    case erlrc_engine:application(App, Dir, erlrc_node:root()) of
        {ok, Spec} ->
            case erlrc_upgrade:generate(App, {Vsn, Side}, {Vsn, Dir}, Change) of
                {ok, Instructions} ->
                    Options = maps:get(options, Change),
                    Generated = Change#{direction => up, options => Options#{source => generated}},
                    From = Old#{dir => old_dir(App, Vsn, Dir)},
                    {ok, {erlrc_upgrade:evaluator_change(Generated, From, Spec, Instructions), From}};
                {error, _} = Error ->
                    Error
            end;
        {error, _} = Error ->
            Error
    end.

%% The way back needs the old files; only the stash can have them.
old_dir(App, Vsn, Dir) ->
    Stash = erlrc_old_side:stash(App, Vsn),
    case filelib:is_dir(Stash) of
        true -> Stash;
        false -> Dir
    end.
