//! What a plan says would happen is what the upgrade then does: pairs of versions are drawn at random, planned on
//! a node that runs the earlier one, and upgraded.
//!
//! `ERLRC_TEST_SEED` draws others than those of every run.

use crate::host::{Host, Run};
use crate::versions::{Draw, Native, Version, drawn};
use serde_json::Value;
use std::collections::BTreeSet;

const PAIRS: u32 = 24;
const SEED: u32 = 0x2545_f491;

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
    let (mut seen, mut kinds, mut out_of_reach) = (BTreeSet::new(), BTreeSet::new(), 0);
    for round in 0..PAIRS {
        let (old, new) = drawn(&mut draw);
        let case = format!("seed {seed}, pair {round}: {old:#?} {new:#?}");
        let (verdict, found) = held(&host, &format!("shop{round}"), (&old, &new), &case);
        out_of_reach += u32::from(verdict == "restart_application" && new.is_out_of_reach(&old));
        seen.insert(verdict);
        kinds.extend(found);
    }
    assert!(seen.len() > 2 && out_of_reach > 0, "seed {seed}: {seen:?}");
    for kind in [
        "native_library",
        "loads_nif",
        "compile_env",
        "record_in_table",
    ] {
        assert!(kinds.contains(kind), "seed {seed}: {kind}: {kinds:?}");
    }
}

/// Holds the plan of one pair against its upgrade; the verdict, and the kinds of what was found.
fn held(
    host: &Host,
    app: &str,
    (old, new): (&Version, &Version),
    case: &str,
) -> (String, BTreeSet<String>) {
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
    let pair = Pair {
        host,
        app,
        old,
        new,
    };
    let before = loaded(host, app);
    let upgrade = |more: &[&str]| {
        let words = ["upgrade", app, "1.0", "1.1", &from, &to, "--json"];
        host.erlrc(&[&words, more].concat())
    };
    let run = upgrade(&[]);
    let changed = differing(&before, &loaded(host, app));
    let context = format!("{case}\n{whole:#}\n{run:?}");
    match verdict.as_str() {
        "hot_with_warnings" if pair.library_is_refused(plan) => {
            assert_eq!((run.status, changed.len()), (1, 0), "{context}");
            assert!(kinds(plan).contains("loads_nif"), "{context}");
            pair.natives(plan, old.native, &context);
        }
        "hot" | "hot_with_warnings" => {
            assert_eq!(run.status, 0, "{context}");
            assert_eq!(changed, foreseen(plan), "{context}");
            let node = &json(&run)["nodes"][0];
            costs(plan, &node["report"], &context);
            pair.natives(plan, new.native, &context);
            pair.compiled(plan, &node["warnings"], &context);
            assert_eq!(pair.failing("rows"), "[]", "{context}");
        }
        "restart_application" => {
            assert_eq!((run.status, changed.len()), (4, 0), "{context}");
            if !new.is_out_of_reach(old) && !pair.library_is_refused(plan) {
                assert_eq!(upgrade(&["--force"]).status, 0, "{context}");
                pair.lost(plan, &context);
            }
        }
        _ => {
            assert_eq!(verdict, "would_fail", "{context}");
            assert_ne!(run.status, 0, "{context}");
            assert_eq!(changed, BTreeSet::new(), "{context}");
        }
    }
    (verdict, kinds(plan))
}

/// The kinds of what a plan has found.
fn kinds(plan: &Value) -> BTreeSet<String> {
    let findings = plan["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| finding["kind"].as_str().unwrap().to_owned())
        .collect()
}

/// Both versions of an application of which the earlier one was started.
struct Pair<'a> {
    host: &'a Host,
    app: &'a str,
    old: &'a Version,
    new: &'a Version,
}

impl Pair<'_> {
    fn eval(&self, text: &str) -> String {
        let run = self
            .host
            .erlrc(&["eval", "n1", &text.replace("APP", self.app)]);
        assert_eq!(run.status, 0, "{run:?}");
        run.out.trim_end().to_owned()
    }

    /// Whether the script loads the module with native functions again.
    fn loads_natives(&self, plan: &Value) -> bool {
        foreseen(plan).contains(&format!("{}_native", self.app))
    }

    /// Whether the loader takes no library in the place of the earlier one: what no plan can know, and warns of.
    fn library_is_refused(&self, plan: &Value) -> bool {
        let refuses = |native: Native| native.upgrade == "NULL";
        self.new.native.is_some_and(refuses) && self.loads_natives(plan)
    }

    /// Which library runs: that of the version that runs, unless the plan has said that the earlier one would stay.
    fn natives(&self, plan: &Value, runs: Option<Native>, context: &str) {
        let (Some(runs), Some(first)) = (runs, self.old.native) else {
            return;
        };
        let number: u32 = self.eval("APP_native:number()").parse().unwrap();
        let found = kinds(plan);
        let stays = ["native_library", "appup_misses"]
            .iter()
            .any(|kind| found.contains(*kind));
        assert_eq!(found.contains("loads_nif"), self.differs(plan), "{context}");
        if runs.library != number {
            assert!(stays && number == first.library, "{number}: {context}");
        }
        if found.contains("native_library") {
            assert_eq!(number, first.library, "{context}");
        }
    }

    /// Whether the module with native functions differs.
    fn differs(&self, plan: &Value) -> bool {
        let changed = plan["modules"]["changed"].as_array().unwrap();
        changed.contains(&format!("{}_native", self.app).into())
    }

    /// The value that the code was compiled with, and the one that is there now: the plan and the upgrade tell where
    /// they differ.
    fn compiled(&self, plan: &Value, warnings: &Value, context: &str) {
        let is = self.eval("element(2, application:get_env(APP, limit))");
        let differs = self.new.compiled.is_some_and(|was| was.to_string() != is);
        assert_eq!(
            kinds(plan).contains("compile_env"),
            differs,
            "{is}: {context}"
        );
        let said = warnings.to_string().contains("when the code was compiled");
        assert_eq!(said, differs, "{is}: {context}");
    }

    /// After a change without a restart: what the new code cannot work on is what the plan has named.
    fn lost(&self, plan: &Value, context: &str) {
        let asks_for = |text: &&str| text.contains("restart_application");
        if self.new.appup.as_ref().is_some_and(asks_for) {
            return;
        }
        // The rows first: a server that fails may take the table with it.
        let (rows, servers) = (self.failing("rows"), self.failing("servers"));
        let kept = plan["findings"].as_array().unwrap().iter();
        let kept = kept.filter(|finding| finding["severity"] == "error");
        let in_table = kept.filter(|finding| finding["kind"] == "record_in_table");
        assert_eq!(rows != "[]", in_table.count() > 0, "{context}\n{rows}");
        assert!(servers != "[]" || rows != "[]", "{context}");
    }

    /// What fails of the calls of all servers, or of the reads of all rows.
    fn failing(&self, what: &str) -> String {
        let called = match what {
            "servers" => {
                "[catch gen_server:call(P, x) || {_, P, _, [M]} <- supervisor:which_children(APP_sup), \
                 M =:= APP_server]"
            }
            _ => {
                "[catch APP_rows:id(Row) || ets:whereis(APP_rows) =/= undefined, Row <- ets:tab2list(APP_rows)]"
            }
        };
        self.eval(&format!("[Why || {{'EXIT', Why}} <- {called}]"))
    }
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
