//! Every row of dpkg's and rpm's tables, every way back.
//!
//! A row is a call, the state of the host at that call, and what is decided. The application is `foo`,
//! 1.0 in `A`, 2.0 in `B`.

use super::*;
use crate::appup::Direction;
use crate::identity::NodeName;
use crate::term::Atom;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

const A: &str = "/usr/lib/erlang/lib/foo-1.0";
const B: &str = "/usr/lib/erlang/lib/foo-2.0";
const STASH: &str = "/usr/lib/erlrc/stash/foo-1.0";

/// A host with one node, where the package manager has come to some point.
struct Host(Facts);

impl Host {
    /// The script is of version `own`, the metadata say `metadata`, `present` is on disk.
    fn new(own: &str, metadata: &str, present: &[&str]) -> Self {
        Self(Facts {
            own: version(own),
            metadata: Some(metadata).filter(|vsn| !vsn.is_empty()).map(version),
            present: present.iter().map(PathBuf::from).collect(),
            stash: Vec::new(),
            nodes: Vec::new(),
            registered: true,
            may_start: true,
            appups: Vec::new(),
            minimums: Vec::new(),
            installed: BTreeMap::new(),
            pending: BTreeMap::new(),
            batch: false,
            others_wait: false,
            stays: false,
        })
    }

    fn runs(self, node: &str, vsn: &str) -> Self {
        self.node(node, NodeState::Running(vsn.to_owned()))
    }

    fn idle(self, node: &str) -> Self {
        self.node(node, NodeState::Idle)
    }

    fn silent(self, node: &str) -> Self {
        self.node(node, NodeState::Unknown)
    }

    fn node(mut self, node: &str, state: NodeState) -> Self {
        let siblings = BTreeMap::new();
        let name = name(node);
        self.0.nodes.push(NodeFacts {
            name,
            state,
            siblings,
        });
        self
    }

    /// The node runs this version of an application that is asked for.
    fn sibling(mut self, application: &str, vsn: &str) -> Self {
        let node = self.0.nodes.last_mut().expect("a node");
        node.siblings.insert(atom(application), vsn.to_owned());
        self
    }

    fn minimum(mut self, application: &str, vsn: &str) -> Self {
        let (application, vsn) = (atom(application), vsn.to_owned());
        self.0.minimums.push(Minimum { application, vsn });
        self
    }

    fn stashed(mut self, vsn: &str) -> Self {
        let dir = format!("/usr/lib/erlrc/stash/foo-{vsn}").into();
        self.0.stash.push(Stashed {
            version: version(vsn),
            dir,
        });
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Facts)) -> Self {
        change(&mut self.0);
        self
    }

    /// Asserts what the script decides, a line for each action.
    #[track_caller]
    fn case(self, format: Format, script: &str, arguments: &str, expected: &[&str]) {
        let arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
        let call = Call::parse(format, script, &arguments).expect("a script");
        let actions: Vec<String> = decide(call, &self.0).iter().map(line).collect();
        assert_eq!(actions, expected, "{script} {arguments:?}");
    }

    #[track_caller]
    fn deb(self, call: &str, expected: &[&str]) {
        let (script, arguments) = call.split_once(' ').unwrap_or((call, ""));
        self.case(Format::Deb, script, arguments, expected);
    }

    #[track_caller]
    fn rpm(self, call: &str, expected: &[&str]) {
        let (script, arguments) = call.split_once(' ').unwrap_or((call, ""));
        self.case(Format::Rpm, script, arguments, expected);
    }
}

fn version(vsn: &str) -> Version {
    let dir = format!("/usr/lib/erlang/lib/foo-{vsn}").into();
    Version {
        vsn: vsn.to_owned(),
        dir,
    }
}

fn atom(name: &str) -> Atom {
    Atom::new(name).expect("a short name")
}

fn name(node: &str) -> NodeName {
    NodeName::parse(node).expect("a node's name")
}

