%% @doc How long each application took to start in the last boot that started any: measured while the node boots, kept for as
%% long as the node lives, also where erlrc is stopped or upgraded.
-module(erlrc_boot_times).

-export([begin_boot/0, add/3, take_back/2, keep/2, report/0]).
-export_type([times/0, report/0]).

%% The key of the persistent term. A boot that starts nothing does not replace it.
-define(LAST, {erlrc_boot, last}).

-opaque times() :: #{
    %% Microseconds: of the monotonic time, of the system time.
    origin := integer(),
    at := integer(),
    applications := [application()]
}.
%% All times in microseconds; `begun' is counted from the beginning of the boot. Another application that is needed is
%% named where it was started in the same boot.
-type application() :: #{
    application := binary(),
    vsn := binary(),
    begun := non_neg_integer(),
    took := non_neg_integer(),
    outcome := started | failed | taken_back,
    needs := [binary()]
}.
-type report() :: #{
    %% System time.
    at := integer(),
    took := non_neg_integer(),
    jobs := pos_integer(),
    schedulers := pos_integer(),
    %% In the order in which they were begun.
    applications := [application()]
}.

%% @doc A boot begins now.
-spec begin_boot() -> times().
begin_boot() ->
    #{origin => erlang:monotonic_time(microsecond), at => erlang:system_time(microsecond), applications => []}.

%% @doc These were started, or failed.
-spec add([erlrc_boot_jobs:job()], [erlrc_boot_jobs:unit()], times()) -> times().
add(Jobs, Units, #{origin := Origin, applications := Before} = Times) ->
    Needs = maps:from_list(Units),
    Times#{applications := [application(Job, Needs, Origin) || Job <- Jobs] ++ Before}.

application(#{application := App, begun := Begun, took := Took, result := Result}, Needs, Origin) ->
    #{
        application => atom_to_binary(App),
        vsn => vsn(erlrc_node:vsn(App)),
        begun => Begun - Origin,
        took => Took,
        outcome => outcome(Result),
        needs => [atom_to_binary(Needed) || Needed <- maps:get(App, Needs)]
    }.

vsn({ok, Vsn}) ->
    case unicode:characters_to_binary(Vsn) of
        Text when is_binary(Text) -> Text;
        _ -> <<>>
    end;
vsn(undefined) ->
    <<>>.

outcome(ok) -> started;
outcome({error, _}) -> failed.

%% @doc These were stopped again.
-spec take_back([atom()], times()) -> times().
take_back(Apps, #{applications := Applications} = Times) ->
    Names = [atom_to_binary(App) || App <- Apps],
    Times#{applications := [taken_back(lists:member(Name, Names), One) || #{application := Name} = One <- Applications]}.

taken_back(true, Application) -> Application#{outcome := taken_back};
taken_back(false, Application) -> Application.

%% @doc The boot has ended.
-spec keep(pos_integer(), times()) -> ok.
keep(_Jobs, #{applications := []}) ->
    ok;
keep(Jobs, #{origin := Origin, at := At, applications := Applications}) ->
    Report = #{
        at => At,
        took => erlang:monotonic_time(microsecond) - Origin,
        jobs => Jobs,
        schedulers => erlang:system_info(schedulers_online),
        applications => lists:sort(fun(#{begun := One}, #{begun := Other}) -> One =< Other end, Applications)
    },
    %% It is asked for rarely: as a term it takes 200 bytes for each application, as this about 20.
    persistent_term:put(?LAST, term_to_binary(Report, [compressed])).

%% @doc The last boot, if there was one.
-spec report() -> report() | undefined.
report() ->
    case persistent_term:get(?LAST, undefined) of
        undefined -> undefined;
        Report -> binary_to_term(Report)
    end.
