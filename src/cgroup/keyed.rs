//! Formats of control files (kernel document cgroup-v2, "Format").
#![forbid(unsafe_code)]

/// A number, or `max` for the largest; None for anything else.
pub fn number(text: &str) -> Option<u64> {
    if text == "max" { Some(u64::MAX) } else { text.parse().ok() }
}

/// The value behind `key` in a flat keyed file: lines of `KEY VALUE`.
pub fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| number(line.strip_prefix(key)?.strip_prefix(' ')?.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_match_as_a_whole() {
        let text = "cache 4096\ntotal_cache 8192\noom_kill_disable 0\noom_kill 2\nlast max";
        assert_eq!(keyed(text, "cache"), Some(4096));
        assert_eq!(keyed(text, "oom_kill"), Some(2));
        assert_eq!(keyed(text, "last"), Some(u64::MAX));
        assert_eq!(keyed(text, "rss"), None);
        assert_eq!(number("-1"), None);
    }
}
