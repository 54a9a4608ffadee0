//! Durable steps by name. Whatever changes the world so that it outlives the process goes through [`step`], so that tests
//! can end the process just before or just after each of them.
#![forbid(unsafe_code)]

/// Runs one durable step. With the feature `crash-points` the process is killed by SIGKILL before or after it when
/// `ECP_CRASH` says `NAME:before` or `NAME:after`, the first time or the one that `ECP_CRASH_AT` says; without the feature this
/// is `action()`.
#[inline]
pub fn step<T>(name: &'static str, action: impl FnOnce() -> T) -> T {
    point(name, "before");
    let result = action();
    point(name, "after");
    result
}

#[cfg(not(feature = "crash-points"))]
#[inline]
fn point(_name: &'static str, _side: &'static str) {}

#[cfg(feature = "crash-points")]
fn point(name: &'static str, side: &'static str) {
    use std::io::Write;
    if let Some(list) = std::env::var_os("ECP_STEPS")
        && let Ok(mut file) = std::fs::OpenOptions::new().append(true).create(true).open(list)
    {
        // A list that misses a step only makes the sweep shorter; it must not end the product.
        let _ = file.write_all(format!("{name}:{side}\n").as_bytes());
    }
    static PASSED: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    if std::env::var("ECP_CRASH").is_ok_and(|at| at == format!("{name}:{side}")) {
        let wanted = std::env::var("ECP_CRASH_AT").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
        if PASSED.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 != wanted {
            return;
        }
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
    }
}
