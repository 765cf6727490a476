//! What a plan says would happen is what the upgrade then does: pairs of versions are drawn at random, planned on
//! a node that runs the earlier one, and upgraded.
//!
//! `ERLRC_TEST_SEED` draws others than those of every run.

use crate::host::fixtures::erlc_into;
use crate::host::{Host, Run};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

const PAIRS: u32 = 24;
const SEED: u32 = 0x2545_f491;

/// What is drawn.
struct Draw(u32);

impl Draw {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 % end
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        let end = u32::try_from(values.len()).unwrap();
        values[self.below(end) as usize]
    }
}

/// One version: the parts of an application, as they were drawn.
#[derive(Clone, Debug)]
struct Version {
    /// What the supervisor does before it answers, and how often a child may fail.
    effect: &'static str,
    intensity: u32,
    /// How many of each the supervisor has.
    servers: u32,
    special: bool,
    /// The module of the special process.
    worker: &'static str,
    /// Whether all children are of one kind that is started at run time.
    simple: bool,
    /// The record of the servers, and what becomes of it.
    fields: &'static str,
    change: &'static str,
    /// What else differs: bodies of functions.
    server: u32,
    machine: u32,
    process: u32,
    library: Option<u32>,
    appup: Option<&'static str>,
}

const KEEPS: &str = "code_change(_, S, _) -> {ok, S}.";
const ADDS: &str =
    "code_change(_, {state, A}, _) -> {ok, {state, A, 0}}; code_change(_, S, _) -> {ok, S}.";
const FAILS: &str = "code_change(_, {state, A}, _) when A =/= undefined -> {ok, {state, A, 0}}.";

fn drawn(draw: &mut Draw) -> (Version, Version) {
    let old = Version {
        effect: draw.one_of(&["", "", "", "_ = ets:new(APP, [named_table]),"]),
        intensity: 1,
        servers: 1 + draw.below(3),
        special: draw.below(2) == 0,
        worker: "process",
        simple: false,
        fields: "a",
        change: KEEPS,
        server: 0,
        machine: 0,
        process: 0,
        library: draw.one_of(&[None, Some(0), Some(0)]),
        appup: None,
    };
    let (fields, change) = draw.one_of(&[
        ("a", KEEPS),
        ("a", KEEPS),
        ("a", ADDS),
        ("a, b", KEEPS),
        ("a, b = 0", ADDS),
        ("a, b", FAILS),
    ]);
    let new = Version {
        intensity: 1 + draw.below(2),
        fields,
        change,
        server: draw.below(2),
        machine: draw.below(2),
        process: draw.below(2),
        library: draw.one_of(&[None, Some(0), Some(1), Some(1)]),
        appup: draw.one_of(&[
            None,
            None,
            None,
            None,
            Some("[{load_module, APP_machine}, {load_module, APP_machine}]"),
            Some("[{update, APP_server, {advanced, []}}]"),
            Some("[{restart_application, APP}]"),
        ]),
        worker: draw.one_of(&["process", "process", "process", "worker"]),
        simple: draw.below(8) == 0,
        ..old.clone()
    };
    (old, new)
}

