//! Durable steps by name. Whatever changes the world so that it outlives the process goes through [`step`], so that tests
//! can end the process just before or just after each of them.
//!
//! What the container's first process does between clone and exec has no steps of its own: it mounts in a namespace of its own, joins
//! cgroups, sets what is true of itself. All of it ends with the process, which whoever takes over kills; nothing would be left of it
//! that is not left of the step `clone` around it, too.
#![forbid(unsafe_code)]

#[cfg(feature = "crash-points")]
mod crash;

/// Runs one durable step. With the feature `crash-points` the process is killed by SIGKILL before or after it when
/// `ECP_CRASH` says `NAME:before` or `NAME:after`, the first time or the one that `ECP_CRASH_AT` says; without the feature this
/// is `action()`.
#[inline]
pub fn step<T>(name: &'static str, action: impl FnOnce() -> T) -> T {
    step_of(name, "", action)
}

/// The same for one of many: the step's name is `NAME OF`, as `prepare cgroups/mem`.
#[inline]
pub fn step_of<T>(name: &'static str, of: &str, action: impl FnOnce() -> T) -> T {
    point(name, of, "before");
    let result = action();
    point(name, of, "after");
    result
}

#[cfg(not(feature = "crash-points"))]
#[inline]
fn point(_name: &'static str, _of: &str, _side: &'static str) {}

#[cfg(feature = "crash-points")]
fn point(name: &'static str, of: &str, side: &'static str) {
    let space = if of.is_empty() { "" } else { " " };
    crash::pass(&format!("{name}{space}{of}:{side}"));
}

#[cfg(test)]
mod tests;
