//! What emulators are made of was replaced: the triggers of erlrc's own package say so.

use super::Arguments;
use crate::cli::hook::chain;
use crate::cli::{Common, output};
use crate::maint::Format;
use crate::restart;
use std::process::{Command, Stdio};

/// Notes it for each path among the script's arguments, which are names of triggers.
pub fn note(format: Format, arguments: &Arguments, common: &Common) {
    for path in arguments
        .arguments
        .iter()
        .filter(|name| name.starts_with('/'))
    {
        let what = owner(format, path).unwrap_or_else(|| path.clone());
        if let Err(error) = restart::note(&common.state, &what) {
            output::error_text(&format!("erlrc: not written down: {}\n", chain(&error)));
        }
    }
}

/// The package that `path` belongs to.
fn owner(format: Format, path: &str) -> Option<String> {
    let mut query = match format {
        Format::Deb => Command::new("dpkg-query"),
        Format::Rpm => Command::new("rpm"),
    };
    match format {
        Format::Deb => query.args(["-S", path]),
        Format::Rpm => query.args(["-q", "--queryformat", "%{NAME}: \n", "-f", path]),
    };
    let query = query.stdin(Stdio::null()).stderr(Stdio::null());
    let said = query
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    // Several packages may have a directory; `:` begins the architecture, or the path.
    let end = |c: char| matches!(c, ':' | ',' | '\n');
    text.split(end)
        .next()
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
}