fn line(action: &Action) -> String {
    let names = |nodes: &[NodeName]| {
        let nodes: Vec<String> = nodes.iter().map(ToString::to_string).collect();
        nodes.join(" ")
    };
    match action {
        Action::Stash(version) => format!("stash {} from {}", version.vsn, version.dir.display()),
        Action::Swap { nodes, change } => {
            let Change {
                direction,
                from,
                from_dir,
                to,
            } = change;
            let dir = from_dir
                .as_ref()
                .map_or("what is loaded".into(), |dir| dir.display().to_string());
            format!(
                "{} {from} -> {} on {} from {dir}",
                direction.name(),
                to.vsn,
                names(nodes)
            )
        }
        Action::Wait { node, unmet, .. } => format!("wait {node}: {unmet}"),
        Action::Queue(version) => format!("queue {}", version.vsn),
        Action::QueueStop(version) => format!("queue the stop of {}", version.vsn),
        Action::Remind { nodes, to } => format!("remind {} of {}", names(nodes), to.vsn),
        Action::Unreachable { nodes, .. } => format!("unreachable {}", names(nodes)),
        Action::Start { nodes, version } => format!("start {} on {}", version.vsn, names(nodes)),
        Action::Stop { nodes, vsn, .. } => format!("stop {vsn} on {}", names(nodes)),
        Action::Settle => "settle".to_owned(),
        Action::Forget => "forget".to_owned(),
    }
}

const UP: &str = "up 1.0 -> 2.0 on n1 from /usr/lib/erlang/lib/foo-1.0";
const LATE: &str = "up 1.0 -> 2.0 on n1 from /usr/lib/erlrc/stash/foo-1.0";
const DOWN: &str = "down 2.0 -> 1.0 on n1 from /usr/lib/erlang/lib/foo-2.0";

mod dpkg {
    use super::*;

    #[test]
    fn install() {
        Host::new("2.0", "", &[])
            .idle("n1")
            .deb("preinst install", &[]);
        let installed = Host::new("2.0", "2.0", &[B]).idle("n1");
        installed.deb("postinst configure", &["start 2.0 on n1", "settle"]);
    }

    #[test]
    fn upgrade() {
        Host::new("1.0", "1.0", &[A])
            .runs("n1", "1.0")
            .deb("prerm upgrade 2.0-1", &[]);
        let stash = format!("stash 1.0 from {A}");
        let unpacking = Host::new("2.0", "1.0", &[A]).runs("n1", "1.0");
        unpacking.deb("preinst upgrade 1.0-1 2.0-1", &[&stash]);
        let both = Host::new("1.0", "2.0", &[A, B])
            .runs("n1", "1.0")
            .stashed("1.0");
        both.deb("postrm upgrade 2.0-1", &[UP]);
        let configured = Host::new("2.0", "2.0", &[B])
            .runs("n1", "2.0")
            .stashed("1.0");
        configured.deb("postinst configure 1.0-1", &["start 2.0 on n1", "settle"]);
    }

    #[test]
    fn downgrade() {
        let both = Host::new("2.0", "1.0", &[A, B]).runs("n1", "2.0");
        both.deb("postrm upgrade 1.0-1", &[DOWN]);
    }

    #[test]
    fn an_appup_that_covers_the_pair_says_which_way_it_is() {
        let odd = Host::new("2.0", "1.0", &[A, B]).runs("n1", "2.0");
        let odd = odd.with(|facts| facts.appups.push(("2.0".to_owned(), Direction::Up)));
        odd.deb(
            "postrm upgrade 1.0-1",
            &["up 2.0 -> 1.0 on n1 from /usr/lib/erlang/lib/foo-2.0"],
        );
    }

    #[test]
    fn the_same_version_again() {
        let reload = "up 1.0 -> 1.0 on n1 from /usr/lib/erlang/lib/foo-1.0";
        let host = || {
            Host::new("1.0", "1.0", &[A])
                .runs("n1", "1.0")
                .stashed("1.0")
        };
        host().deb("postrm upgrade 1.0-2", &[reload]);
        host().deb("postinst configure 1.0-1", &[reload, "settle"]);
        // While the new bytes lie there the old ones cannot be loaded from there again.
        host().deb("preinst abort-upgrade 1.0-2", &[]);
        host().deb("postinst abort-upgrade 1.0-2", &[reload, "settle"]);
    }

