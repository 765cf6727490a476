//! A service of several applications: one package names them, and one run of apt takes every node from one set to another.

use crate::host::Node;
use crate::row::{Row, given};

/// A repository that has the packages of two releases of a service: `my_app1` goes from 1.0 to 1.1, `my_app2` comes and
/// `other_app` goes. Both need `mnesia`.
const REPOSITORY: &str = "mkdir -p /srv/repository /tmp/make && cd /tmp/make && \
    printf 'prefix = \"\"\\nmaintainer = \"A <a@example.org>\"\\n' >erlrc.toml && \
    erlrc package -q --output /srv/repository --service MY_SERVICE=2011.1 --apps my_app1=1.0,other_app=1.0,mnesia && \
    printf 'conflicts = [\"other-app\"]\\n' >>erlrc.toml && \
    erlrc package -q --output /srv/repository --service MY_SERVICE=2011.2 --apps my_app1=1.1,my_app2=1.0,mnesia && \
    cp {my_app1 1.0 name=my-app1 needs=mnesia} {my_app1 1.1 name=my-app1 needs=mnesia} \
        {my_app2 1.0 name=my-app2 needs=mnesia} {other_app 1.0 name=other-app needs=mnesia} /srv/repository && \
    cd /srv/repository && apt-ftparchive packages . >Packages && \
    echo 'deb [trusted=yes] copy:/srv/repository ./' >/etc/apt/sources.list.d/service.list && apt-get update";

const BACK: &str =
    "apt-get install -y --allow-downgrades my-service=2011.1-1 my-app1=1.0-1 other-app my-app2-";

/// Two nodes that run MY_SERVICE 2011.1, and a client of each.
fn service() -> (Row, Node) {
    let row = given("");
    let other = row.host.start("desk");
    row.when(REPOSITORY).succeeds();
    row.when("apt-get install -y my-service=2011.1-1 my-app1=1.0-1")
        .succeeds();
    for node in [&row.node, &other] {
        runs(&row, node, ["1.0", "none", "1.0"]);
        row.host.talk(node, "my_app1");
        assert_eq!(row.host.eval(node, OBSERVER), "ok");
    }
    (row, other)
}

#[track_caller]
fn runs(row: &Row, node: &Node, versions: [&str; 3]) {
    let applications = ["my_app1", "my_app2", "other_app"];
    for (app, vsn) in applications.into_iter().zip(versions) {
        row.host.runs(node, app, vsn);
    }
    let mnesia = "lists:keymember(mnesia, 1, application:which_applications())";
    assert_eq!(row.host.eval(node, mnesia), "true");
}

/// Looks at the service without pause, and remembers what was the same twice in a row: the code of `my_app1`, the first
/// that was seen or another one, and whether the servers of the others are there.
const OBSERVER: &str = "First = my_app1_server:module_info(md5), Self = self(), \
    Look = fun() -> {case my_app1_server:module_info(md5) of First -> old; _ -> new end, \
        whereis(my_app2_server) =/= undefined, whereis(other_app_server) =/= undefined} end, \
    register(observer, spawn(fun() -> (fun Sweep(Seen) -> \
        One = Look(), Now = case Look() of One -> lists:usort([One | Seen]); _ -> Seen end, \
        receive {tell, To} -> To ! {seen, Now} after 0 -> ok end, \
        Sweep(Now) end)([]) end)), ok";

/// The set as it was, what is new runs, all is new, what goes is gone: nothing else was ever seen.
const ALLOWED: &str = "[{new,true,false},{new,true,true},{old,false,true},{old,true,true}]";

/// What the observer has seen, less what is allowed; then both ends are asked for.
#[track_caller]
fn nobody_saw_a_mixture(row: &Row, node: &Node) {
    let seen = format!(
        "observer ! {{tell, self()}}, receive {{seen, Seen}} -> \
         {{Seen -- {ALLOWED}, [lists:member(One, Seen) || One <- [{{old,false,true}}, {{new,true,false}}]]}} end"
    );
    assert_eq!(row.host.eval(node, &seen), "{[],[true,true]}");
}

const CHANGED: &str = "Changing 'my_app1 my_app2 other_app': ";

