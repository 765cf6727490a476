//! `erlrc man`: manual pages, from the same source as the help.

use super::{Common, Failure, Status};
use std::path::PathBuf;

/// Arguments of `erlrc man`.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  erlrc man /usr/share/man/man8")]
pub struct Arguments {
    /// Where the pages go; made if it is not there
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write the manual pages to {directory}")]
struct ManError {
    directory: String,
    source: std::io::Error,
}

/// Writes `erlrc.8` and a page per command.
pub fn run(arguments: &Arguments, _: &Common) -> Result<Status, Failure> {
    write(arguments).map(|()| Status::Done).map_err(|source| {
        let directory = arguments.directory.display().to_string();
        Failure::new(Status::Failed, ManError { directory, source })
    })
}

fn write(arguments: &Arguments) -> std::io::Result<()> {
    std::fs::create_dir_all(&arguments.directory)?;
    let root = super::command().disable_help_subcommand(true);
    for (name, command) in pages(root) {
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .section("8")
            .render(&mut page)?;
        let page = legible(&String::from_utf8_lossy(&page));
        std::fs::write(arguments.directory.join(format!("{name}.8")), page)?;
    }
    Ok(())
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

/// The page of the whole and one per command, named as the command can be called.
fn pages(mut root: clap::Command) -> Vec<(String, clap::Command)> {
    root.build();
    let commands = root.get_subcommands().map(|command| {
        let name = format!("erlrc-{}", command.get_name());
        // What the synopsis says must be there to be called.
        let called = format!("erlrc {}", command.get_name());
        let page = command.clone().name(name.clone()).bin_name(called);
        (name, page)
    });
    let mut pages: Vec<_> = commands.collect();
    pages.push(("erlrc".to_owned(), root));
    pages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_indented_is_not_filled() {
        let page = ".SH X\n a\n.SH EXTRA\nFiles:\n  a\n  b\nand\n";
        let expected = ".SH X\n a\n.SH NOTES\nFiles:\n.nf\n  a\n  b\n.fi\nand\n";
        assert_eq!(legible(page), expected);
        assert_eq!(legible("x"), "x");
    }
}
