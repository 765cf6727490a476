//! `erlrc man`: manual pages, from the same source as the help, and the pages of findings and of settings.

use super::keys::{NODE_KEYS, REGISTRATION_KEYS};
use super::settings::VARIABLES;
use super::{Common, Failure, Status};
use crate::catalogue::Entry;
use crate::{maint, plan};
use std::path::PathBuf;

/// Arguments of `erlrc man`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
JSON: {\"kind\": \"man\", \"version\": 1, \"files\": [FILE]}

Example:
  erlrc man /usr/share/man/man8")]
pub struct Arguments {
    /// Directory for the pages; it is created if it does not exist
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write the manual pages to {directory}")]
struct ManError {
    directory: String,
    source: std::io::Error,
}

/// Writes `erlrc.8`, a page for each command, `erlrc-findings.7` and `erlrc.conf.5`.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let files = write(arguments).map_err(|source| {
        let directory = arguments.directory.display().to_string();
        Failure::new(Status::Failed, ManError { directory, source })
    })?;
    let report = serde_json::json!({ "files": files });
    common.output().envelope("man", 1, &report);
    Ok(Status::Done)
}

/// Writes them; their files.
fn write(arguments: &Arguments) -> std::io::Result<Vec<String>> {
    let mut files = Vec::new();
    std::fs::create_dir_all(&arguments.directory)?;
    let root = super::command().disable_help_subcommand(true);
    for (name, command) in pages(root) {
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .section("8")
            .render(&mut page)?;
        let page = legible(&String::from_utf8_lossy(&page));
        let file = arguments.directory.join(format!("{name}.8"));
        std::fs::write(&file, page)?;
        files.push(file.display().to_string());
    }
    for (name, page) in [
        ("erlrc-findings.7", findings()),
        ("erlrc.conf.5", configuration()),
    ] {
        let file = arguments.directory.join(name);
        std::fs::write(&file, page)?;
        files.push(file.display().to_string());
    }
    Ok(files)
}

/// The page that lists every finding.
fn findings() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut page = format!(
        ".TH erlrc\\-findings 7 \"\" \"erlrc {version}\"\n.SH NAME\n\
         erlrc\\-findings \\- what erlrc plan and erlrc doctor find, and what to do about it\n\
         .SH DESCRIPTION\n\
         A finding is something that a person should know before an upgrade, or that is not as it should be on a host. \
         Each has a kind: a name that never changes its meaning and that scripts can rely on.\n"
    );
    section(&mut page, "FINDINGS OF A PLAN, IN FILES", &plan::FILES);
    section(&mut page, "FINDINGS OF A PLAN, ON A NODE", &plan::NODE);
    section(&mut page, "FINDINGS OF THE DOCTOR", &maint::DOCTOR);
    page.push_str(".SH SEE ALSO\n.BR erlrc (8),\n.BR erlrc\\-plan (8),\n.BR erlrc\\-doctor (8)\n");
    page
}

fn section(page: &mut String, heading: &str, entries: &[Entry]) {
    page.push_str(&format!(".SH \"{heading}\"\n"));
    for entry in entries {
        let (name, meaning, remedy) = (roff(entry.name), roff(entry.meaning), roff(entry.remedy));
        page.push_str(&format!(
            ".TP\n.B {name}\n{meaning}\n.IP\nWhat to do: {remedy}\n"
        ));
    }
}

/// The page of every setting.
fn configuration() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut page = format!(
        ".TH erlrc.conf 5 \"\" \"erlrc {version}\"\n.SH NAME\n\
         erlrc.conf \\- settings of erlrc: the file, registrations, nodes, variables\n\
         .SH DESCRIPTION\n\
         .I /etc/erlrc.d/erlrc.conf\nholds Erlang terms, one for each key, such as\n.BR \"{{batch, true}}.\" ;\n\
         without it each key has its default.\n\
         .B erlrc config\nprints every setting of a host and its nodes and where it comes from,\n\
         .B erlrc config check\nonly what is wrong.\n"
    );
    let file = maint::FILE_KEYS.map(|key| (key.name, key.values, key.default, key.meaning));
    settings(&mut page, "KEYS OF ERLRC.CONF", "", &file);
    let about =
        "An empty file /etc/erlrc.d/applications/APP registers an application. It may hold terms:";
    settings(
        &mut page,
        "KEYS OF A REGISTRATION",
        about,
        &REGISTRATION_KEYS,
    );
    let about = "In the application environment of erlrc, for example in sys.config: {erlrc, [{suspend_timeout, 10000}]}.";
    settings(
        &mut page,
        "ENVIRONMENT OF ERLRC ON A NODE",
        about,
        &NODE_KEYS,
    );
    let variables = VARIABLES.map(|(name, default, meaning)| (name, "", default, meaning));
    let about = "For commands and hooks.";
    settings(&mut page, "VARIABLES", about, &variables);
    page.push_str(
        ".SH SEE ALSO\n.BR erlrc (8),\n.BR erlrc\\-config (8),\n.BR erlrc\\-findings (7)\n",
    );
    page
}

