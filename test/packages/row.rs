//! The words of a row: given, when, then.

use crate::fixture::Fixture;
use crate::host::{Host, Node, Run};

/// A host with a node that runs what is installed, and a client for each application.
pub struct Row {
    pub host: Host,
    pub node: Node,
}

/// Installs these packages, boots a node and lets clients talk to the applications.
#[track_caller]
pub fn given(packages: &str) -> Row {
    let host = Host::with_erlrc();
    if !packages.is_empty() {
        host.sh(&format!("dpkg -i {packages}")).succeeds();
    }
    let node = host.start("shop");
    let row = Row { host, node };
    applications(packages).iter().for_each(|app| row.talk(app));
    row
}

fn applications(packages: &str) -> Vec<String> {
    let tokens = packages.split('{').filter_map(|part| part.split_once('}'));
    let tokens = tokens.map(|(words, _)| words.trim_start_matches("rpm "));
    tokens.map(|words| Fixture::parse(words).app).collect()
}

/// The same by rpm, with erlrc as rpm.
#[track_caller]
pub fn given_rpm(packages: &str) -> Row {
    let host = Host::with_erlrc_rpm();
    if !packages.is_empty() {
        host.sh(&format!("rpm -i {packages}")).succeeds();
    }
    let node = host.start("shop");
    let row = Row { host, node };
    applications(packages).iter().for_each(|app| row.talk(app));
    row
}

impl Row {
    /// Asserts the versions that rpm knows, and the one that runs.
    #[track_caller]
    pub fn then_rpm(&self, app: &str, packages: &str, running: &str) {
        let known = self
            .when(&format!("rpm -q --qf '%{{VERSION}} ' erlang-{app} || true"))
            .out;
        assert_eq!(known.trim(), packages);
        self.host.runs(&self.node, app, running);
    }

    /// Does something.
    pub fn when(&self, line: &str) -> Run {
        self.host.sh(line)
    }

    /// Lets a client talk to an application.
    #[track_caller]
    pub fn talk(&self, app: &str) {
        self.host.talk(&self.node, app);
    }

    /// Asserts the state and version of the package, and the version that runs, or `none`.
    #[track_caller]
    pub fn then(&self, app: &str, package: &str, running: &str) {
        self.host.has(app, package);
        self.host.runs(&self.node, app, running);
    }

    /// Ends the client, which has lost nothing: every request was answered by the process and the state that were there from
    /// the start, by these versions in turn.
    #[track_caller]
    pub fn lost_nothing(&self, app: &str, versions: &str) {
        self.host.lost_nothing(&self.node, app, versions);
    }

    /// From now on a process looks at the code of `bank` and `till` without pause, and remembers the pairs: those that were
    /// the same before and after their second half was looked at.
    #[track_caller]
    pub fn observe(&self) {
        let sweep = "register(observer, spawn(fun() -> (fun Sweep(Seen) -> \
            Bank = bank_server:module_info(md5), Till = till_server:module_info(md5), \
            Now = case bank_server:module_info(md5) of Bank -> [{Bank, Till}]; _ -> [] end, \
            Pairs = lists:usort(Now ++ Seen), \
            receive {tell, To} -> To ! {pairs, length(Pairs)} after 0 -> ok end, \
            Sweep(Pairs) end)([]) end)), ok";
        assert_eq!(self.eval(sweep), "ok");
        assert_eq!(self.pairs(), "1");
    }

    /// Asserts that there was one pair before and another one after.
    #[track_caller]
    pub fn nobody_saw_a_mixture(&self) {
        assert_eq!(self.pairs(), "2");
        assert_eq!(self.eval("exit(whereis(observer), kill)"), "true");
    }

    #[track_caller]
    fn pairs(&self) -> String {
        self.eval("observer ! {tell, self()}, receive {pairs, Count} -> Count end")
    }

    /// Evaluates on the node.
    #[track_caller]
    pub fn eval(&self, expressions: &str) -> String {
        self.host.eval(&self.node, expressions)
    }
}

impl Host {
    /// The value of expressions on a node.
    #[track_caller]
    pub fn eval(&self, node: &Node, expressions: &str) -> String {
        let run = self.sh(&format!("erlrc eval {} \"{expressions}\"", node.name));
        assert!(run.text == run.out, "{}\n{}", run.text, node.log());
        run.succeeds().out.trim().to_owned()
    }

    /// Lets a client talk to an application of a node.
    #[track_caller]
    pub fn talk(&self, node: &Node, app: &str) {
        assert_eq!(
            self.eval(node, &format!("matrix_client:start({app})")),
            "ok"
        );
    }

    /// Asserts the version of an application that runs on a node, and that its server answers as that version.
    #[track_caller]
    pub fn runs(&self, node: &Node, app: &str, running: &str) {
        let own = format!("[V || {{{app}, _, V}} <- application:which_applications()]");
        let expected = if running == "none" {
            "[]".to_owned()
        } else {
            format!("[\"{running}\"]")
        };
        assert_eq!(
            self.eval(node, &own),
            expected,
            "{app} on {}:\n{}",
            node.name,
            node.log()
        );
    }

    /// Asserts what dpkg knows about the package of an application: `ii 1.0-1`, or nothing.
    #[track_caller]
    pub fn has(&self, app: &str, package: &str) {
        let query = format!(
            "dpkg-query -W -f '${{db:Status-Abbrev}} ${{Version}}' erlang-{app} 2>/dev/null"
        );
        let known = self.sh(&query).out;
        // Of a package that is not installed dpkg remembers at most that it was wanted.
        let known = known.trim_end_matches(['i', 'u', 'n', ' ']);
        assert_eq!(
            known.split_whitespace().collect::<Vec<_>>().join(" "),
            package,
            "the package of {app}"
        );
    }

    /// See [`Row::lost_nothing`].
    #[track_caller]
    pub fn lost_nothing(&self, node: &Node, app: &str, versions: &str) {
        self.eval(node, &format!("matrix_client:answered({app})"));
        self.seen(
            node,
            app,
            &format!("sent some, failed 0, restarts 0, versions {versions}"),
        );
    }

    /// Ends the client and asserts what it has seen.
    #[track_caller]
    pub fn seen(&self, node: &Node, app: &str, what: &str) {
        assert_eq!(
            self.eval(node, &format!("matrix_client:stop({app})")),
            format!("{what}\nok")
        );
    }
}
