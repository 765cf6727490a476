//! Modules of Elixir: their own debug information is read too.

use crate::pairs::{found, plan_migrating, plan_of};
use erlrc::plan::{Plan, Surroundings};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Both versions of an application `demo` that has this server, as Elixir compiles them.
fn versions(dir: &Path, name: &str, old: &str, new: &str) -> [PathBuf; 2] {
    [("1.0", old), ("2.0", new)].map(|(vsn, body)| {
        let top = dir.join(format!("{name}/demo-{vsn}"));
        let ebin = top.join("ebin");
        fs::create_dir_all(&ebin).unwrap();
        let source = top.join("server.ex");
        let using = if body.starts_with("use ") {
            ""
        } else {
            "use GenServer"
        };
        let text = format!("defmodule Demo.Server do\n  {using}\n{body}\nend\n");
        fs::write(&source, text).unwrap();
        let mut command = Command::new("elixirc");
        command.arg("-o").arg(&ebin).arg(&source);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{:?}", output.stderr);
        let app = format!(
            "{{application, demo, [{{vsn, \"{vsn}\"}}, {{modules, ['Elixir.Demo.Server']}}, \
             {{registered, []}}, {{applications, [kernel, stdlib, elixir]}}]}}.\n"
        );
        fs::write(ebin.join("demo.app"), app).unwrap();
        top
    })
}

fn planned([old, new]: &[PathBuf; 2]) -> Plan {
    plan_of("demo", old, new, &Surroundings::default())
}

const CALL: &str = "def handle_call(:get, _from, s), do: {:reply, s, s}";

/// A server whose state is a struct with these fields.
fn structure(fields: &str, more: &str) -> String {
    format!("defstruct [{fields}]\ndef init(_), do: {{:ok, %__MODULE__{{}}}}\n{CALL}\n{more}")
}

#[test]
fn a_state_that_is_not_migrated_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let of = |name: &str, old: &str, new: &str| planned(&versions(dir.path(), name, old, new));
    let kinds = |plan: &Plan| {
        let found = found(plan).into_iter().map(|(kind, _)| kind);
        found.collect::<Vec<_>>().join(" ")
    };
    let one = structure("a: 1", "");
    let gains = of("gains", &one, &structure("a: 1, b: 2", ""));
    assert_eq!(kinds(&gains), "state_not_migrated");
    let text = "the state of Elixir.Demo.Server changes and code_change gives it back as it was: \
                the map gains b";
    assert_eq!(gains.findings[0].text, text);
    assert_eq!(gains.verdict.name(), "hot_with_warnings");
    let [old, new] = versions(
        dir.path(),
        "converted",
        &one,
        &structure("a: 1, b: \"x\"", ""),
    );
    let converted = plan_migrating("demo", &old, &new);
    assert_eq!(kinds(&converted), "state_migrated");
    let text = "the state of Elixir.Demo.Server is converted, as --migrate asks: the map gains b => <<\"x\">>";
    assert_eq!(converted.findings[0].text, text);
    let own = "def code_change(_, %{a: a}, _), do: {:ok, %__MODULE__{a: a, b: a}}";
    let migrated = of("migrated", &one, &structure("a: 1, b: 2", own));
    assert_eq!(
        (kinds(&migrated).as_str(), migrated.verdict.name()),
        ("", "hot")
    );
    let default = of("default", &one, &structure("a: 2", ""));
    assert_eq!(
        (kinds(&default).as_str(), default.verdict.name()),
        ("", "hot")
    );
}

#[test]
fn choices_and_functions_of_the_module_are_followed() {
    let dir = tempfile::tempdir().unwrap();
    let server = |state: &str| {
        format!(
            "def init(arg) do\n  x = Map.new(arg)\n  if x == %{{}} do\n    {{:stop, :none}}\n  else\n\
             \x20   state = made(x)\n    {{:ok, state, 1000}}\n  end\nend\ndefp made(x), do: {state}\n{CALL}"
        )
    };
    let plan = |name: &str, new: &str| {
        let old = server("{:state, x}");
        planned(&versions(dir.path(), name, &old, &server(new)))
    };
    let larger = plan("larger", "{:state, x, 1}");
    assert_eq!(larger.verdict.name(), "restart_application", "{larger:#?}");
    let same = plan("same", "{:state, Map.put(x, :a, 1)}");
    assert_eq!((same.findings.len(), same.modules.changed.len()), (0, 1));
}

