//! What the caller has set signals to: sigaction(2).
#![allow(unsafe_code)]

/// Whether the signal of this number is ignored. False for what is no signal.
pub fn is_ignored(signal: i32) -> bool {
    // SAFETY: an all-zero sigaction is SIG_DFL with an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: with a null pointer for the new action it only writes the present one.
    let done = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) };
    done == 0 && action.sa_sigaction == libc::SIG_IGN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_not_ignored_until_somebody_says_so() {
        assert!(!is_ignored(libc::SIGWINCH) && !is_ignored(4711));
        // SAFETY: SIG_IGN is a valid disposition, and ignoring this signal is its default.
        unsafe { libc::signal(libc::SIGWINCH, libc::SIG_IGN) };
        assert!(is_ignored(libc::SIGWINCH));
    }
}
