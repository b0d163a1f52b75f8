//! What makes two signals the same alert.

use uuid::Uuid;

/// The canonical text whose SHA-256 is an alert's fingerprint; the target comes last, so that no target can be
/// mistaken for another part.
pub fn fingerprint_text(check_id: Uuid, host_id: Uuid, target: &str) -> String {
    format!("alert 1\ncheck {check_id}\nhost {host_id}\ntarget {target}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_host_and_target_each_make_another_text() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let texts = [
            fingerprint_text(a, a, "x"),
            fingerprint_text(a, b, "x"),
            fingerprint_text(b, a, "x"),
            fingerprint_text(a, a, "y"),
        ];
        for (i, one) in texts.iter().enumerate() {
            assert!(texts.iter().skip(i + 1).all(|other| other != one));
        }
        assert_eq!(texts[0], fingerprint_text(a, a, "x"));
    }
}
