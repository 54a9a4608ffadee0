//! What was logged of a container: nothing twice, and not without end. A container decides what it listens on.
#![forbid(unsafe_code)]

use super::set::PortSet;

/// So many lines at most for one supervisor about what the container does, and as many about what we cannot do.
const MOST: u32 = 100;

/// What was said.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// 8 KiB once there is one.
    ports: Option<PortSet>,
    unreadable: bool,
    failure: String,
    lines: Lines,
    failures: Lines,
}

/// How many there were.
#[derive(Debug, Default)]
struct Lines(u32);

impl Said {
    /// Those of the ports that were not named before. They count as named from now on.
    pub(super) fn ports(&mut self, found: &PortSet) -> PortSet {
        if found.is_empty() {
            return PortSet::default();
        }
        let named = self.ports.get_or_insert_default();
        let new = found.clone().without(named);
        *named = std::mem::take(named).with(found);
        new
    }

    /// Whether it is the first time that some cannot be looked at. How many they are changes all the time.
    pub(super) fn unreadable(&mut self, count: u64) -> bool {
        count > 0 && !std::mem::replace(&mut self.unreadable, true)
    }

    /// Whether it is another failure than the last one.
    pub(super) fn failure(&mut self, text: &str) -> bool {
        let new = self.failure != text;
        if new {
            text.clone_into(&mut self.failure);
        }
        new
    }

    /// A line about the container, as it is to be logged. None: there were enough.
    pub(super) fn line(&mut self, text: String) -> Option<String> {
        self.lines.next(text)
    }

    /// The same about a failure of ours, which a container cannot keep from being told.
    pub(super) fn failure_line(&mut self, text: String) -> Option<String> {
        self.failures.next(text)
    }
}

impl Lines {
    fn next(&mut self, text: String) -> Option<String> {
        self.0 = self.0.saturating_add(1);
        match self.0 {
            ..MOST => Some(text),
            MOST => Some(format!("{text}; this is line {MOST}, and no more of the kind are written")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_port_is_named_once() {
        let mut said = Said::default();
        let mut new = |ports: &[u16]| {
            said.ports(&PortSet::of(ports.iter().map(|port| u64::from(*port)..=u64::from(*port)))).to_string()
        };
        assert_eq!(new(&[]), "[]");
        assert_eq!(new(&[80, 90]), "[80-80, 90-90]");
        assert_eq!(new(&[90]), "[]");
        assert_eq!(new(&[80, 81]), "[81-81]");
        assert_eq!(new(&[80, 90]), "[]");
    }

    #[test]
    fn the_rest_is_said_when_it_is_new() {
        let mut said = Said::default();
        assert_eq!([0, 2, 3, 0, 1].map(|count| said.unreadable(count)), [false, true, false, false, false]);
        assert_eq!(["a", "a", "b", "a"].map(|text| said.failure(text)), [true, false, true, true]);
    }

    #[test]
    fn there_is_an_end_to_it() {
        let mut said = Said::default();
        let lines: Vec<String> = (0..1000).filter_map(|number| said.line(number.to_string())).collect();
        assert_eq!(lines.len(), 100);
        assert_eq!(lines.last().unwrap(), "99; this is line 100, and no more of the kind are written");
        assert_eq!(said.failure_line("bad".into()).as_deref(), Some("bad"), "whatever the container has done");
    }
}