    #[test]
    fn remove() {
        Host::new("1.0", "1.0", &[A])
            .runs("n1", "1.0")
            .deb("prerm remove", &["stop 1.0 on n1"]);
        Host::new("1.0", "1.0", &[A])
            .idle("n1")
            .deb("prerm remove", &["stop 1.0 on n1"]);
        Host::new("1.0", "", &[])
            .idle("n1")
            .deb("postrm remove", &["forget"]);
        let left = Host::new("1.0", "", &[]).runs("n1", "1.0");
        left.deb("postrm remove", &["stop 1.0 on n1", "forget"]);
        Host::new("1.0", "", &[])
            .idle("n1")
            .deb("postrm purge", &["forget"]);
    }

    #[test]
    fn a_node_that_waits_for_its_restart_stops_what_it_runs() {
        let waiting = Host::new("2.0", "2.0", &[B])
            .runs("n1", "1.0")
            .runs("n2", "2.0");
        waiting.deb("prerm remove", &["stop 1.0 on n1", "stop 2.0 on n2"]);
    }

    #[test]
    fn install_from_rc() {
        Host::new("2.0", "", &[])
            .idle("n1")
            .deb("preinst install 1.0-1 2.0-1", &[]);
        // The old version as second argument makes it no upgrade.
        let installed = Host::new("2.0", "2.0", &[B]).idle("n1");
        installed.deb("postinst configure 1.0-1", &["start 2.0 on n1", "settle"]);
    }

    #[test]
    fn disappear() {
        // Another package has the application now.
        let other = Host::new("1.0", "2.0", &[B]).runs("n1", "1.0");
        other.deb("postrm disappear bar 2.0-1", &[]);
        let gone = Host::new("1.0", "", &[]).runs("n1", "1.0");
        gone.deb("postrm disappear bar 2.0-1", &["stop 1.0 on n1", "forget"]);
    }

    #[test]
    fn conflict_and_deconfigure() {
        let host = || Host::new("1.0", "1.0", &[A]).runs("n1", "1.0");
        host().deb("prerm remove in-favour bar 2.0-1", &["stop 1.0 on n1"]);
        host().deb(
            "prerm deconfigure in-favour bar 2.0-1 removing foo 1.0-1",
            &["stop 1.0 on n1"],
        );
        host().deb("prerm deconfigure in-favour brk 2.0-1", &[]);
        let stopped = || Host::new("1.0", "1.0", &[A]).idle("n1");
        stopped().deb(
            "postinst abort-remove in-favour bar 2.0-1",
            &["start 1.0 on n1"],
        );
        let words = "postinst abort-deconfigure in-favour bar 2.0-1 removing foo 1.0-1";
        stopped().deb(words, &["start 1.0 on n1"]);
    }

    #[test]
    fn a_version_unpacked_and_never_configured() {
        // 1.0 runs, 2.0 was unpacked while the node was down, 3.0 is unpacked over it.
        let c = "/usr/lib/erlang/lib/foo-3.0";
        let both = Host::new("2.0", "3.0", &[B, c])
            .runs("n1", "1.0")
            .stashed("1.0");
        both.deb(
            "postrm upgrade 3.0-1",
            &["up 1.0 -> 3.0 on n1 from /usr/lib/erlrc/stash/foo-1.0"],
        );
    }
}

mod dpkg_unwinds {
    use super::*;

    #[test]
    fn prerm_failed() {
        let old = || Host::new("1.0", "1.0", &[A]).runs("n1", "1.0");
        let new = Host::new("2.0", "1.0", &[A]).runs("n1", "1.0");
        new.deb("prerm failed-upgrade 1.0-1 2.0-1", &[]);
        let reload = "up 1.0 -> 1.0 on n1 from /usr/lib/erlang/lib/foo-1.0";
        old().deb("postinst abort-upgrade 2.0-1", &[reload, "settle"]);
    }

    #[test]
    fn preinst_failed_or_files_conflict() {
        let new = Host::new("2.0", "1.0", &[A])
            .runs("n1", "1.0")
            .stashed("1.0");
        new.deb("postrm abort-upgrade 1.0-1 2.0-1", &[]);
        Host::new("2.0", "", &[])
            .idle("n1")
            .deb("postrm abort-install", &[]);
    }

    #[test]
    fn postrm_failed_and_the_new_one_tries_again() {
        // The new script does not know the old version: the node and the stash do.
        let again = Host::new("2.0", "2.0", &[A, B])
            .runs("n1", "1.0")
            .stashed("1.0");
        again.deb("postrm failed-upgrade 1.0-1 2.0-1", &[UP]);
    }

