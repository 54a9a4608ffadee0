//! A profile as it stands in the file.
#![forbid(unsafe_code)]

use std::borrow::Cow;

use super::abi::Abi;
use super::action::Action;

/// What a file says. Borrows names from its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile<'a> {
    /// For calls that no rule answers.
    pub default_action: Action,
    /// The interfaces beside the host's own one.
    pub architectures: Architectures,
    /// In the order of the file.
    pub rules: Vec<Rule<'a>>,
    /// Settings of the file that do nothing here, by name.
    pub ignored: Vec<String>,
}

impl Profile<'_> {
    /// The same, with names of its own.
    pub fn into_owned(self) -> Profile<'static> {
        let rule = |rule: Rule<'_>| Rule {
            names: rule.names.into_iter().map(|name| Cow::Owned(name.into_owned())).collect(),
            action: rule.action,
            conditions: rule.conditions,
            includes: rule.includes,
            excludes: rule.excludes,
        };
        let rules = self.rules.into_iter().map(rule).collect();
        Profile { default_action: self.default_action, architectures: self.architectures, rules, ignored: self.ignored }
    }
}

/// `architectures` or `archMap`. Those of other machines are left out; None stands for one of them where it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Architectures {
    /// These, whatever the host's own is.
    List(Vec<Abi>),
    /// For each host's own interface those that belong to it.
    Map(Vec<(Option<Abi>, Vec<Abi>)>),
}

/// An entry of `syscalls`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule<'a> {
    /// The calls that it is for.
    pub names: Vec<Cow<'a, str>>,
    /// The answer.
    pub action: Action,
    /// All of them must hold; no two for the same argument.
    pub conditions: Vec<Condition>,
    /// It counts if the host has all of these.
    pub includes: Selection,
    /// It does not count if the host has any of these.
    pub excludes: Selection,
}

/// An entry of `args`: a comparison of one argument, as 64 bits without a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Condition {
    /// The argument's number, 0 to 5.
    pub index: u8,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what; the mask for [`Comparison::MaskedEqual`].
    pub value: u64,
    /// For [`Comparison::MaskedEqual`] what the argument's bits below the mask have to be. Bits beside the mask do not count.
    pub value_two: u64,
}

/// How an argument is compared. The names in profiles are those of libseccomp, `SCMP_CMP_...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// NE
    NotEqual,
    /// LT
    Less,
    /// LE
    LessOrEqual,
    /// EQ
    Equal,
    /// GE
    GreaterOrEqual,
    /// GT
    Greater,
    /// MASKED_EQ
    MaskedEqual,
}

/// `includes` or `excludes` of a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Bits of capabilities.
    pub capabilities: u64,
    /// Names of hosts' own interfaces, as Go has them. Of several in `includes` one will do.
    pub architectures: Vec<String>,
    /// The kernel's version, or a later one.
    pub min_kernel: Option<(u32, u32)>,
}

impl Comparison {
    pub(super) fn named(name: &str) -> Result<Comparison, String> {
        Ok(match name.strip_prefix("SCMP_CMP_") {
            Some("NE") => Comparison::NotEqual,
            Some("LT") => Comparison::Less,
            Some("LE") => Comparison::LessOrEqual,
            Some("EQ") => Comparison::Equal,
            Some("GE") => Comparison::GreaterOrEqual,
            Some("GT") => Comparison::Greater,
            Some("MASKED_EQ") => Comparison::MaskedEqual,
            _ => {
                return Err(format!(
                    "unknown op \"{}\"; known are SCMP_CMP_NE, LT, LE, EQ, GE, GT and MASKED_EQ",
                    name.escape_default()
                ));
            }
        })
    }
}