impl Version {
    fn modules(&self) -> Vec<(&'static str, String)> {
        let mut children = String::new();
        let starts = (1..=self.servers).map(|n| format!("{{s{n}, APP_server}}"));
        let special = self.special.then(|| format!("{{p, APP_{}}}", self.worker));
        for start in starts.chain(["{m, APP_machine}".to_owned()]).chain(special) {
            write!(children, "{start}, ").unwrap();
        }
        let children = children.trim_end_matches(", ");
        let sup = format!(
            "-behaviour(supervisor).\n-export([start/2, stop/1, init/1]).\n\
             start(_, _) -> supervisor:start_link({{local, APP_sup}}, APP_sup, []).\nstop(_) -> ok.\n\
             init([]) -> {} Children = [#{{id => I, start => {{M, start, []}}}} || {{I, M}} <- [{children}]],\n\
             {{ok, {{#{{intensity => {}{}}}, {}}}}}.\n",
            self.effect,
            self.intensity,
            if self.simple {
                ", strategy => simple_one_for_one"
            } else {
                ""
            },
            if self.simple {
                "[hd(Children)]"
            } else {
                "Children"
            },
        );
        let server = format!(
            "-behaviour(gen_server).\n-export([start/0, init/1, handle_call/3, handle_cast/2, code_change/3]).\n\
             -record(state, {{{}}}).\nstart() -> gen_server:start_link(APP_server, [], []).\n\
             init([]) -> {{ok, #state{{}}}}.\nhandle_call(_, _, #state{{a = A}} = S) -> {{reply, {{{}, A}}, S}}.\n\
             handle_cast(_, S) -> {{noreply, S}}.\n{}\n",
            self.fields, self.server, self.change
        );
        let machine = format!(
            "-behaviour(gen_statem).\n-export([start/0, init/1, callback_mode/0, on/3, code_change/4]).\n\
             start() -> gen_statem:start_link(APP_machine, [], []).\ncallback_mode() -> state_functions.\n\
             init([]) -> {{ok, on, {{}}}}.\non({{call, F}}, _, D) -> {{keep_state, D, {{reply, F, {}}}}}.\n\
             code_change(_, N, D, _) -> {{ok, N, D}}.\n",
            self.machine
        );
        let process = format!(
            "-export([start/0, init/1, loop/1, system_continue/3, system_terminate/4, system_code_change/4, n/0]).\n\
             start() -> proc_lib:start_link(APP_process, init, [self()]).\n\
             init(P) -> proc_lib:init_ack(P, {{ok, self()}}), loop(P).\n\
             loop(P) -> receive {{system, F, M}} -> sys:handle_system_msg(M, F, P, APP_process, [], {{P}}) end.\n\
             n() -> {}.\nsystem_continue(P, _, _) -> ?MODULE:loop(P).\nsystem_terminate(R, _, _, _) -> exit(R).\n\
             system_code_change(S, _, _, _) -> {{ok, S}}.\n",
            self.process
        )
        .replace("APP_process", &format!("APP_{}", self.worker));
        let library = |n| format!("-export([f/0]).\nf() -> {n}.\n");
        let library = self.library.map(|n| ("lib", library(n)));
        let always = [("sup", sup), ("server", server), ("machine", machine)];
        always
            .into_iter()
            .chain([(self.worker, process)])
            .chain(library)
            .collect()
    }

    /// Whether no script leads there, even if it is forced: a process lives in a module that goes, or the supervisor
    /// keeps its children in another way.
    fn is_out_of_reach(&self, old: &Self) -> bool {
        self.simple || (old.special && self.worker != old.worker)
    }

    /// Writes and compiles it; its directory.
    fn build(&self, host: &Host, app: &str, vsn: &str) -> String {
        let dir = host.path(&format!("{app}-{vsn}"));
        let ebin = dir.join("ebin");
        fs::create_dir_all(&ebin).unwrap();
        let (mut sources, mut names) = (vec!["+debug_info".to_owned()], Vec::new());
        for (name, body) in self.modules() {
            let name = format!("{app}_{name}");
            let source = dir.join(format!("{name}.erl"));
            let text = format!("-module({name}).\n{body}").replace("APP", app);
            fs::write(&source, text).unwrap();
            sources.push(source.display().to_string());
            names.push(name);
        }
        let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
        erlc_into(&ebin, &sources);
        let spec = format!(
            "{{application, {app}, [{{vsn, \"{vsn}\"}}, {{modules, [{}]}}, {{registered, []}}, \
             {{applications, [kernel, stdlib]}}, {{mod, {{{app}_sup, []}}}}]}}.\n",
            names.join(", ")
        );
        fs::write(ebin.join(format!("{app}.app")), spec).unwrap();
        if let Some(script) = self.appup {
            let text = format!("{{\"{vsn}\", [{{\"1.0\", {script}}}], []}}.\n").replace("APP", app);
            fs::write(ebin.join(format!("{app}.appup")), text).unwrap();
        }
        dir.display().to_string()
    }
}

