//! Columns for people. No more than that: what is in them is the command's.

/// Rows with equally many cells, each column as wide as its widest cell; the last is not padded.
/// Empty columns are left out, those of the heading aside.
pub fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let shown: Vec<usize> = (0..heading.len())
        .filter(|&column| {
            rows.iter()
                .any(|row| row.get(column).is_some_and(|cell| !cell.is_empty()))
        })
        .collect();
    let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
    let heading: Vec<String> = heading.iter().map(ToString::to_string).collect();
    let width = |column: usize| {
        let cells = rows
            .iter()
            .chain([&heading])
            .map(|row| cell(row, column).chars().count());
        cells.max().unwrap_or_default()
    };
    let widths: Vec<usize> = shown.iter().map(|&column| width(column)).collect();
    let line = |row: &Vec<String>| {
        let cells = shown
            .iter()
            .zip(&widths)
            .map(|(&column, width)| format!("{:width$}", cell(row, column)));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    [&heading].into_iter().chain(rows).map(line).collect()
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
