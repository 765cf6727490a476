//! Generation on facts made up: what no compiler would make, and more modules than anybody has.

use std::sync::Arc;

use super::facts::{
    Call, Change, ChangedModule, Function, Interface, ModuleFacts, ModuleState, NewModule,
};
use super::graph::steps;
use super::{Facts, generate};
use crate::term::{Atom, Term};

fn name(number: usize) -> Atom {
    Atom::new(&format!("m{number}")).unwrap()
}

fn function(name: &str) -> Function {
    Function {
        name: Atom::new(name).unwrap(),
        arity: 0,
    }
}

fn interface(exports: &[&str], calls: Vec<Call>) -> Interface {
    let mut exports: Vec<_> = exports.iter().map(|name| function(name)).collect();
    exports.sort();
    Interface {
        exports: exports.into(),
        calls: Some(calls.into()),
        names: Vec::new(),
    }
}

fn changed(old: Interface, new: NewModule) -> ModuleState {
    let change = Change {
        code: true,
        ..Change::default()
    };
    ModuleState::Changed(Box::new(ChangedModule { change, old, new }))
}

fn facts(states: Vec<ModuleState>) -> Facts {
    let modules = states.into_iter().enumerate();
    Facts {
        application: Atom::of("demo"),
        earlier: "1".to_owned(),
        later: "2".to_owned(),
        start: None,
        modules: modules
            .map(|(number, state)| ModuleFacts {
                name: name(number),
                state,
            })
            .collect(),
    }
}

fn call(module: usize, name: &str) -> Call {
    Call {
        module: u32::try_from(module).unwrap(),
        function: function(name),
    }
}

fn up(facts: &Facts) -> Vec<String> {
    let generated = generate(facts, &[]).unwrap();
    generated
        .up
        .iter()
        .map(|step| step.instruction.term().to_string())
        .collect()
}

fn loads(numbers: &[usize]) -> Vec<String> {
    numbers
        .iter()
        .map(|number| format!("{{load_module,m{number}}}"))
        .collect()
}

