//! A place in a list, as a text that means nothing to its reader.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use uuid::Uuid;

use super::Problem;

/// Says a place: its parts in order.
pub fn said(parts: &[String]) -> String {
    URL_SAFE_NO_PAD.encode(parts.join("."))
}

/// The parts of a place of `N` parts.
fn parts<const N: usize>(said: &str) -> Option<[String; N]> {
    let bytes = URL_SAFE_NO_PAD.decode(said).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let parts: Vec<String> = text.split('.').map(str::to_owned).collect();
    parts.try_into().ok()
}

/// Reads a place, or says that it is none.
pub fn read<const N: usize, T>(
    said: Option<&str>,
    of: impl Fn([String; N]) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let Some(said) = said else { return Ok(None) };
    let place = parts(said).and_then(of);
    place.map(Some).ok_or_else(|| Problem::invalid("cursor", "it is no place in this list; take it from `next`"))
}

/// An instant as a part.
pub fn micros(at: Timestamp) -> String {
    at.as_microsecond().to_string()
}

/// The instant of a part, if the database has it.
pub fn at(part: &str) -> Option<Timestamp> {
    Timestamp::from_microsecond(part.parse().ok()?).ok().filter(|at| *at >= Timestamp::UNIX_EPOCH)
}

/// An instant that somebody asks for, as near as the database has one.
pub fn within(at: Timestamp) -> Timestamp {
    const LAST: Timestamp = Timestamp::constant(253_402_207_200, 0);
    at.clamp(Timestamp::UNIX_EPOCH, LAST)
}

/// The id of a part.
pub fn id(part: &str) -> Option<Uuid> {
    Uuid::try_parse(part).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_place_is_read_as_it_was_said_and_anything_else_is_refused(us in 0i64..4_102_444_800_000_000, n: u128, junk in ".*") {
            let instant = Timestamp::from_microsecond(us).unwrap();
            let text = said(&[micros(instant), Uuid::from_u128(n).simple().to_string()]);
            let both = |[at_, id_]: [String; 2]| Some((at(&at_)?, id(&id_)?));
            prop_assert_eq!(read(Some(&text), both).unwrap(), Some((instant, Uuid::from_u128(n))));
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            prop_assert!(read::<2, _>(Some(&junk), both).is_err());
        }
    }
}
