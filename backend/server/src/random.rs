//! The one random source of this process, handed down as an argument from here.

use rand::CryptoRng;

/// The operating system's generator, seeded per thread.
#[allow(clippy::disallowed_methods, reason = "this is where the process's random source begins")]
pub fn rng() -> impl CryptoRng {
    rand::rng()
}

/// 32 fresh bytes, for nonces.
pub fn bytes() -> [u8; 32] {
    use rand::Rng as _;
    let mut bytes = [0; 32];
    rng().fill_bytes(&mut bytes);
    bytes
}

/// A random source that a task may take along from thread to thread, seeded by the operating system's.
pub fn seeded() -> rand::rngs::StdRng {
    rand::SeedableRng::from_seed(bytes())
}
