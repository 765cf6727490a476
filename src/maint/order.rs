//! The order in which several applications change their versions.

use crate::appup::Direction;
use crate::term::Atom;
use std::collections::BTreeSet;

/// An application that is to change its version, with its dependencies.
#[derive(Clone, Debug)]
pub struct Changing {
    /// The application.
    pub application: Atom,
    /// The applications that its new version depends on.
    pub needs: Vec<Atom>,
    /// The direction.
    pub direction: Direction,
}

/// The indices into `changing` in the order to follow: first the downgrades, each before its
/// dependencies, then the upgrades, each after its dependencies. In a cycle any order will do.
pub fn order(changing: &[Changing]) -> Vec<usize> {
    let mut visited = BTreeSet::new();
    let mut sorted = Vec::new();
    for place in 0..changing.len() {
        visit(changing, place, &mut visited, &mut sorted);
    }
    let goes = |place: &usize, way| changing.get(*place).is_some_and(|one| one.direction == way);
    let down = sorted
        .iter()
        .rev()
        .filter(|place| goes(place, Direction::Down));
    let up = sorted.iter().filter(|place| goes(place, Direction::Up));
    down.chain(up).copied().collect()
}

/// The depth is bounded by the number of applications that change at once.
fn visit(
    changing: &[Changing],
    place: usize,
    visited: &mut BTreeSet<usize>,
    sorted: &mut Vec<usize>,
) {
    let Some(one) = changing.get(place) else {
        return;
    };
    if !visited.insert(place) {
        return;
    }
    for need in &one.needs {
        let found = changing.iter().position(|other| other.application == *need);
        if let Some(found) = found {
            visit(changing, found, visited, sorted);
        }
    }
    sorted.push(place);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(applications: &[(&str, &str, Direction)], expected: &str) {
        let atom = |name: &str| Atom::new(name).expect("a name");
        let changing: Vec<Changing> = applications
            .iter()
            .map(|(name, needs, direction)| Changing {
                application: atom(name),
                needs: needs.split_whitespace().map(atom).collect(),
                direction: *direction,
            })
            .collect();
        let order = order(&changing);
        let names = order
            .iter()
            .map(|place| changing[*place].application.to_string());
        assert_eq!(names.collect::<Vec<_>>().join(" "), expected);
    }

    #[test]
    fn what_is_needed_goes_up_first_and_down_last() {
        use Direction::{Down, Up};
        case(
            &[("a", "b", Up), ("b", "c kernel", Up), ("c", "", Up)],
            "c b a",
        );
        case(
            &[("a", "b", Down), ("b", "c", Down), ("c", "", Down)],
            "a b c",
        );
        case(
            &[("c", "", Up), ("a", "b", Down), ("b", "c", Down)],
            "a b c",
        );
        case(&[("a", "b", Up), ("b", "a", Up)], "b a");
    }
}
