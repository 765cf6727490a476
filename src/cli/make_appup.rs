//! `erlrc make-appup`: prints the appup between two versions of an application.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::arguments::{application, directory, vsn};
use super::{Common, Failure, Status};
use crate::appup::{Direction, Generated, Step, Warning};
use crate::script::{self, Options, Side, Version};
use crate::term::{Atom, Term, print};

/// Arguments of `erlrc make-appup`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Compares the modules of both versions without loading them. What is printed is an appup file for TO,
which file:consult/1, systools and release_handler read; with --explain it says in comments why each
instruction is there and why it stands where it stands. Warnings go to standard error.

Attributes of modules steer it: -erlrc_priority(N), _extra(Term), _depends([Module]), _timeout(T),
_purge(P) and -erlrc_apply({Phase, {Module, Function, Args}}) with Phase first, immediate, last or
committed, which is when every node has committed. {up | down, ...} around it names the direction.

JSON: {\"kind\": \"appup\", \"version\": 1, \"application\", \"from\", \"to\", \"appup\": TERM, \"up\": [{\"instruction\",
\"reasons\"}], \"down\": as up, \"warnings\": [{\"warning\", \"text\"}]}

Examples:
  erlrc make-appup egerl 4.0.1 4.1.0 /usr/lib/erlang/lib/egerl-4.0.1 ./egerl-4.1.0 > egerl.appup
  erlrc make-appup --explain egerl 4.0.1 4.1.0 ./old ./new")]
pub struct Arguments {
    /// The application
    #[arg(value_parser = application)]
    app: Atom,
    /// The earlier version
    #[arg(value_parser = vsn)]
    from: String,
    /// The later version
    #[arg(value_parser = vsn)]
    to: String,
    /// The directory of FROM, the one that holds ebin
    #[arg(value_parser = directory, value_name = "FROMDIR")]
    fromdir: PathBuf,
    /// The directory of TO
    #[arg(value_parser = directory, value_name = "TODIR")]
    todir: PathBuf,
    /// Say why each instruction is there
    #[arg(long)]
    explain: bool,
    /// Load every module that both versions have, changed or not
    #[arg(long)]
    all_modules: bool,
    /// A module or behaviour that counts as a supervisor; may be given several times
    #[arg(long, value_name = "MODULE", value_parser = module)]
    supervisor: Vec<Atom>,
}

fn module(text: &str) -> Result<Atom, String> {
    Atom::new(text).ok_or_else(|| "longer than a module's name may be".to_owned())
}

/// Generates and prints.
pub fn run(arguments: Arguments, common: &Common) -> Result<Status, Failure> {
    let out = common.output();
    let version = |vsn, dir| Version {
        vsn,
        side: Side::Directory(dir),
    };
    let old = version(arguments.from, arguments.fromdir);
    let new = version(arguments.to, arguments.todir);
    let options = Options {
        reload_unchanged: arguments.all_modules,
        supervisors: arguments.supervisor,
        root: Some(common.root.clone()),
        threads: 0,
        ..Options::default()
    };
    let generated = script::make_appup(&arguments.app, &old, &new, &options)
        .map_err(|error| Failure::new(Status::Failed, error))?;
    for warning in &generated.warnings {
        out.warning(&format!("warning: {warning}"));
    }
    out.envelope("appup", 1, &as_json(&arguments.app, &generated));
    out.text(&if arguments.explain {
        explained(&arguments.app, &generated)
    } else {
        print::file(&[generated.appup()])
    });
    Ok(Status::Done)
}

fn as_json(app: &Atom, generated: &Generated) -> Value {
    let script = |direction| {
        let steps = generated.script(direction).iter();
        let step = |step: &Step| {
            let reasons: Vec<_> = step.reasons.iter().map(ToString::to_string).collect();
            json!({"instruction": step.instruction.term().to_string(), "reasons": reasons})
        };
        steps.map(step).collect::<Vec<_>>()
    };
    let warning = |warning: &Warning| json!({"warning": warning.term().to_string(), "text": warning.to_string()});
    json!({
        "application": app.as_str(),
        "from": generated.earlier,
        "to": generated.later,
        "appup": generated.appup().to_string(),
        "up": script(Direction::Up),
        "down": script(Direction::Down),
        "warnings": generated.warnings.iter().map(warning).collect::<Vec<_>>(),
    })
}

/// The appup with a comment above each instruction.
fn explained(app: &Atom, generated: &Generated) -> String {
    let Generated { earlier, later, .. } = generated;
    let script = |direction| {
        let steps = generated.script(direction);
        let mut text = format!(" [{{{},\n", Term::string(earlier));
        for (number, step) in steps.iter().enumerate() {
            let reasons: Vec<_> = step.reasons.iter().map(ToString::to_string).collect();
            // Names in reasons may be of any characters, and a comment ends with its line.
            text.push_str(&format!(
                "   %% {}\n",
                super::output::printable(&reasons.join("; "))
            ));
            let (open, close) = (
                if number == 0 { "[" } else { " " },
                if number + 1 == steps.len() { "]" } else { "," },
            );
            text.push_str(&format!("   {open}{}{close}\n", step.instruction.term()));
        }
        if steps.is_empty() {
            text.push_str("   []\n");
        }
        text + "  }]"
    };
    let (up, down) = (script(Direction::Up), script(Direction::Down));
    let title = super::output::printable(&format!("{app}: {earlier} -> {later} and back"));
    format!("%% {title}\n{{{},\n{up},\n{down}}}.\n", Term::string(later))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appup::{Instruction, Reason};
    use crate::term::{Limits, text};

    #[test]
    fn an_explained_appup_reads_as_the_bare_one() {
        let step = |instruction| Step {
            instruction,
            reasons: vec![Reason::Code, Reason::Added],
        };
        let load = |name| step(Instruction::AddModule(Atom::of(name)));
        let generated = Generated {
            later: "2".to_owned(),
            earlier: "1\"\\".to_owned(),
            up: vec![load("a"), load("b\nc"), load("D e")],
            down: Vec::new(),
            warnings: Vec::new(),
        };
        let text = explained(&Atom::of("x\n{}."), &generated);
        let terms = text::parse_all(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(terms, [generated.appup()], "{text}");
    }
}
