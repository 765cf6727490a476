//! `erlrc config`: every setting of this host and its nodes, where it comes from, and what is wrong with it.

use super::arguments::Apps;
use super::colours::{Colours, RED};
use super::hook::{Answer, query};
use super::settings::{self, Setting};
use super::table::table;
use super::{Common, Connection, Failure, Status, nodes, output};

/// Arguments of `erlrc config`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Prints the settings of erlrc.conf, of the registrations and of the metadata, the environment of erlrc on
each node that answers, and the variables of this command: value, and where it comes from. What cannot
be meant, a key that nobody knows or a value that it cannot have, is named with file and line on standard
error, and the status is 1. A node that does not answer is named too; the status is 3 where it is there.

erlrc config check prints nothing else. erlrc.conf(5) explains every key.

JSON: {\"kind\": \"config\", \"version\": 1, \"settings\": [{\"key\", \"value\", \"source\", \"file\", \"line\", \"fault\"}],
\"status\"}; file, line and fault are left out where there are none.

Examples:
  erlrc config
  erlrc config --node shop --json
  erlrc config check && systemctl restart erlrc@shop")]
pub struct Arguments {
    /// Print only faults
    #[arg(value_enum)]
    what: Option<What>,
    #[command(flatten)]
    packages: Apps,
    #[command(flatten)]
    connection: Connection,
}

/// What is to be done about the settings.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// Print only faults
    Check,
}

/// Prints the settings.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let (settings, reached) = gathered(arguments, common)?;
    let is_wrong = |setting: &&Setting| setting.fault.is_some();
    let status = match settings.iter().any(|setting| setting.fault.is_some()) {
        true => Status::Failed,
        false => reached,
    };
    let out = common.output();
    let checks = arguments.what == Some(What::Check);
    let shown: Vec<&Setting> = settings
        .iter()
        .filter(|one| !checks || is_wrong(one))
        .collect();
    out.envelope(
        "config",
        1,
        &serde_json::json!({"settings": shown, "status": status.code()}),
    );
    if !out.is_json() {
        if !checks {
            out.text(&text(&shown));
        }
        settings.iter().filter(is_wrong).for_each(complain);
    }
    if checks && status == Status::Done {
        out.text(&format!("all well: {} settings\n", settings.len()));
    }
    Ok(status)
}

/// The settings, and whether every node that is there tells its own; those that do not are named.
fn gathered(arguments: &Arguments, common: &Common) -> Result<(Vec<Setting>, Status), Failure> {
    let mut settings = settings::of_host(common, &arguments.packages.apps);
    let mut status = Status::Done;
    for (name, entry) in nodes::entries(common, &arguments.connection)? {
        let answers = match entry {
            Ok(entry) => query(&entry, &arguments.connection, vec![settings::of_node()]),
            Err(error) => Err(Box::new(Answer::entry_refused(&error))),
        };
        match answers {
            Ok(answers) => settings.extend(
                answers
                    .into_iter()
                    .flatten()
                    .flat_map(|answer| settings::answered(&name.to_string(), &answer)),
            ),
            Err(answer) => {
                let why = answer
                    .reason
                    .map_or_else(String::new, |why| format!(": {why}"));
                let text = format!("{name} does not tell its settings: {}{why}", answer.outcome);
                common.output().warning(&text);
                status = status.worse(answer.class.into());
            }
        }
    }
    settings.extend(settings::of_environment());
    Ok((settings, status))
}

fn text(settings: &[&Setting]) -> String {
    let row = |setting: &&Setting| {
        let line = setting
            .line
            .map_or_else(String::new, |line| format!(":{line}"));
        let cells = [
            setting.key.clone(),
            setting.value.clone(),
            format!("{}{line}", setting.source),
        ];
        cells.map(|cell| output::printable(&cell)).to_vec()
    };
    let rows: Vec<Vec<String>> = settings.iter().map(row).collect();
    table(&["SETTING", "VALUE", "FROM"], &rows)
}

fn complain(setting: &Setting) {
    let Some(text) = setting.complaint() else {
        return;
    };
    let colours = Colours::of_errors();
    let text = output::printable(&text);
    output::error_text(&format!("{}\n", colours.paint(RED, &text)));
}
