%% @doc The behaviour of a supervisor that wants to be told of its own upgrade.
%%
%% A changed supervisor gets its new child specifications during an upgrade, but its children are
%% neither started nor stopped for it. A supervisor module that exports these functions does that
%% itself: going up, `sup_upgrade_notify/2' is called after the new code is in place; going down,
%% `sup_downgrade_notify/2' is called before the old code comes back. Both get the earlier and the
%% later version, in that order. The return value is ignored, a crash fails the upgrade.
-module(erlrcsupnotify).

-callback sup_upgrade_notify(EarlierVsn :: string(), LaterVsn :: string()) -> term().
-callback sup_downgrade_notify(EarlierVsn :: string(), LaterVsn :: string()) -> term().

-optional_callbacks([sup_upgrade_notify/2, sup_downgrade_notify/2]).
