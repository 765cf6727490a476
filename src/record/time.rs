//! Moments as records have them: UTC, to the millisecond, written as RFC 3339 has it.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400_000;
/// The years that four digits hold.
const END: u64 = 253_402_300_800_000;

/// Milliseconds since 1970, up to the year 9999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(u64);

impl Time {
    /// The moment it is now, by the system's clock.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// That many milliseconds after 1970 began.
    pub fn from_millis(millis: u64) -> Self {
        Self(millis.min(END - 1))
    }

    /// Milliseconds since 1970 began.
    pub fn millis(self) -> u64 {
        self.0
    }

    /// The moment `before` this one.
    #[must_use]
    pub fn minus(self, before: Duration) -> Self {
        let millis = u64::try_from(before.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// How long after `earlier` this is; nothing where the clock was set back.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Reads `2026-01-31`, `2026-01-31T12:00Z`, with seconds and a fraction if need be; `Z`, a blank
    /// for the `T` and the whole time of day may be left out. Always UTC.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix(['Z', 'z']).unwrap_or(text);
        let (date, time) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00"));
        let [year, month, day] = numbers(date, '-')?[..] else {
            return None;
        };
        let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let (hour, minute, second) = match numbers(time, ':')?[..] {
            [hour, minute] => (hour, minute, 0),
            [hour, minute, second] => (hour, minute, second),
            _ => return None,
        };
        let sound = (1970..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_of(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        let days = sound.then(|| {
            days_before(year) + day - 1 + (1..month).map(|m| days_of(year, m)).sum::<u64>()
        })?;
        Some(Self(
            days * DAY + ((hour * 60 + minute) * 60 + second) * 1000 + millis_of(fraction)?,
        ))
    }

    fn date(self) -> (u64, u64, u64) {
        let mut days = self.0 / DAY;
        // The year cannot be more than this far off below, for years have at most 366 days.
        let mut year = 1970 + days / 366;
        while days_before(year + 1) <= days {
            year += 1;
        }
        days -= days_before(year);
        let mut month = 1;
        while days_of(year, month) <= days {
            days -= days_of(year, month);
            month += 1;
        }
        (year, month, days + 1)
    }
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let millis = self.0 % DAY;
        let (hour, minute, second) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
            millis % 1000
        )
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not a time"))
    }
}

fn numbers(text: &str, separator: char) -> Option<Vec<u64>> {
    let digits = |part: &str| {
        let sound = (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        sound.then(|| part.parse().ok()).flatten()
    };
    text.split(separator).map(digits).collect()
}

fn millis_of(fraction: &str) -> Option<u64> {
    let sound = !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit());
    let digits: String = fraction.chars().chain("00".chars()).take(3).collect();
    sound.then(|| digits.parse().ok()).flatten()
}

/// Days from 1970 to the beginning of `year`, by the Gregorian rule.
fn days_before(year: u64) -> u64 {
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
}

fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn case(millis: u64, expected: &str) {
        assert_eq!(Time(millis).to_string(), expected);
        assert_eq!(Time::parse(expected), Some(Time(millis)));
    }

    #[test]
    fn moments_are_written_as_rfc_3339_has_them() {
        // date -u -d @951782400, @1582934399, @4102444800, @253402300799
        case(0, "1970-01-01T00:00:00.000Z");
        case(951_782_400_000, "2000-02-29T00:00:00.000Z");
        case(1_582_934_399_999, "2020-02-28T23:59:59.999Z");
        case(4_102_444_800_007, "2100-01-01T00:00:00.007Z");
        case(END - 1, "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn people_may_leave_out_what_is_plain() {
        let noon = Time::parse("2026-03-01T12:00:00.000Z");
        assert!(noon.is_some());
        for text in [
            "2026-03-01 12:00",
            "2026-03-01T12:00Z",
            "2026-03-01 12:00:00.0",
        ] {
            assert_eq!(Time::parse(text), noon, "{text}");
        }
        for text in [
            "",
            "2026",
            "2026-02-29",
            "2026-13-01",
            "2026-01-01T24:00",
            "2026-01-01T",
            "1969-12-31",
            "2026-01-01T00:00:00+01:00",
            "2026-01-01T00:00:00.",
            "+026-01-01",
        ] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(millis in 0..END) {
            prop_assert_eq!(Time::parse(&Time(millis).to_string()), Some(Time(millis)));
        }

        #[test]
        fn no_text_is_too_odd(text in "[0-9TZ:. -]{0,30}") {
            let _ = Time::parse(&text);
        }
    }
}