/// A section of keys, each with values, default and meaning.
fn settings(page: &mut String, heading: &str, about: &str, keys: &[(&str, &str, &str, &str)]) {
    page.push_str(&format!(".SH \"{heading}\"\n"));
    if !about.is_empty() {
        page.push_str(&format!("{}\n", roff(about)));
    }
    for (name, values, default, meaning) in keys {
        let default = if default.is_empty() { "none" } else { default };
        let values = match values.is_empty() {
            true => String::new(),
            false => format!("Values: {values}. "),
        };
        let meaning = roff(&meaning.replace('`', ""));
        let values = roff(&format!("{values}Default: {default}."));
        page.push_str(&format!(
            ".TP\n.B {}\n{meaning}\n.IP\n{values}\n",
            roff(name)
        ));
    }
}

/// Text that roff prints as it is. The texts of the catalogue never begin with a period or a quote.
fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

/// `page` with a heading that tells something over what follows the options, and with what is indented there
/// left as it is.
fn legible(page: &str) -> String {
    let Some((options, notes)) = page.split_once(".SH EXTRA\n") else {
        return page.to_owned();
    };
    let mut legible = format!("{options}.SH NOTES\n");
    let mut indented = false;
    for line in notes.lines() {
        if line.starts_with(' ') != indented {
            indented = !indented;
            legible.push_str(if indented { ".nf\n" } else { ".fi\n" });
        }
        legible.push_str(line);
        legible.push('\n');
    }
    legible
}

/// The page of the whole and one per command, named as the command can be called; where that has commands of its
/// own, one for each of them.
fn pages(mut root: clap::Command) -> Vec<(String, clap::Command)> {
    root.build();
    let mut pages = Vec::new();
    // What the completion scripts call is nobody else's.
    let commands = root
        .get_subcommands()
        .filter(|command| command.get_name() != "complete");
    for command in commands {
        pages.push(page(command, &["erlrc", command.get_name()]));
        let nested = command.get_subcommands();
        let nested = nested.filter(|nested| nested.get_name() != "help");
        pages.extend(
            nested.map(|nested| page(nested, &["erlrc", command.get_name(), nested.get_name()])),
        );
    }
    pages.push(("erlrc".to_owned(), root));
    pages
}

/// The page of `command`. What its synopsis says must be there to be called.
fn page(command: &clap::Command, called: &[&str]) -> (String, clap::Command) {
    let name = called.join("-");
    let page = command.clone().name(name.clone());
    (name, page.bin_name(called.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_findings_names_each_with_what_to_do() {
        let page = findings();
        for entry in plan::FILES.iter().chain(&plan::NODE).chain(&maint::DOCTOR) {
            let named = format!(".B {}\n", entry.name);
            let (_, after) = page.split_once(&named).expect(entry.name);
            let (entry, _) = after.split_once("\n.TP").unwrap_or((after, ""));
            assert!(entry.contains("\n.IP\nWhat to do: "), "{entry}");
        }
        assert_eq!(roff("a-b \\ c"), "a\\-b \\e c");
        assert!(page.lines().all(|line| !line.starts_with('\'')));
    }

    #[test]
    fn the_page_of_settings_names_each_with_its_default() {
        let page = configuration();
        let names = maint::FILE_KEYS.map(|key| key.name).into_iter();
        let names = names.chain(REGISTRATION_KEYS.map(|key| key.0));
        let names = names.chain(NODE_KEYS.map(|key| key.0));
        for name in names.chain(VARIABLES.map(|(name, ..)| name)) {
            let (_, after) = page.split_once(&format!(".B {name}\n")).expect(name);
            let (entry, _) = after.split_once("\n.TP").unwrap_or((after, ""));
            assert!(entry.contains("Default: "), "{entry}");
        }
        let wrong = |line: &&str| line.starts_with('\'') || line.is_empty();
        assert_eq!(page.lines().find(wrong), None);
    }

    #[test]
    fn what_is_indented_is_not_filled() {
        let page = ".SH X\n a\n.SH EXTRA\nFiles:\n  a\n  b\nand\n";
        let expected = ".SH X\n a\n.SH NOTES\nFiles:\n.nf\n  a\n  b\n.fi\nand\n";
        assert_eq!(legible(page), expected);
        assert_eq!(legible("x"), "x");
    }
}
