//! One line on a terminal, rewritten in place: how far a download is.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Between two looks of a human.
const INTERVAL: Duration = Duration::from_millis(200);

/// Characters of a name: the numbers take less than forty.
const LONGEST_NAME: usize = 40;

/// The progress of one download.
#[derive(Debug)]
pub struct Progress {
    shown: bool,
    name: String,
    total: Option<u64>,
    done: u64,
    begun: Instant,
    last: Option<Instant>,
}

impl Progress {
    /// That of `name`; if it is not `shown`, nothing is ever written.
    pub fn new(shown: bool, name: &str) -> Progress {
        // Without what a name may do to a terminal, and short enough for one line of it.
        let name = name.escape_debug().take(LONGEST_NAME).collect();
        Progress { shown, name, total: None, done: 0, begun: Instant::now(), last: None }
    }

    /// The data begins to come; the whole has this many bytes, if that is known.
    pub fn begin(&mut self, total: Option<u64>) {
        self.total = total;
        self.begun = Instant::now();
    }

    /// So many bytes more.
    pub fn add(&mut self, bytes: u64) {
        self.done += bytes;
        if self.shown && self.last.is_none_or(|last| last.elapsed() >= INTERVAL) {
            self.last = Some(Instant::now());
            self.write("");
        }
    }

    fn write(&self, end: &str) {
        let _ = io::stderr().write_all(format!("\r{}\x1b[K{end}", self.line(self.begun.elapsed())).as_bytes());
    }

    fn line(&self, elapsed: Duration) -> String {
        let percent = match self.total {
            Some(total) if total > 0 => format!(" {}%", u128::from(self.done) * 100 / u128::from(total)),
            _ => String::new(),
        };
        let rate = self.done as f64 / elapsed.as_secs_f64().max(0.001);
        format!("{}: {}{percent}, {}/s", self.name, amount(self.done as f64), amount(rate))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            self.write("\n");
        }
    }
}

fn amount(bytes: f64) -> String {
    let mut value = bytes;
    for unit in ["B", "KB", "MB", "GB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let mut progress = Progress::new(false, "a\u{1b}b");
        progress.begin(Some(4096));
        progress.add(1024);
        assert_eq!(progress.line(Duration::from_millis(500)), "a\\u{1b}b: 1.0 KB 25%, 2.0 KB/s");
        progress.begin(None);
        assert_eq!(progress.line(Duration::from_secs(1)), "a\\u{1b}b: 1.0 KB, 1.0 KB/s");
        progress.begin(Some(0));
        assert!(!progress.line(Duration::ZERO).contains('%'));
        let long = Progress::new(false, &"n".repeat(255)).line(Duration::from_secs(1));
        assert!(long.len() < 80, "{long}");
        assert_eq!(amount(3.0 * 1024.0 * 1024.0 * 1024.0 * 1024.0), "3.0 TB");
    }
}
