# The add-on of debhelper that `Build-Depends: dh-sequence-erlrc` activates.
use strict;
use warnings;
use Debian::Debhelper::Dh_Lib;

# Before native code is stripped and searched for its libraries, and before services add to the scripts: what they
# start comes after the application, what they stop before it.
insert_after('dh_install', 'dh_erlrc');

1;
