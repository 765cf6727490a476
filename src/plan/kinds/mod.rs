//! Every kind of finding of a plan, with what it means and what to do: the manual page `erlrc-findings(7)` and
//! `docs/reference/findings.md` are made from these tables.

mod files;
mod node;

pub use files::FILES;
pub use node::NODE;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    fn sources(dir: &Path, extension: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(dir).expect("a directory of sources");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let found = paths.flat_map(|path| match path.is_dir() {
            true => sources(&path, extension),
            false => vec![path],
        });
        found
            .filter(|path| path.extension().is_some_and(|found| found == extension))
            .collect()
    }

    /// The names that stand behind any of `calls` in the sources below `dir`.
    fn made(dir: &str, extension: &str, calls: &[&str]) -> BTreeSet<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = BTreeSet::new();
        for path in sources(&root.join(dir), extension) {
            let text = std::fs::read_to_string(&path).expect("a source");
            for call in calls {
                for (at, _) in text.match_indices(call) {
                    let after = text[at + call.len()..].trim_start().trim_start_matches('"');
                    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
                    let end = after.find(|c: char| !is_name(c)).unwrap_or(after.len());
                    found.insert(after[..end].to_owned());
                }
            }
        }
        found
    }

    fn named(tables: &[&[crate::catalogue::Entry]]) -> BTreeSet<String> {
        let entries = tables.iter().flat_map(|table| table.iter());
        entries.map(|entry| entry.name.to_owned()).collect()
    }

    /// Those whose name does not stand where the finding is made.
    const NAMED_ELSEWHERE: [&str; 3] = ["bad_beam", "no_script", "state_not_migrated"];

    #[test]
    fn every_finding_of_files_and_plans_is_in_the_catalogue() {
        let calls = [
            "Finding::info(",
            "Finding::warning(",
            "Finding::error(",
            "Finding::new(",
            "= finding(",
            "push(finding(",
        ];
        let mut found = made("src", "rs", &calls);
        found.extend(made("erlang/src", "erl", &["erlrc_finding:new("]));
        // What is left of these calls without a name is a variable, or nothing.
        found.retain(|name| name.contains('_') || name == "cycle" || name == "shadowed");
        found.extend(NAMED_ELSEWHERE.map(str::to_owned));
        assert_eq!(found, named(&[&FILES, &NODE]));
    }

    #[test]
    fn every_entry_is_a_sentence_and_says_what_to_do() {
        for entry in FILES.iter().chain(&NODE).chain(&crate::maint::DOCTOR) {
            for text in [entry.meaning, entry.remedy] {
                assert!(text.ends_with('.') && text.contains(' '), "{}", entry.name);
            }
        }
    }

    #[test]
    fn entries_are_in_order_and_none_is_twice() {
        for table in [&FILES[..], &NODE, &crate::maint::DOCTOR] {
            assert!(table.windows(2).all(|pair| pair[0].name < pair[1].name));
        }
    }
}
