//! Guessing which known name a misspelt one was meant to be.
#![forbid(unsafe_code)]

/// The candidate that `given` was probably meant to be: few letters differ, the fewer the shorter the word.
pub(crate) fn closest<T: AsRef<str>>(given: &str, candidates: impl Iterator<Item = T>) -> Option<T> {
    let near = given.len().div_ceil(3).min(3);
    candidates
        .map(|candidate| (distance(given.as_bytes(), candidate.as_ref().as_bytes()), candidate))
        .filter(|(distance, _)| *distance <= near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance: how many bytes to insert, delete or replace.
fn distance(from: &[u8], to: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FLAGS;

    #[test]
    fn distances() {
        for (from, to, expected) in
            [("", "", 0), ("", "abc", 3), ("wait", "wait", 0), ("wiat", "wait", 2), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(from.as_bytes(), to.as_bytes()), expected, "{from} {to}");
            assert_eq!(distance(to.as_bytes(), from.as_bytes()), expected, "{to} {from}");
        }
    }

    #[test]
    fn only_close_names_are_suggested() {
        let flags = || FLAGS.iter().map(|flag| flag.name);
        assert_eq!(closest("isolaton", flags()), Some("isolation"));
        assert_eq!(closest("runtime-dir", flags()), Some("runtime_dir"));
        assert_eq!(closest("isolator_dri", flags()), Some("isolator_dir"));
        assert_eq!(closest("containerizer", flags()), None);
        assert_eq!(closest("", flags()), None);
    }
}
