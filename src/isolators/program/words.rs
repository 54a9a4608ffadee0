//! Where the standard error of a program goes: to the container's log, and to the `stderr` of its sandbox.
#![forbid(unsafe_code)]

use std::io::Write;

use crate::isolator::Container;
use crate::launcher::append_to_stderr;

/// A log takes no more from programs: it is in memory on most hosts, and `usage` is called every second.
const LONGEST_LOG: u64 = 1 << 20;

/// Hands on what the isolator `name` has written in `call`, a line of ours for each of its own. Of `usage`, which comes every
/// second, the sandbox gets nothing. Without a container it goes to our own stderr.
pub(in crate::isolators) fn tell(container: Option<&Container<'_>>, name: &str, call: &str, words: &[u8]) {
    if words.is_empty() {
        return;
    }
    let mut text = String::new();
    for line in String::from_utf8_lossy(words).lines().filter(|line| !line.trim().is_empty()) {
        text.push_str(&format!("isolator {name}: {call}: {}\n", super::call::one_line(line)));
    }
    let Some(container) = container else {
        // The relay may be gone with the agent; the call goes on.
        let _ = std::io::stderr().write_all(text.as_bytes());
        return;
    };
    if let Some(state) = container.state
        && std::fs::metadata(state.log_path()).map_or(0, |log| log.len()) < LONGEST_LOG
    {
        state.log(text.trim_end());
    }
    if call != "usage" {
        // Nobody who could hear of it, and the container matters more.
        let _ = append_to_stderr(container.sandbox, text.as_bytes());
    }
}
