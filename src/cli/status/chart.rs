//! The pauses of past operations as bars, in the order of time.

use crate::cli::history::{moment, outcome};
use crate::cli::output::printable;
use crate::cli::table::microseconds;
use crate::history::Record;
use maud::{Markup, html};

const WIDTH: u64 = 800;
const HEIGHT: u64 = 160;
/// For the longest pause, above the bars.
const TOP: u64 = 16;

/// The bars, as high as the pauses are long; nothing where there was none.
pub fn pauses(records: &[Record]) -> Markup {
    let bars: Vec<(&Record, u64)> = records
        .iter()
        .filter_map(|record| Some((record, record.pause()?)))
        .collect();
    let longest = bars
        .iter()
        .map(|(_, pause)| *pause)
        .max()
        .unwrap_or_default();
    let step = WIDTH / u64::try_from(bars.len()).unwrap_or(WIDTH).max(12);
    html! {
        @if longest > 0 {
            h3 { "Pauses" }
            p { "For how long processes stood still; red where it failed." }
            div class="chart" role="region" tabindex="0" aria-label="Pauses" {
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT + TOP) } preserveAspectRatio="none" role="img"
                    aria-label={ "Pauses, the longest " (microseconds(longest)) } {
                    line x1="0" x2=(WIDTH) y1=(TOP) y2=(TOP) {}
                    text x="0" y=(TOP - 4) { (microseconds(longest)) }
                    @for (place, (record, pause)) in (0..).zip(&bars) {
                        (bar(record, place * step, step.max(2) - 1, height(*pause, longest)))
                    }
                }
            }
        }
    }
}

/// At least a line: a short pause is none that did not happen.
fn height(pause: u64, longest: u64) -> u64 {
    let part = u128::from(pause) * u128::from(HEIGHT) / u128::from(longest.max(1));
    u64::try_from(part).unwrap_or(HEIGHT).max(1)
}

fn bar(record: &Record, left: u64, width: u64, height: u64) -> Markup {
    let pause = record.pause().map(microseconds).unwrap_or_default();
    let (time, app) = (moment(record.time), printable(&record.application));
    let title = format!("{time} {app}: {pause}, {}", printable(&outcome(record)));
    html! {
        rect class=[(record.status != 0).then_some("failed")] x=(left) y=(TOP + HEIGHT - height)
            width=(width) height=(height) {
            title { (title) }
        }
    }
}
