//! Environment variables that a framework may have set for the launch process.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// What the environments of the record's commands say. Agents up to 0.22 lay them over that of the `launch` process, so a
/// variable with just this value may be the framework's. One with another value is the operator's.
#[derive(Debug, Default)]
pub struct Untrusted(BTreeMap<String, Vec<String>>);

impl Untrusted {
    /// From the variables of the record.
    pub fn of<'a>(variables: impl Iterator<Item = (&'a str, &'a str)>) -> Untrusted {
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in variables {
            // An environment is a row of NAME=VALUE texts: who may choose the name `A=b` sets `A`.
            let entry = format!("{name}={value}");
            // And a text ends at its first NUL.
            let entry = entry.split('\0').next().unwrap_or_default();
            if let Some((name, value)) = entry.split_once('=') {
                all.entry(name.to_owned()).or_default().push(value.to_owned());
            }
        }
        Untrusted(all)
    }

    /// Whether this variable of the process may come from the record.
    pub fn may_have_set(&self, name: &OsStr, value: &OsStr) -> bool {
        let values = name.to_str().and_then(|name| self.0.get(name));
        values.is_some_and(|values| values.iter().any(|own| own.as_bytes() == value.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_just_as_in_the_record() {
        let untrusted = Untrusted::of([("A", "1"), ("A", "2"), ("B=x", "y")].into_iter());
        let may = |name: &str, value: &str| untrusted.may_have_set(OsStr::new(name), OsStr::new(value));
        assert!(may("A", "1") && may("A", "2") && may("B", "x=y"));
        let untrusted = Untrusted::of([("A", "1\0x"), ("B\0", "y")].into_iter());
        assert!(untrusted.may_have_set(OsStr::new("A"), OsStr::new("1")), "what the agent makes of it");
        assert!(!may("A", "3") && !may("B", "y") && !may("C", "1"));
    }
}
