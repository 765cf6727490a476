//! The frame of a page that stands alone: nothing outside of the file is needed to read it. What is put into the markup is
//! escaped by its type.

use super::output::printable;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The look, light or dark as the reader's system has it.
const STYLE: &str = include_str!("page.css");
/// The page loads nothing and runs nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// A page with this title and content. `style` is the look of what it alone has, `note` follows the version at its end.
pub fn framed(title: &str, style: &str, content: &Markup, note: &str) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (printable(title)) }
                style { (PreEscaped(STYLE)) (PreEscaped(style)) }
            }
            body {
                main { (content) }
                footer { "erlrc " (env!("CARGO_PKG_VERSION")) (note) }
            }
        }
    };
    page.into_string()
}

/// The name of this host, for those who read a page elsewhere.
pub fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}