    #[test]
    fn both_failed() {
        let back = || Host::new("1.0", "2.0", &[A, B]).stashed("1.0");
        back()
            .runs("n1", "1.0")
            .deb("preinst abort-upgrade 2.0-1", &[]);
        back()
            .runs("n1", "2.0")
            .deb("preinst abort-upgrade 2.0-1", &[DOWN]);
        let restored = Host::new("1.0", "1.0", &[A])
            .runs("n1", "2.0")
            .idle("n2")
            .stashed("1.0");
        let late = "down 2.0 -> 1.0 on n1 from what is loaded";
        restored.deb(
            "postinst abort-upgrade 2.0-1",
            &[late, "start 1.0 on n2", "settle"],
        );
    }

    #[test]
    fn configure_failed_and_is_called_again() {
        let again = Host::new("2.0", "2.0", &[B])
            .runs("n1", "1.0")
            .stashed("1.0");
        again.deb("postinst configure 1.0-1", &[LATE, "settle"]);
    }

    #[test]
    fn killed_in_postrm_and_run_again() {
        let stash = format!("stash 2.0 from {B}");
        let again = Host::new("2.0", "2.0", &[A, B])
            .runs("n1", "2.0")
            .stashed("1.0");
        again.deb("preinst upgrade 1.0-1 2.0-1", &[&stash]);
        let again = Host::new("2.0", "2.0", &[A, B])
            .runs("n1", "1.0")
            .stashed("1.0");
        again.deb("postrm upgrade 2.0-1", &[UP]);
    }
}

mod rpm {
    use super::*;

    #[test]
    fn upgrade_and_downgrade() {
        let stash = format!("stash 1.0 from {A}");
        Host::new("2.0", "1.0", &[A])
            .runs("n1", "1.0")
            .rpm("pre 2", &[&stash]);
        let both = || {
            Host::new("2.0", "2.0", &[A, B])
                .runs("n1", "1.0")
                .stashed("1.0")
        };
        both().rpm("post 2", &[UP]);
        both().rpm("preun 1", &[]);
        both().rpm("postun 1", &[]);
        let after = Host::new("2.0", "2.0", &[B])
            .runs("n1", "2.0")
            .stashed("1.0");
        after.rpm("posttrans 2", &["start 2.0 on n1", "settle"]);
        let down = Host::new("1.0", "1.0", &[A, B])
            .runs("n1", "2.0")
            .stashed("2.0");
        down.rpm("post 2", &[DOWN]);
    }

    #[test]
    fn install_and_erase() {
        Host::new("1.0", "", &[]).idle("n1").rpm("pre 1", &[]);
        Host::new("1.0", "1.0", &[A]).idle("n1").rpm("post 1", &[]);
        let installed = Host::new("1.0", "1.0", &[A]).idle("n1");
        installed.rpm("posttrans 1", &["start 1.0 on n1", "settle"]);
        Host::new("1.0", "1.0", &[A])
            .runs("n1", "1.0")
            .rpm("preun 0", &["stop 1.0 on n1"]);
        Host::new("1.0", "", &[])
            .idle("n1")
            .rpm("postun 0", &["forget"]);
    }

    #[test]
    fn a_swap_that_failed_is_made_up_for_at_the_end() {
        let after = || {
            Host::new("2.0", "2.0", &[B])
                .runs("n1", "1.0")
                .stashed("1.0")
        };
        after().rpm("posttrans 3", &[LATE, "settle"]);
        let known = after().with(|facts| drop(facts.pending.insert(name("n1"), "2.0".to_owned())));
        known.rpm("posttrans 2", &["remind n1 of 2.0", "settle"]);
    }
}

mod nodes {
    use super::*;

    #[test]
    fn where_there_is_none_nothing_is_done() {
        Host::new("2.0", "1.0", &[A]).deb("preinst upgrade 1.0-1 2.0-1", &[]);
        Host::new("1.0", "2.0", &[A, B]).deb("postrm upgrade 2.0-1", &[]);
        Host::new("2.0", "2.0", &[B]).deb("postinst configure 1.0-1", &["settle"]);
        Host::new("1.0", "1.0", &[A]).deb("prerm remove", &[]);
    }

