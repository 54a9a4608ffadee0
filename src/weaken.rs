//! Defences that tests can take away, to see that an attack would succeed without them.
#![forbid(unsafe_code)]

/// Whether the defence of this name is off: `ECP_WEAKEN` has it, and this was built with the feature `weakened`. Without the
/// feature, the constant `false`.
#[cfg(not(feature = "weakened"))]
#[inline]
#[must_use]
pub const fn is(_name: &str) -> bool {
    false
}

/// Whether the defence of this name is off: `ECP_WEAKEN` has it.
#[cfg(feature = "weakened")]
#[must_use]
pub fn is(name: &str) -> bool {
    std::env::var("ECP_WEAKEN").is_ok_and(|names| names.split(',').any(|weak| weak == name))
}
