//! Points in time as records have them: UTC, in milliseconds, written as in RFC 3339.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, up to the year 9999, where the calendar of `jiff` ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(u64);

impl Time {
    /// The current time of the system clock.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// The point in time this many milliseconds after the beginning of 1970.
    pub fn from_millis(millis: u64) -> Self {
        let latest = u64::try_from(Timestamp::MAX.as_millisecond()).unwrap_or_default();
        Self(millis.min(latest))
    }

    /// Milliseconds since the beginning of 1970.
    pub fn millis(self) -> u64 {
        self.0
    }

    /// The point in time that is earlier by `before`.
    #[must_use]
    pub fn minus(self, before: Duration) -> Self {
        let millis = u64::try_from(before.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// The time between `earlier` and this one; zero if the clock was set back.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Parses `2026-01-31` or `2026-01-31T12:00Z`, optionally with seconds and a fraction. `Z` and
    /// the time of day are optional, and a blank may stand for `T`. The time is always UTC.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix(['Z', 'z']).unwrap_or(text);
        let (date, time) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00"));
        // `jiff` would ignore an offset and accept more forms than the help describes.
        let plain = |text: &str, signs: [char; 2]| {
            let sign = |c: char| c.is_ascii_digit() || signs.contains(&c);
            !text.is_empty() && text.chars().all(sign)
        };
        if !plain(date, ['-', '-']) || !plain(time, [':', '.']) || !time.contains(':') {
            return None;
        }
        let civil: DateTime = format!("{date}T{time}").parse().ok()?;
        let moment = Offset::UTC.to_timestamp(civil).ok()?;
        u64::try_from(moment.as_millisecond()).ok().map(Self)
    }

    fn moment(self) -> Timestamp {
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
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
        write!(f, "{:.3}", self.moment())
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn latest() -> u64 {
        u64::try_from(Timestamp::MAX.as_millisecond()).expect("after 1970")
    }

    #[track_caller]
    fn case(millis: u64, expected: &str) {
        assert_eq!(Time(millis).to_string(), expected);
        assert_eq!(Time::parse(expected), Some(Time(millis)));
    }

    #[test]
    fn moments_are_written_as_rfc_3339_has_them() {
        // date -u -d @951782400, @1582934399, @4102444800, @253402207200
        case(0, "1970-01-01T00:00:00.000Z");
        case(951_782_400_000, "2000-02-29T00:00:00.000Z");
        case(1_582_934_399_999, "2020-02-28T23:59:59.999Z");
        case(4_102_444_800_007, "2100-01-01T00:00:00.007Z");
        case(latest(), "9999-12-30T22:00:00.999Z");
        assert_eq!(Time::from_millis(u64::MAX), Time(latest()));
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
            "2026-01-01T00:00:00-01:00",
            "2026-01-01T00:00[UTC]",
            "20260101T0000",
            "2026-01-01T00:00:00.",
            "+026-01-01",
        ] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(millis in 0..=latest()) {
            prop_assert_eq!(Time::parse(&Time(millis).to_string()), Some(Time(millis)));
        }

        #[test]
        fn no_text_is_too_odd(text in "[0-9TZ:. -]{0,30}") {
            let _ = Time::parse(&text);
        }
    }
}
