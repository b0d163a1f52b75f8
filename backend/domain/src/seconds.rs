//! A span of time as people write it: in seconds, `2` or `0.5`.

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Seconds, exact to the millisecond; a whole number is written without a point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(u32);

impl Seconds {
    /// So many seconds.
    pub const fn whole(secs: u32) -> Seconds {
        Seconds(secs.saturating_mul(1_000))
    }

    /// So many milliseconds.
    pub const fn millis(millis: u32) -> Seconds {
        Seconds(millis)
    }

    /// As a span of time.
    pub fn span(self) -> SignedDuration {
        SignedDuration::from_millis(self.0.into())
    }

    /// As a span of time that is never negative.
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0.into())
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 1_000 {
            0 => write!(f, "{}", self.0 / 1_000),
            part => f.write_str(format!("{}.{part:03}", self.0 / 1_000).trim_end_matches('0')),
        }
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(1_000) {
            to.serialize_u32(self.0 / 1_000)
        } else {
            to.serialize_f64(f64::from(self.0) / 1_000.0)
        }
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Seconds, D::Error> {
        from.deserialize_any(Written)
    }
}

struct Written;

impl Visitor<'_> for Written {
    type Value = Seconds;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds, to the millisecond: 2 or 0.5")
    }

    fn visit_u64<E: Error>(self, secs: u64) -> Result<Seconds, E> {
        let millis = u32::try_from(secs).ok().and_then(|secs| secs.checked_mul(1_000));
        millis.map(Seconds).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(secs), &self))
    }

    fn visit_i64<E: Error>(self, secs: i64) -> Result<Seconds, E> {
        u64::try_from(secs)
            .map_err(|_| E::invalid_value(Unexpected::Signed(secs), &self))
            .and_then(|s| self.visit_u64(s))
    }

    fn visit_f64<E: Error>(self, secs: f64) -> Result<Seconds, E> {
        let millis = (secs * 1_000.0).round();
        let exact = (0.0..=f64::from(u32::MAX)).contains(&millis) && (secs * 1_000.0 - millis).abs() < 1e-6;
        if exact {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "its range was looked at")]
            return Ok(Seconds(millis as u32));
        }
        Err(E::invalid_value(Unexpected::Float(secs), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_and_broken_seconds_are_read_and_written_as_people_do() {
        for (text, millis) in
            [("2", 2_000), ("0", 0), ("0.5", 500), ("1.25", 1_250), ("0.001", 1), ("86400", 86_400_000)]
        {
            let read: Seconds = serde_json::from_str(text).unwrap();
            assert_eq!(read, Seconds::millis(millis), "{text}");
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
            assert_eq!(read.to_string(), text);
        }
        assert_eq!(serde_json::from_str::<Seconds>("3.0").unwrap(), Seconds::whole(3));
    }

    #[test]
    fn what_is_negative_finer_than_a_millisecond_or_no_number_is_refused() {
        for text in ["-1", "-0.5", "0.0005", "1e300", "\"2\"", "null", "5000000000"] {
            assert!(serde_json::from_str::<Seconds>(text).is_err(), "{text}");
        }
    }
}
