//! The value of `--cgroups_blkio_throttle`.
#![forbid(unsafe_code)]

use super::throttle::{Throttle, parse};

/// What is read is the same in the form that v2's kernel is told.
pub(crate) fn throttle(text: &str) {
    match parse(text) {
        Ok(throttles) => {
            let sized = |throttle: &Throttle| {
                let mut words = String::new();
                for word in throttle.as_io_max().split(' ') {
                    let unit = if word.contains("bps=") { "B" } else { "" };
                    words.push_str(&format!("{word}{unit} "));
                }
                words
            };
            let told: Vec<String> = throttles.iter().map(sized).collect();
            assert_eq!(parse(&told.join(";")), Ok(throttles));
        }
        Err(why) => assert!(!why.is_empty()),
    }
}
