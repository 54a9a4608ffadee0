//! Safeguards that tests can take away, to show that an attack succeeds without them.
#![forbid(unsafe_code)]

/// Whether the safeguard of this name is taken away.
#[cfg(not(feature = "weakened"))]
#[inline]
pub fn is(_name: &str) -> bool {
    false
}

/// Whether the safeguard of this name is taken away: `ECP_WEAKEN` has it, names separated by commas.
#[cfg(feature = "weakened")]
pub fn is(name: &str) -> bool {
    std::env::var("ECP_WEAKEN").is_ok_and(|names| names.split(',').any(|n| n == name))
}