    #[test]
    fn each_goes_from_what_it_runs() {
        let both = Host::new("1.0", "2.0", &[A, B])
            .runs("n1", "1.0")
            .runs("n2", "0.9")
            .runs("n3", "1.0");
        let up = "up 1.0 -> 2.0 on n1 n3 from /usr/lib/erlang/lib/foo-1.0";
        both.deb(
            "postrm upgrade 2.0-1",
            &[up, "up 0.9 -> 2.0 on n2 from what is loaded"],
        );
    }

    #[test]
    fn what_does_not_run_is_not_swapped_and_started_where_it_is_registered() {
        Host::new("1.0", "2.0", &[A, B])
            .idle("n1")
            .deb("postrm upgrade 2.0-1", &[]);
        let unregistered = Host::new("2.0", "2.0", &[B]).idle("n1");
        let unregistered = unregistered.with(|facts| facts.registered = false);
        unregistered.deb("postinst configure 1.0-1", &["settle"]);
    }

    #[test]
    fn a_policy_against_starts_is_none_against_swaps() {
        let forbidden = |facts: &mut Facts| facts.may_start = false;
        let both = Host::new("1.0", "2.0", &[A, B])
            .runs("n1", "1.0")
            .with(forbidden);
        both.deb("postrm upgrade 2.0-1", &[UP]);
        let late = Host::new("2.0", "2.0", &[B])
            .runs("n1", "1.0")
            .idle("n2")
            .stashed("1.0");
        late.with(forbidden)
            .deb("postinst configure 1.0-1", &[LATE, "settle"]);
    }

    #[test]
    fn one_that_does_not_answer_is_named() {
        let stash = format!("stash 1.0 from {A}");
        let unpacking = Host::new("2.0", "1.0", &[A]).silent("n1");
        unpacking.deb("preinst upgrade 1.0-1 2.0-1", &[&stash]);
        let both = Host::new("1.0", "2.0", &[A, B]).silent("n1");
        both.deb("postrm upgrade 2.0-1", &["unreachable n1"]);
        Host::new("1.0", "1.0", &[A])
            .silent("n1")
            .deb("prerm remove", &["unreachable n1"]);
    }
}

mod gate {
    use super::*;

    #[test]
    fn a_swap_waits_for_what_the_new_version_needs() {
        let both = || {
            Host::new("1.0", "2.0", &[A, B])
                .minimum("bar", "2.0")
                .runs("n1", "1.0")
        };
        both()
            .sibling("bar", "2.0")
            .deb("postrm upgrade 2.0-1", &[UP]);
        both()
            .sibling("bar", "10.0")
            .deb("postrm upgrade 2.0-1", &[UP]);
        let early = "wait n1: needs bar 2.0 or later, 1.9 runs";
        both()
            .sibling("bar", "1.9")
            .deb("postrm upgrade 2.0-1", &[early]);
        let absent = "wait n1: needs bar 2.0 or later, which is not there yet";
        both().deb("postrm upgrade 2.0-1", &[absent]);
        let installed =
            |facts: &mut Facts| drop(facts.installed.insert(atom("bar"), "2.0".to_owned()));
        both().with(installed).deb("postrm upgrade 2.0-1", &[UP]);
    }

    #[test]
    fn it_is_made_when_the_package_is_configured() {
        let late = || {
            let late = Host::new("2.0", "2.0", &[B])
                .minimum("bar", "2.0")
                .runs("n1", "1.0");
            late.stashed("1.0")
        };
        late()
            .sibling("bar", "2.0")
            .deb("postinst configure 1.0-1", &[LATE, "settle"]);
        let still = "wait n1: needs bar 2.0 or later, 1.0 runs";
        late()
            .sibling("bar", "1.0")
            .deb("postinst configure 1.0-1", &[still, "settle"]);
    }
}

mod batch {
    use super::*;

    #[test]
    fn everything_waits_for_the_end() {
        let batch = |facts: &mut Facts| facts.batch = true;
        let both = Host::new("1.0", "2.0", &[A, B])
            .runs("n1", "1.0")
            .with(batch);
        both.deb("postrm upgrade 2.0-1", &["queue 2.0"]);
        let configured = Host::new("2.0", "2.0", &[B])
            .runs("n1", "1.0")
            .idle("n2")
            .with(batch);
        configured.deb("postinst configure 1.0-1", &["queue 2.0"]);
    }

