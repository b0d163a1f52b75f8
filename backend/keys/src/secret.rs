//! A secret that is open: in memory, for as long as it is used.

use zeroize::Zeroizing;

/// Text that must not be shown. Wiped when dropped; has no `Debug`, no `Display`, no copy; read by [`Secret::reveal`] alone.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Of its text.
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// Of bytes, if they are text.
    pub fn from_bytes(bytes: &[u8]) -> Option<Secret> {
        std::str::from_utf8(bytes).ok().map(|text| Secret::new(text.to_owned()))
    }

    /// What it says: for whoever it is meant for.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}
