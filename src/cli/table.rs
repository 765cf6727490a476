//! Columns for people. No more than that: what is in them is the command's.

use super::output;

/// Between two columns, and before what goes on in the next line.
const GAP: &str = "  ";
const HANGING: &str = "    ";

/// Rows with equally many cells, each column as wide as its widest cell; the last is not padded.
/// Empty columns are left out, those of the heading aside. What does not fit into a line of the terminal follows in
/// lines below it.
pub fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    fitted(heading, rows, output::width())
}

/// The same, so many spaces to the right.
pub fn indented(indent: usize, heading: &[&str], rows: &[Vec<String>]) -> String {
    let width = output::width().map(|width| width.saturating_sub(indent));
    let text = fitted(heading, rows, width);
    let lines = text.lines();
    lines
        .map(|line| format!("{:indent$}{line}\n", ""))
        .collect()
}

fn fitted(heading: &[&str], rows: &[Vec<String>], width: Option<usize>) -> String {
    let heading: Vec<String> = heading.iter().map(ToString::to_string).collect();
    let all: Vec<&Vec<String>> = [&heading].into_iter().chain(rows).collect();
    let is_shown = |column: &usize| {
        let mut cells = rows.iter().filter_map(|row| row.get(*column));
        cells.any(|cell| !cell.is_empty())
    };
    let columns: Vec<Column> = (0..heading.len())
        .filter(is_shown)
        .map(|place| Column {
            place,
            width: all
                .iter()
                .map(|row| cell(row, place).chars().count())
                .max()
                .unwrap_or(0),
        })
        .collect();
    let width = width.unwrap_or(usize::MAX);
    let lines = lines(columns, width);
    all.iter().map(|row| shown(row, &lines, width)).collect()
}

#[derive(Clone, Copy)]
struct Column {
    place: usize,
    width: usize,
}

impl Column {
    fn padded(self, row: &[String]) -> String {
        let width = self.width;
        format!("{:width$}", cell(row, self.place))
    }
}

fn cell(row: &[String], place: usize) -> &str {
    row.get(place).map(String::as_str).unwrap_or_default()
}

/// Which columns stand in which line. The last one follows the others in each row where there is room for it.
fn lines(columns: Vec<Column>, width: usize) -> Vec<Vec<Column>> {
    let mut lines = vec![Vec::new()];
    let mut used = 0;
    let last = columns.len().saturating_sub(1);
    for (number, column) in columns.into_iter().enumerate() {
        let wanted = used + GAP.len() + column.width;
        match lines.last_mut() {
            Some(line) if line.is_empty() || number == last || wanted <= width => {
                used = if line.is_empty() {
                    column.width
                } else {
                    wanted
                };
                line.push(column);
            }
            _ => {
                used = HANGING.len() + column.width;
                lines.push(vec![column]);
            }
        }
    }
    lines
}

/// A row; without anything in them the lines below the first are left out.
fn shown(row: &[String], lines: &[Vec<Column>], width: usize) -> String {
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let indent = if number == 0 { "" } else { HANGING };
        let cells = line.iter().map(|column| column.padded(row));
        let cells: Vec<String> = cells.collect();
        let whole = format!("{indent}{}", cells.join(GAP));
        let whole = whole.trim_end();
        let parts = match cells.split_last() {
            Some((last, others)) if whole.chars().count() > width && !others.is_empty() => {
                vec![
                    format!("{indent}{}", others.join(GAP)),
                    format!("{HANGING}{last}"),
                ]
            }
            _ => vec![whole.to_owned()],
        };
        let parts = parts.iter().map(|part| part.trim_end()).enumerate();
        let parts = parts.filter(|(part, text)| number + part == 0 || !text.is_empty());
        text.extend(parts.map(|(_, part)| broken(part, width)));
    }
    text
}

/// A line that is too long for the terminal, broken between words.
fn broken(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return format!("{line}\n");
    }
    let (mut text, mut used) = (String::new(), 0);
    for word in line.split_inclusive(' ') {
        let length = word.trim_end().chars().count();
        if used > HANGING.len() && used + length > width {
            text.truncate(text.trim_end().len());
            text.push('\n');
            text.push_str(HANGING);
            used = HANGING.len();
        }
        text.push_str(word);
        used += word.chars().count();
    }
    format!("{text}\n")
}

/// Microseconds with a unit that suits them.
pub fn microseconds(time: u64) -> String {
    match time {
        0..1_000 => format!("{time} us"),
        1_000..10_000 => format!("{:.1} ms", time as f64 / 1e3),
        10_000..1_000_000 => format!("{} ms", time / 1_000),
        1_000_000..60_000_000 => format!("{:.1} s", time as f64 / 1e6),
        _ => duration(time / 1_000_000),
    }
}

/// Seconds with a unit that suits them.
pub fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_need_be_and_empty_ones_left_out() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["a", "", "x"]), row(["größer", "", ""])];
        assert_eq!(
            table(&["ONE", "TWO", "THREE"], &rows),
            "ONE     THREE\na       x\ngrößer\n"
        );
        assert_eq!(table(&["ONE"], &[]), "\n");
    }

    #[test]
    fn what_is_too_wide_for_the_terminal_follows_below() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [
            row(["0b5a", "upgrade", "upgraded (n1, n2)"]),
            row(["1c", "start", ""]),
        ];
        let heading = ["ID", "OPERATION", "OUTCOME"];
        let wide = "ID    OPERATION  OUTCOME\n0b5a  upgrade    upgraded (n1, n2)\n1c    start\n";
        assert_eq!(fitted(&heading, &rows, None), wide);
        assert_eq!(fitted(&heading, &rows, Some(34)), wide);
        assert_eq!(
            fitted(&heading, &rows, Some(33)),
            "ID    OPERATION  OUTCOME\n0b5a  upgrade\n    upgraded (n1, n2)\n1c    start\n"
        );
        assert_eq!(
            fitted(&heading, &rows, Some(17)),
            "ID    OPERATION\n    OUTCOME\n0b5a  upgrade\n    upgraded (n1,\n    n2)\n1c    start\n"
        );
        for width in 0..40 {
            let text = fitted(&heading, &rows, Some(width));
            let words = |text: &str| {
                text.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            assert_eq!(words(&text), words(wide), "{width}");
            assert!(
                width < 13 || text.lines().all(|line| line.chars().count() <= width),
                "{text}"
            );
        }
    }

    #[test]
    fn times_have_units() {
        let cases = [
            (7, "7 us"),
            (1_500, "1.5 ms"),
            (16_499, "16 ms"),
            (1_200_000, "1.2 s"),
            (90_000_000, "1 min"),
            (7_200_000_000, "2 h"),
            (172_800_000_000, "2 d"),
        ];
        for (time, text) in cases {
            assert_eq!(microseconds(time), text);
        }
    }
}