    #[test]
    fn what_is_new_waits_as_well_if_it_is_to_start() {
        let new = || {
            Host::new("2.0", "2.0", &[B])
                .idle("n1")
                .with(|facts| facts.batch = true)
        };
        new().deb("postinst configure", &["queue 2.0"]);
        let early = new().sibling("bar", "1.0").minimum("bar", "2.0");
        early.deb("postinst configure", &["queue 2.0"]);
        let unregistered = new().with(|facts| facts.registered = false);
        unregistered.deb("postinst configure", &[]);
        let forbidden = new().with(|facts| facts.may_start = false);
        forbidden.deb("postinst configure", &[]);
    }

    fn removed() -> Host {
        Host::new("1.0", "1.0", &[A])
            .runs("n1", "1.0")
            .idle("n2")
            .with(|facts| facts.batch = true)
    }

    const KEPT: &str = "stash 1.0 from /usr/lib/erlang/lib/foo-1.0";
    const WAITS: &str = "queue the stop of 1.0";

    #[test]
    fn what_is_removed_waits_as_well_where_it_runs() {
        for call in [
            "prerm remove",
            "prerm remove in-favour bar 2.0-1",
            "prerm deconfigure in-favour bar 2.0-1 removing qux 1.0-1",
        ] {
            removed().deb(call, &[KEPT, WAITS]);
        }
        let silent = removed().silent("n3");
        silent.deb("prerm remove", &["unreachable n3", KEPT, WAITS]);
        let idle = Host::new("1.0", "1.0", &[A]).idle("n2");
        let idle = idle.with(|facts| facts.batch = true);
        idle.deb("prerm remove", &["stop 1.0 on n2"]);
        for call in [
            "postrm remove",
            "postrm disappear bar 2.0-1",
            "postrm purge",
        ] {
            removed()
                .with(|facts| facts.metadata = None)
                .deb(call, &[WAITS]);
        }
        // Called off: it is there again at the end.
        removed().deb("postinst abort-remove", &["queue 1.0"]);
    }

    #[test]
    fn what_is_removed_joins_what_waits() {
        let joins = removed().with(|facts| (facts.batch, facts.others_wait) = (false, true));
        joins.deb("prerm remove", &[KEPT, WAITS]);
        let alone = removed().with(|facts| facts.batch = false);
        alone.deb("prerm remove", &["stop 1.0 on n1 n2"]);
    }

    #[test]
    fn nobody_calls_at_the_end_of_a_transaction_of_rpm_that_removes() {
        removed().rpm("preun 0", &["stop 1.0 on n1 n2"]);
    }

    #[test]
    fn erlrc_itself_does_not_wait_to_be_stopped() {
        let itself = removed().with(|facts| facts.stays = true);
        itself.deb("prerm remove", &["stop 1.0 on n1 n2"]);
    }

    #[test]
    fn what_stops_at_the_end_is_known_by_the_directory_that_it_had() {
        let gone = Host::new("2.0", "", &[])
            .runs("n1", "1.0")
            .runs("n2", "2.0")
            .stashed("1.0");
        let dirs = |action: &Action| match action {
            Action::Stop { dir, .. } => dir.clone(),
            _ => None,
        };
        let actions = stop_at_the_end(&gone.0);
        let lines: Vec<String> = actions.iter().map(line).collect();
        assert_eq!(lines, ["stop 1.0 on n1", "stop 2.0 on n2", "forget"]);
        let dirs: Vec<PathBuf> = actions.iter().filter_map(dirs).collect();
        assert_eq!(dirs, [A, B].map(PathBuf::from));
    }
}

