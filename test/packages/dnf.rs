//! The same by dnf, from a repository.

use crate::row::{Row, given_rpm};

const QUIET: &str = "dnf --assumeyes --quiet --releasever=12";

/// A node, and a repository with these packages.
fn repository(packages: &str) -> Row {
    let row = given_rpm("");
    row.when("mkdir -p /srv/repository /etc/yum.repos.d && printf '[local]\nname=local\nbaseurl=file:///srv/repository\ngpgcheck=0\nmetadata_expire=1\n' >/etc/yum.repos.d/local.repo")
        .succeeds();
    row.when(&format!(
        "cp {packages} /srv/repository && createrepo_c --quiet /srv/repository"
    ))
    .succeeds();
    row
}

#[test]
fn install_upgrade_downgrade_and_remove() {
    let row = repository(
        "{rpm bank 1.0} {rpm bank 1.1} {rpm till 1.0 needs=bank} {rpm till 1.1 needs=bank>=1.1}",
    );
    row.when(&format!("{QUIET} install erlang-till-1.0"))
        .succeeds();
    // What it needs comes with it, in the newest version.
    row.then_rpm("bank", "1.1", "1.1");
    row.then_rpm("till", "1.0", "1.0");
    row.talk("till");
    row.talk("bank");
    row.when(&format!("{QUIET} downgrade erlang-bank"))
        .succeeds();
    row.then_rpm("bank", "1.0", "1.0");
    row.when(&format!("{QUIET} upgrade")).succeeds();
    row.then_rpm("bank", "1.1", "1.1");
    row.then_rpm("till", "1.1", "1.1");
    row.when(&format!("{QUIET} downgrade erlang-till erlang-bank"))
        .succeeds();
    row.then_rpm("bank", "1.0", "1.0");
    row.then_rpm("till", "1.0", "1.0");
    row.lost_nothing("till", "1.0 1.1 1.0");
    row.lost_nothing("bank", "1.1 1.0 1.1 1.0");
    row.when(&format!("{QUIET} remove erlang-bank")).succeeds();
    row.then_rpm("till", "package erlang-till is not installed", "none");
    row.then_rpm("bank", "package erlang-bank is not installed", "none");
}