/// Changed modules without exports or calls, with these names and attributes.
fn module(names: &[usize], attributes: &[(&'static str, Term)]) -> ModuleState {
    let names = names
        .iter()
        .map(|&number| u32::try_from(number).unwrap())
        .collect();
    let attributes = attributes
        .iter()
        .map(|(name, value)| (Atom::of(name), value.clone()))
        .collect();
    let new = NewModule {
        interface: Interface {
            names,
            ..interface(&[], Vec::new())
        },
        attributes: Some(attributes),
        ..NewModule::default()
    };
    changed(interface(&[], Vec::new()), new)
}

fn priority(number: i64) -> [(&'static str, Term); 1] {
    [("knit_priority", Term::list([Term::from(number)]))]
}

#[test]
fn ties_keep_the_order_of_the_app_file() {
    let states = (0..5).map(|_| module(&[], &[])).collect();
    assert_eq!(up(&facts(states)), loads(&[0, 1, 2, 3, 4]));
}

#[test]
fn a_module_that_is_named_comes_first_unless_something_contradicts() {
    assert_eq!(
        up(&facts(vec![module(&[1], &[]), module(&[], &[])])),
        loads(&[1, 0])
    );
    assert_eq!(
        up(&facts(vec![module(&[1], &[]), module(&[0], &[])])),
        loads(&[0, 1])
    );
    let states = vec![module(&[1], &priority(1)), module(&[], &[])];
    assert_eq!(up(&facts(states)), loads(&[0, 1]));
}

#[test]
fn higher_priorities_go_first_and_calls_go_before_them() {
    let states = vec![
        module(&[], &[]),
        module(&[], &priority(-3)),
        module(&[], &priority(9)),
    ];
    assert_eq!(up(&facts(states)), loads(&[2, 0, 1]));
    // m0 has the highest priority and calls what m1 adds.
    let new = |exports: &[&str], calls, attributes: Vec<(Atom, Term)>| NewModule {
        interface: interface(exports, calls),
        attributes: Some(attributes),
        ..NewModule::default()
    };
    let high = vec![(Atom::of("erlrc_priority"), Term::list([Term::from(9_i64)]))];
    let caller = changed(interface(&[], vec![]), new(&[], vec![call(1, "f")], high));
    let callee = changed(interface(&[], vec![]), new(&["f"], vec![], vec![]));
    assert_eq!(up(&facts(vec![caller, callee])), loads(&[1, 0]));
}

/// Modules of which each calls what the next one adds, the last one what the first one adds.
fn cycle(count: usize) -> Facts {
    let exports: Interface = interface(&["f"], Vec::new());
    let states = (0..count).map(|number| {
        let calls: Arc<[Call]> = Arc::new([call((number + 1) % count, "f")]);
        let interface = Interface {
            calls: Some(calls),
            ..exports.clone()
        };
        changed(
            Interface::default(),
            NewModule {
                interface,
                ..NewModule::default()
            },
        )
    });
    facts(states.collect())
}

#[test]
fn a_cycle_of_twice_as_many_modules_takes_twice_the_work() {
    const COUNT: usize = 10_000;
    let work = |count| {
        let facts = cycle(count);
        steps(|| assert_eq!(up(&facts).len(), count))
    };
    let (once, twice) = (work(COUNT), work(2 * COUNT));
    assert!(once >= COUNT, "{once} steps");
    assert!(twice <= 2 * once, "{once} steps, then {twice}");
}

#[test]
fn a_script_of_a_cycle_of_ten_thousand_modules_is_short() {
    const COUNT: usize = 10_000;
    let generated = generate(&cycle(COUNT), &[]).unwrap();
    let script = up(&cycle(COUNT));
    assert_eq!(script[0], "{load_module,m0,[m1]}");
    assert!(script.iter().map(String::len).sum::<usize>() < COUNT * 40);
    let reasons = generated.up.iter().map(|step| step.reasons.len());
    assert!(reasons.sum::<usize>() <= COUNT * 4);
}

#[test]
fn down_is_the_inverse_in_reverse() {
    let states = vec![
        ModuleState::Added(Box::default()),
        module(&[2], &[]),
        module(&[], &[]),
        ModuleState::Unchanged,
        ModuleState::Removed,
        ModuleState::Added(Box::default()),
        ModuleState::Missing,
        ModuleState::Removed,
    ];
    let generated = generate(&facts(states), &[]).unwrap();
    let inverse = |text: String| {
        if text.starts_with("{add") {
            text.replace("add", "delete")
        } else {
            text.replace("delete", "add")
        }
    };
    let text = |steps: &[super::Step]| -> Vec<_> {
        steps
            .iter()
            .map(|step| step.instruction.term().to_string())
            .collect()
    };
    let backwards: Vec<_> = text(&generated.up).into_iter().rev().map(inverse).collect();
    assert_eq!(text(&generated.down), backwards);
}

#[test]
fn a_script_that_goes_down_says_why_it_goes_down() {
    let new = |exports: &[&str], calls| NewModule {
        interface: interface(exports, calls),
        ..NewModule::default()
    };
    let caller = changed(interface(&[], Vec::new()), new(&[], vec![call(1, "b")]));
    let callee = changed(interface(&["a"], Vec::new()), new(&["b"], Vec::new()));
    let states = vec![
        caller,
        callee,
        ModuleState::Added(Box::default()),
        ModuleState::Removed,
    ];
    let generated = generate(&facts(states), &[]).unwrap();
    let why = |steps: &[super::Step], of: &str| -> Vec<String> {
        let is = |step: &&super::Step| step.instruction.term().to_string().contains(of);
        let reasons = steps.iter().find(is).unwrap().reasons.iter();
        reasons.map(ToString::to_string).collect()
    };
    let (up, down) = (&generated.up, &generated.down);
    assert_eq!(
        why(up, "m1"),
        [
            "changed: code",
            "exports +b/0",
            "exports -a/0",
            "before m0, which calls b/0, added here"
        ]
    );
    assert_eq!(
        why(down, "m1"),
        [
            "changed: code",
            "exports -b/0",
            "exports +a/0",
            "after m0, which called b/0, removed here"
        ]
    );
    assert_eq!(
        (why(up, "m2"), why(down, "m2")),
        (vec!["added".to_owned()], vec!["removed".to_owned()])
    );
    assert_eq!(
        (why(up, "m3"), why(down, "m3")),
        (vec!["removed".to_owned()], vec!["added".to_owned()])
    );
}

/// appup(5) at restart_new_emulator: "required when a new version of ERTS, Kernel, STDLIB, or SASL is upgraded".
#[test]
fn the_applications_that_need_another_emulator_are_those_of_the_manual() {
    let is_system = |name: &str| super::is_system(&Atom::new(name).expect("a name"));
    assert!(
        ["erts", "kernel", "stdlib", "sasl"]
            .into_iter()
            .all(is_system)
    );
    assert!(!["compiler", "crypto", "erlrc"].into_iter().any(is_system));
}
