//! A person's yes or no to exactly one planned run.

use jiff::SignedDuration;

/// A yes counts for this long: what then still waits for a limit asks again.
pub const LIVES: SignedDuration = SignedDuration::from_hours(1);

/// How long a fix waits for an answer; no answer is a no. What is critical is asked of whoever is on call.
pub fn lapses_after(is_critical: bool) -> SignedDuration {
    if is_critical { SignedDuration::from_mins(30) } else { SignedDuration::from_hours(4) }
}
