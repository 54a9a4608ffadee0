//! How many processors the host has.
#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;

use super::ONLINE;
use crate::error::{Error, Result};

/// The host's number of online processors, as pid 1 sees it: also where another file lies over ours already.
///
/// # Errors
/// When there is no such file, or no list in it.
pub fn online_cpus() -> Result<u32> {
    // sysconf would do, but older C libraries remember its answer for a second, and `agent` asks again after the change.
    let text = fs::read_to_string(Path::new("/proc/1/root").join(ONLINE.trim_start_matches('/')))
        .or_else(|_| fs::read_to_string(ONLINE))
        .map_err(Error::path("read", ONLINE))?;
    count(text.trim())
        .ok_or_else(|| Error::Refused(format!("{ONLINE} holds no list of processors: \"{}\"", text.escape_default())))
}

/// How many numbers a list as `0-3,6` has.
fn count(list: &str) -> Option<u32> {
    list.split(',').try_fold(0u32, |sum, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors() {
        for (list, number) in [("0", 1), ("0-1", 2), ("0-3,6", 5), ("1,3-4,8-127", 123)] {
            assert_eq!(count(list), Some(number), "{list}");
        }
        for list in ["", "a", "0-", "3-1", "0,,1", "0-1-2", "0-4294967295"] {
            assert_eq!(count(list), None, "{list}");
        }
    }
}
