//! What names a function that the new version lost without calling it: `fun Module:Function/Arity` and
//! `{Module, Function}` in literals of code and in the environment.

use super::calls::{Lost, lost_functions};
use super::{Case, json, listed};
use crate::appup::facts::Function;
use crate::beam::{Chunks, Reader, literal_terms, literals};
use crate::plan::compared::in_parallel;
use crate::plan::finding::Finding;
use crate::term::{Atom, Term};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Whoever names a lost function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    /// Code that will run.
    Code,
    /// Code of the version that runs: what it made may be kept in states and tables.
    Old,
    /// The environment in the new `.app` file.
    Environment,
}

/// Names of functions that the new version lost.
pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let lost = lost_functions(case);
    if lost.is_empty() {
        return Vec::new();
    }
    let holders = holders(case);
    let named = in_parallel(
        &holders,
        case.threads,
        |(_, _, file), reader: &mut Reader| in_file(file, &lost, reader).unwrap_or_default(),
    );
    let of_code = holders.iter().zip(named);
    let of_code = of_code.map(|((name, holder, _), named)| (name.clone(), *holder, named));
    let mut of_environment = Named::default();
    for (_, value) in case.to.env().unwrap_or_default() {
        of_environment.add(value, &lost);
    }
    let of_environment = (case.to.name.clone(), Holder::Environment, of_environment);
    of_code
        .chain([of_environment])
        .flat_map(|(name, holder, named)| named.findings(case, &name, holder))
        .collect()
}

/// Code that may name functions of the application: its own, and that of others but OTP, which knows none.
fn holders(case: &Case<'_>) -> Vec<(Atom, Holder, PathBuf)> {
    let file = |ebin: PathBuf, name: &Atom| ebin.join(format!("{name}.beam"));
    let (old, new) = (case.from_dir.join("ebin"), case.to_dir.join("ebin"));
    let own = case.to.modules().iter();
    let own = own.map(|name| (name.clone(), Holder::Code, file(new.clone(), name)));
    let gone = case.compared.changed.keys();
    let gone = gone.chain(case.compared.removed.keys());
    let gone = gone.map(|name| (name.clone(), Holder::Old, file(old.clone(), name)));
    let files = &case.around.files;
    let otp = files.get("lists").and_then(|file| file.ancestors().nth(3));
    let ours = super::own(case);
    let foreign = |(name, file): &(&Atom, &PathBuf)| {
        !ours.contains(*name) && !otp.is_some_and(|otp| file.starts_with(otp))
    };
    let others = files.iter().filter(foreign);
    let others = others.map(|(name, file)| (name.clone(), Holder::Code, file.clone()));
    own.chain(gone).chain(others).collect()
}

fn in_file(file: &std::path::Path, lost: &Lost<'_>, reader: &mut Reader) -> Option<Named> {
    reader.read(file).ok()?;
    let table = literals(&Chunks::parse(reader.bytes()).ok()?)?;
    // Few tables hold the name of any: the others are done with here.
    let holds = |name: &&str| {
        let name = name.as_bytes();
        table.windows(name.len()).any(|window| window == name)
    };
    lost.keys().find(|name| holds(name))?;
    let mut named = Named::default();
    for term in literal_terms(&table) {
        named.add(&term, lost);
    }
    Some(named)
}

/// Lost functions that somebody names.
#[derive(Default)]
struct Named {
    /// As `fun Module:Function/Arity`.
    funs: BTreeSet<String>,
    /// As a module and a function, perhaps with an arity or arguments.
    pairs: BTreeSet<String>,
}

impl Named {
    fn add(&mut self, term: &Term, lost: &Lost<'_>) {
        let mut open = vec![term];
        while let Some(term) = open.pop() {
            match term {
                Term::ExternalFun(fun) => {
                    let (module, name, arity) = &**fun;
                    let functions = lost.get(module.as_str());
                    let is = |f: &&&Function| f.name == *name && f.arity == u32::from(*arity);
                    if functions.is_some_and(|functions| functions.iter().any(|f| is(&f))) {
                        self.funs.insert(format!("fun {module}:{name}/{arity}"));
                    }
                }
                Term::Tuple(parts) => {
                    if let [Term::Atom(module), Term::Atom(name), more @ ..] = parts.as_slice() {
                        self.pair(module, name, more, lost);
                    }
                    open.extend(parts);
                }
                Term::List(parts) => open.extend(parts),
                Term::ImproperList(list) => {
                    open.extend(&list.0);
                    open.push(&list.1);
                }
                Term::Map(pairs) => open.extend(pairs.iter().flat_map(|(k, v)| [k, v])),
                _ => {}
            }
        }
    }

    /// `{Module, Function}`, `{Module, Function, Arity}`, `{Module, Function, Arguments}`.
    fn pair(&mut self, module: &Atom, name: &Atom, more: &[Term], lost: &Lost<'_>) {
        let arity = match more {
            [] => None,
            [Term::Integer(arity)] => Some(*arity),
            [arguments] => match arguments.elements() {
                Some(arguments) => i64::try_from(arguments.len()).ok(),
                None => return,
            },
            _ => return,
        };
        let functions = lost.get(module.as_str()).into_iter().flatten();
        let is = |f: &&&Function| {
            f.name == *name && arity.is_none_or(|arity| i64::from(f.arity) == arity)
        };
        let mut functions = functions.filter(is);
        self.pairs.extend(
            functions
                .next()
                .map(|function| format!("{module}:{function}")),
        );
    }

    fn findings(self, case: &Case<'_>, name: &Atom, holder: Holder) -> Vec<Finding> {
        let (version, earlier) = (&case.to.vsn, &case.from.vsn);
        let who = match holder {
            Holder::Code => format!("{name} holds"),
            Holder::Old => format!("version {earlier} of {name} has made"),
            Holder::Environment => format!("the environment of {name} holds"),
        };
        let kept = match holder {
            Holder::Old => ": where that is kept in a state or a table, its call fails",
            Holder::Code | Holder::Environment => "",
        };
        let finding = |kind, named: &BTreeSet<String>, may: &str| {
            let text = format!(
                "{who} {}, which {may}version {version} no longer exports{kept}",
                listed(named)
            );
            let finding = Finding::warning(kind, name).text(text);
            let advice = "keep the function until nobody calls it, or put another in its place where it is kept";
            finding.advice(advice).detail("functions", json(named))
        };
        let mut findings = Vec::new();
        if !self.funs.is_empty() {
            findings.push(finding("broken_fun", &self.funs, ""));
        }
        if !self.pairs.is_empty() {
            findings.push(finding(
                "broken_name",
                &self.pairs,
                "may name a function that ",
            ));
        }
        findings
    }
}