/// The modules of an application that the node has loaded, as `name-digest`.
fn loaded(host: &Host, app: &str) -> BTreeSet<String> {
    let text = format!(
        "[atom_to_list(M) ++ \"-\" ++ integer_to_list(erlang:crc32(erlang:get_module_info(M, md5))) || \
         {{M, _}} <- code:all_loaded(), lists:prefix(\"{app}_\", atom_to_list(M))]"
    );
    let run = host.erlrc(&["eval", "n1", &text]);
    assert_eq!(run.status, 0, "{run:?}");
    let words = run
        .out
        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'));
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The modules of which the digests differ.
fn differing(before: &BTreeSet<String>, after: &BTreeSet<String>) -> BTreeSet<String> {
    let name = |whole: &String| whole.split('-').next().unwrap().to_owned();
    before.symmetric_difference(after).map(name).collect()
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{run:?}"))
}

/// The modules of a plan that would be others afterwards: those that differ, as far as the script has them.
fn foreseen(plan: &Value) -> BTreeSet<String> {
    let names = |list: &Value| -> BTreeSet<String> {
        let list = list.as_array().unwrap().iter();
        list.map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let [added, changed, removed] =
        ["added", "changed", "removed"].map(|key| names(&plan["modules"][key]));
    let differ: BTreeSet<String> = &(&added | &changed) | &removed;
    &differ & &names(&plan["live"]["modules"])
}

#[test]
fn what_a_plan_says_is_what_the_upgrade_does() {
    let seed = std::env::var("ERLRC_TEST_SEED").ok();
    let seed = seed.map_or(SEED, |seed| seed.parse().expect("a number"));
    let mut draw = Draw(seed);
    let host = Host::new();
    let _node = host.node("n1");
    let (mut seen, mut out_of_reach) = (BTreeSet::new(), 0);
    for round in 0..PAIRS {
        let (old, new) = drawn(&mut draw);
        let case = format!("seed {seed}, pair {round}: {old:#?} {new:#?}");
        let verdict = held(&host, &format!("shop{round}"), (&old, &new), &case);
        out_of_reach += u32::from(verdict == "restart_application" && new.is_out_of_reach(&old));
        seen.insert(verdict);
    }
    assert!(seen.len() > 2 && out_of_reach > 0, "seed {seed}: {seen:?}");
}

/// Holds the plan of one pair against its upgrade; the verdict.
fn held(host: &Host, app: &str, (old, new): (&Version, &Version), case: &str) -> String {
    let (from, to) = (old.build(host, app, "1.0"), new.build(host, app, "1.1"));
    assert_eq!(
        host.erlrc(&["start", app, "1.0", &from]).status,
        0,
        "{case}"
    );
    let all =
        format!("code:ensure_modules_loaded(element(2, application:get_key({app}, modules)))");
    host.erlrc(&["eval", "n1", &all]).is("ok\n", 0);
    let whole = json(&host.erlrc(&["plan", app, "1.1", "--json"]));
    let (plan, verdict) = (
        &whole["plans"][0],
        whole["verdict"].as_str().unwrap().to_owned(),
    );
    let before = loaded(host, app);
    let upgrade = |more: &[&str]| {
        let words = ["upgrade", app, "1.0", "1.1", &from, &to, "--json"];
        host.erlrc(&[&words, more].concat())
    };
    let run = upgrade(&[]);
    let changed = differing(&before, &loaded(host, app));
    let context = format!("{case}\n{whole:#}\n{run:?}");
    match verdict.as_str() {
        "hot" | "hot_with_warnings" => {
            assert_eq!(run.status, 0, "{context}");
            assert_eq!(changed, foreseen(plan), "{context}");
            costs(plan, &json(&run)["nodes"][0]["report"], &context);
        }
        "restart_application" => {
            assert_eq!((run.status, changed.len()), (4, 0), "{context}");
            if new.is_out_of_reach(old) {
                return verdict;
            }
            assert_eq!(upgrade(&["--force"]).status, 0, "{context}");
            let asks_for = |text: &&str| text.contains("restart_application");
            if new.appup.as_ref().is_some_and(asks_for) {
                return verdict;
            }
            // Without a restart, states that the new code cannot work on.
            let call = format!(
                "[catch gen_server:call(P, x) || {{_, P, _, [M]}} <- \
                 supervisor:which_children({app}_sup), M =:= {app}_server]"
            );
            let answers = host.erlrc(&["eval", "n1", &call]);
            assert!(answers.out.contains("EXIT"), "{context}\n{answers:?}");
        }
        _ => {
            assert_eq!(verdict, "would_fail", "{context}");
            assert_ne!(run.status, 0, "{context}");
            assert_eq!(changed, BTreeSet::new(), "{context}");
        }
    }
    verdict
}

/// Who ran the script, in how many pieces, and how many stood meanwhile.
fn costs(plan: &Value, report: &Value, context: &str) {
    if plan["script"]["instructions"]
        .as_array()
        .is_some_and(Vec::is_empty)
    {
        return;
    }
    assert_eq!(plan["live"]["evaluator"], report["evaluator"], "{context}");
    assert_eq!(
        plan["script"]["evaluator"], report["evaluator"],
        "{context}"
    );
    assert_eq!(plan["live"]["processes"], report["processes"], "{context}");
}
