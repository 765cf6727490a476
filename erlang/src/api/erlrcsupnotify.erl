%% @doc The behaviour of a supervisor that wants to be notified of its own upgrade.
%%
%% In an upgrade with OTP's release_handler a changed supervisor gets its new child specifications, but its children are
%% neither started nor stopped. A supervisor module that exports these functions does this itself. In an upgrade,
%% `sup_upgrade_notify/2' is called after the new code has been loaded; in a downgrade, `sup_downgrade_notify/2' is
%% called before the old code is loaded. Both get the earlier and the later version, in that order. The return value is
%% ignored; a crash fails the upgrade.
-module(erlrcsupnotify).

-callback sup_upgrade_notify(EarlierVsn :: string(), LaterVsn :: string()) -> term().
-callback sup_downgrade_notify(EarlierVsn :: string(), LaterVsn :: string()) -> term().

-optional_callbacks([sup_upgrade_notify/2, sup_downgrade_notify/2]).
