//! One rule: these devices may be used so.
#![forbid(unsafe_code)]

use std::fmt;

/// The two kinds of device files, whose numbers have nothing to do with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Block devices.
    Block,
    /// Character devices.
    Char,
}

/// What may be done with a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Opening it for reading.
    pub read: bool,
    /// Opening it for writing.
    pub write: bool,
    /// Making a file for it.
    pub mknod: bool,
}

impl Access {
    /// Everything.
    pub const ALL: Access = Access { read: true, write: true, mknod: true };
    /// Making a file for it, but not opening that.
    pub const MKNOD: Access = Access { read: false, write: false, mknod: true };

    /// Whether it is none at all.
    pub fn is_none(self) -> bool {
        !(self.read || self.write || self.mknod)
    }

    fn and(self, other: Access) -> Access {
        Access { read: self.read || other.read, write: self.write || other.write, mknod: self.mknod || other.mknod }
    }
}

/// Devices, and what may be done with them. A request is allowed if one rule allows all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Which kind.
    pub kind: Kind,
    /// The driver's number; None: any.
    pub major: Option<u32>,
    /// Which one of the driver's; None: any.
    pub minor: Option<u32>,
    /// What may be done.
    pub access: Access,
}

impl Rule {
    /// For one device.
    pub const fn number(kind: Kind, major: u32, minor: u32, access: Access) -> Rule {
        Rule { kind, major: Some(major), minor: Some(minor), access }
    }

    /// For all devices of a driver.
    pub const fn driver(kind: Kind, major: u32, access: Access) -> Rule {
        Rule { kind, major: Some(major), minor: None, access }
    }

    /// For all devices of a kind.
    pub const fn any(kind: Kind, access: Access) -> Rule {
        Rule { kind, major: None, minor: None, access }
    }
}

/// As v1's control files have it, for instance `c 136:* rwm`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: Option<u32>| number.map_or_else(|| "*".to_owned(), |n| n.to_string());
        let kind = match self.kind {
            Kind::Block => 'b',
            Kind::Char => 'c',
        };
        write!(f, "{kind} {}:{} ", number(self.major), number(self.minor))?;
        let letters = [(self.access.read, "r"), (self.access.write, "w"), (self.access.mknod, "m")];
        letters.into_iter().filter(|(is, _)| *is).try_for_each(|(_, letter)| f.write_str(letter))
    }
}

/// The rules with those for the same devices made one, as v1 does by itself: reading by one rule and writing by another is
/// both at once then.
pub(super) fn merged(rules: &[Rule]) -> Vec<Rule> {
    let mut merged: Vec<Rule> = Vec::with_capacity(rules.len());
    for rule in rules {
        match merged.iter_mut().find(|r| (r.kind, r.major, r.minor) == (rule.kind, rule.major, rule.minor)) {
            Some(same) => same.access = same.access.and(rule.access),
            None => merged.push(*rule),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_the_same_devices_become_one() {
        let read = Access { read: true, write: false, mknod: false };
        let write = Access { read: false, write: true, mknod: false };
        let rules = [
            Rule::number(Kind::Char, 1, 3, read),
            Rule::number(Kind::Block, 1, 3, read),
            Rule::driver(Kind::Char, 1, Access::MKNOD),
            Rule::number(Kind::Char, 1, 3, write),
        ];
        let texts: Vec<String> = merged(&rules).iter().map(Rule::to_string).collect();
        assert_eq!(texts, ["c 1:3 rw", "b 1:3 r", "c 1:* m"]);
    }
}