#[test]
fn only_these_may_fail() {
    let all = [
        (Format::Deb, "postrm", "upgrade", true),
        (Format::Deb, "postrm", "failed-upgrade", true),
        (Format::Deb, "postinst", "configure", true),
        (Format::Deb, "prerm", "remove", true),
        (Format::Deb, "prerm", "upgrade", false),
        (Format::Deb, "prerm", "failed-upgrade", false),
        (
            Format::Deb,
            "prerm",
            "deconfigure in-favour a 1 removing b 1",
            false,
        ),
        (Format::Deb, "preinst", "install", false),
        (Format::Deb, "preinst", "upgrade", false),
        (Format::Deb, "preinst", "abort-upgrade", false),
        (Format::Deb, "postinst", "abort-upgrade", false),
        (Format::Deb, "postinst", "abort-remove", false),
        (Format::Deb, "postinst", "triggered", false),
        (Format::Deb, "postrm", "abort-upgrade", false),
        (Format::Deb, "postrm", "remove", false),
        (Format::Deb, "postrm", "disappear", false),
        (Format::Deb, "postrm", "purge", false),
        (Format::Rpm, "pre", "2", false),
        (Format::Rpm, "post", "2", true),
        (Format::Rpm, "preun", "0", true),
        (Format::Rpm, "preun", "1", false),
        (Format::Rpm, "postun", "0", false),
    ];
    for (format, script, arguments, expected) in all {
        let arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
        let call = Call::parse(format, script, &arguments).expect("a script");
        assert_eq!(call.may_fail, expected, "{script} {arguments:?}");
    }
}

#[test]
fn what_is_no_script_is_not_guessed_at() {
    assert_eq!(Call::parse(Format::Deb, "config", &[]), None);
    assert_eq!(Call::parse(Format::Rpm, "postinst", &[]), None);
    let later = Call::parse(Format::Deb, "postinst", &["of-a-later-dpkg".to_owned()]);
    assert_eq!(later.map(|call| call.moment), Some(Moment::Nothing));
}

mod journal {
    use super::*;

    fn record(state: State, node: Option<&str>) -> Record {
        Record {
            time: "2026-01-01T00:00:00Z".to_owned(),
            script: "deb postrm upgrade".to_owned(),
            state,
            application: "foo".to_owned(),
            node: node.map(str::to_owned),
            from: Some(Subject::from(&version("1.0"))),
            to: Some(Subject::from(&version("2.0"))),
            reason: None,
            needs: BTreeMap::new(),
        }
    }

    #[test]
    fn the_last_record_of_a_node_counts() {
        let records = [
            record(State::Prepared, None),
            record(State::Swapping, Some("n1")),
            record(State::Swapping, Some("n2")),
            record(State::Swapped, Some("n1")),
            record(State::Pending, Some("n2")),
        ];
        let journal = Journal::replay(records.clone());
        let open: Vec<State> = journal.open().map(|record| record.state).collect();
        assert_eq!(open, [State::Prepared, State::Swapped, State::Pending]);
        let pending = BTreeMap::from([(name("n2"), "2.0".to_owned())]);
        assert_eq!(journal.pending(&atom("foo")), pending);
        let settled = Journal::replay(records.into_iter().chain([record(State::Done, None)]));
        assert_eq!(settled.open().count(), 0);
    }

    #[test]
    fn a_record_that_leads_elsewhere_is_passed_over() {
        let dir = |dir: &str| Record {
            to: Some(Subject {
                vsn: "2.0".to_owned(),
                dir: Some(dir.into()),
            }),
            ..record(State::Pending, Some("n1"))
        };
        let vsn = |vsn: &str| Record {
            from: Some(Subject {
                vsn: vsn.to_owned(),
                dir: None,
            }),
            ..record(State::Pending, Some("n1"))
        };
        let records = [
            dir("/usr/lib/../../etc"),
            dir("relative"),
            vsn("1.0/../../etc"),
            vsn(""),
            Record {
                application: "../foo".to_owned(),
                ..record(State::Queued, None)
            },
            record(State::Pending, Some("n1/../n2")),
            Record {
                needs: BTreeMap::from([("../bar".to_owned(), "1.0".to_owned())]),
                ..record(State::Prepared, None)
            },
        ];
        let count = records.len();
        let journal = Journal::replay(records);
        assert_eq!((journal.open().count(), journal.refused), (0, count));
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let written = record(State::Pending, Some("n1"));
        let text = serde_json::to_string(&written).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Record>(&text).expect("a record"),
            written
        );
    }
}

#[test]
fn a_version_is_where_its_package_has_it_else_in_the_stash() {
    let facts = Host::new("2.0", "2.0", &[A, B]).stashed("1.0").0;
    assert_eq!(facts.place("1.0"), Some(A.into()));
    assert_eq!(facts.place("2.0"), Some(B.into()));
    assert_eq!(facts.place("3.0"), None);
    let facts = Facts {
        present: BTreeSet::from([B.into()]),
        ..facts
    };
    assert_eq!(facts.place("1.0"), Some(STASH.into()));
}