#[test]
fn protocols_are_told_from_other_modules() {
    let dir = tempfile::tempdir().unwrap();
    let body = |n: u32| {
        format!(
            "def init(_), do: {{:ok, {n}}}\n{CALL}\ndefprotocol Size do\n  def size(x)\nend\n\
             defimpl Size, for: Integer do\n  def size(_), do: {n}\nend"
        )
    };
    let versions = versions(dir.path(), "protocol", &body(1), &body(2));
    for (version, top) in ["1.0", "2.0"].iter().zip(&versions) {
        let names = ["'Elixir.Demo.Server'", "'Elixir.Demo.Server.Size.Integer'"];
        let app = format!(
            "{{application, demo, [{{vsn, \"{version}\"}}, {{modules, [{}]}}, \
             {{registered, []}}, {{applications, [kernel, stdlib, elixir]}}]}}.\n",
            names.join(", ")
        );
        fs::write(top.join("ebin/demo.app"), app).unwrap();
        fs::remove_file(top.join("ebin/Elixir.Demo.Server.Size.beam")).unwrap();
    }
    let plan = planned(&versions);
    let found = found(&plan);
    let kind = "elixir_protocol_implementation".to_owned();
    let subject = "Elixir.Demo.Server.Size.Integer".to_owned();
    assert!(found.contains(&(kind.clone(), subject)), "{found:?}");
    // A node that has no consolidated copy of that protocol needs no new one.
    let consolidated = dir.path().join("consolidated");
    let on_node = || {
        let around = Surroundings {
            path: vec![versions[0].join("ebin"), consolidated.clone()],
            of_node: true,
            ..Surroundings::default()
        };
        let plan = plan_of("demo", &versions[0], &versions[1], &around);
        plan.findings.iter().any(|finding| finding.kind == kind)
    };
    assert!(!on_node());
    fs::create_dir(&consolidated).unwrap();
    fs::write(consolidated.join("Elixir.Enumerable.beam"), "").unwrap();
    assert!(!on_node());
    fs::write(consolidated.join("Elixir.Demo.Server.Size.beam"), "").unwrap();
    assert!(on_node());
}

#[test]
fn a_protocol_that_changes_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let body = |more: &str| {
        format!(
            "def init(_), do: {{:ok, 1}}\n{CALL}\ndefprotocol Size do\n  def size(x)\n{more}end"
        )
    };
    let versions = versions(dir.path(), "changed", &body(""), &body("  def more(x)\n"));
    for (version, top) in ["1.0", "2.0"].iter().zip(&versions) {
        let app = format!(
            "{{application, demo, [{{vsn, \"{version}\"}}, \
             {{modules, ['Elixir.Demo.Server', 'Elixir.Demo.Server.Size']}}, \
             {{registered, []}}, {{applications, [kernel, stdlib, elixir]}}]}}.\n"
        );
        fs::write(top.join("ebin/demo.app"), app).unwrap();
    }
    let found = found(&planned(&versions));
    let protocol = ("elixir_protocol", "Elixir.Demo.Server.Size");
    let expected = (protocol.0.to_owned(), protocol.1.to_owned());
    assert!(found.contains(&expected), "{found:?}");
}

#[test]
fn supervisors_are_known_with_their_children_and_what_init_does() {
    let dir = tempfile::tempdir().unwrap();
    let of = |name: &str, old: &str, new: &str| {
        let plan = planned(&versions(dir.path(), name, old, new));
        let found = found(&plan).into_iter().map(|(kind, _)| kind);
        let texts = plan.findings.iter().map(|finding| finding.text.clone());
        let texts = texts.collect::<Vec<_>>().join("; ");
        (found.collect::<Vec<_>>().join(" "), texts)
    };
    let sup = |first: &str, children: &str| {
        format!(
            "use Supervisor\ndef init(_) do\n  {first}\n  children = [{children}]\n\
             \x20 Supervisor.init(children, strategy: :one_for_one)\nend"
        )
    };
    let (kinds, texts) = of(
        "gains",
        &sup(":ok", "Demo.A, {Demo.B, 1}"),
        &sup(":ok", "Demo.A, Supervisor.child_spec({Demo.B, 1}, id: :b)"),
    );
    assert_eq!(kinds, "children_changed", "{texts}");
    assert!(texts.contains("starts b, stops Elixir.Demo.B"), "{texts}");
    let table = ":ets.new(:demo, [:named_table])";
    let (kinds, _) = of("table", &sup(table, ""), &sup(table, "Demo.A"));
    assert_eq!(kinds, "children_changed init_fails_again");
    let dynamic = |max: u32| {
        format!(
            "use DynamicSupervisor\ndef init(_) do\n  {table}\n\
             \x20 DynamicSupervisor.init(strategy: :one_for_one, max_children: {max})\nend"
        )
    };
    let (kinds, _) = of("dynamic", &dynamic(1), &dynamic(2));
    assert_eq!(kinds, "init_fails_again");
}