/// What the hooks said in a run: one change on each node.
#[track_caller]
fn one_change(text: &str, vsn: &str) {
    let said: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("erlrc-"))
        .collect();
    let expected = [
        format!("erlrc-change: {CHANGED}(desk@host) changed"),
        format!("erlrc-change: {CHANGED}(shop@host) changed"),
        format!("erlrc-maint: MY_SERVICE: {vsn} runs"),
    ];
    assert_eq!(said, expected, "{text}");
}

#[test]
fn one_run_of_apt_takes_every_node_to_the_other_set_and_back() {
    let (row, other) = service();
    let run = row.when("apt-get install -y my-service");
    one_change(&run.succeeds().text, "2011.2");
    for node in [&row.node, &other] {
        runs(&row, node, ["1.1", "1.0", "none"]);
        nobody_saw_a_mixture(&row, node);
    }
    let run = row.when(BACK);
    one_change(&run.succeeds().text, "2011.1");
    for node in [&row.node, &other] {
        runs(&row, node, ["1.0", "none", "1.0"]);
        nobody_saw_a_mixture(&row, node);
        row.host.lost_nothing(node, "my_app1", "1.0 1.1 1.0");
    }
    row.when("ls -A /usr/lib/erlrc/stash").does_not_say("app");
}

#[test]
fn what_no_set_names_any_more_goes_by_autoremove_as_well() {
    let (row, other) = service();
    row.when(
        "cd /tmp/make && sed -i /conflicts/d erlrc.toml && erlrc package --output /srv/repository \
              --service MY_SERVICE=2011.2 --apps my_app1=1.1,my_app2=1.0,mnesia && \
              cd /srv/repository && apt-ftparchive packages . >Packages && apt-get update",
    )
    .succeeds();
    let run = row.when("apt-get install -y --autoremove my-service");
    one_change(&run.succeeds().text, "2011.2");
    for node in [&row.node, &other] {
        runs(&row, node, ["1.1", "1.0", "none"]);
        nobody_saw_a_mixture(&row, node);
        row.host.lost_nothing(node, "my_app1", "1.0 1.1");
    }
}

#[test]
fn a_set_that_is_not_installed_as_a_whole_waits_and_names_what_is_missing() {
    let (row, other) = service();
    let debs =
        "/srv/repository/my-service_2011.2-1_all.deb {my_app1 1.1 name=my-app1 needs=mnesia}";
    row.when("dpkg -r --force-depends other-app").says(
        "erlrc-maint: MY_SERVICE: 2011.1 waits, no node changes: other_app 1.0 is not installed; ",
    );
    row.when(&format!("dpkg -i {debs}")).fails().says(
        "erlrc-maint: MY_SERVICE: 2011.2 waits, no node changes: my_app2 1.0 is not installed; ",
    );
    for node in [&row.node, &other] {
        runs(&row, node, ["1.0", "none", "1.0"]);
    }
    let run = row.when("apt-get install -y -f");
    one_change(&run.succeeds().text, "2011.2");
    for node in [&row.node, &other] {
        runs(&row, node, ["1.1", "1.0", "none"]);
        row.host.lost_nothing(node, "my_app1", "1.0 1.1");
    }
}

#[test]
fn a_package_of_a_service_whose_set_is_another_one_is_not_configured() {
    let (row, _other) = service();
    row.when("dpkg -i --force-depends --force-conflicts /srv/repository/my-service_2011.2-1_all.deb")
        .fails()
        .says("erlrc-maint: MY_SERVICE: 2011.2 waits, no node changes: my_app1 is 1.0, not 1.1, my_app2 1.0 is not installed; ");
    row.when("dpkg-query -W -f '${db:Status-Abbrev}' my-service")
        .says("iF");
    row.host.runs(&row.node, "my_app1", "1.0");
}

#[test]
fn without_the_package_of_the_service_each_application_changes_at_once() {
    let (row, other) = service();
    row.when("dpkg -r my-service").succeeds();
    let run = row.when("dpkg -i {my_app1 1.1 name=my-app1 needs=mnesia}");
    run.succeeds()
        .says("Upgrading 'my_app1': ")
        .does_not_say("Processing triggers for erlrc");
    for node in [&row.node, &other] {
        row.host.lost_nothing(node, "my_app1", "1.0 1.1");
    }
}
