//! Strings: those of a fixed set, and names.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde_core::Deserializer;
use serde_core::de::{Deserialize, DeserializeSeed, Error, Visitor};

use super::super::action::Action;
use super::super::profile::Comparison;

/// What stands for itself as a string.
pub(super) trait Named: Sized {
    /// The one of this name; else why there is none.
    fn named(name: &str) -> Result<Self, String>;
}

impl Named for Action {
    fn named(name: &str) -> Result<Action, String> {
        Action::named(name)
    }
}

impl Named for Comparison {
    fn named(name: &str) -> Result<Comparison, String> {
        Comparison::named(name)
    }
}

/// The bit of a capability.
pub(super) struct Capability(pub(super) u64);

impl Named for Capability {
    fn named(name: &str) -> Result<Capability, String> {
        caps::Capability::from_str(name)
            .map(|capability| Capability(capability.bitmask()))
            .map_err(|_| format!("unknown capability \"{}\"; CAP_SYS_ADMIN is one", name.escape_default()))
    }
}

/// `4.8`
pub(super) struct Version(pub(super) (u32, u32));

impl Named for Version {
    fn named(text: &str) -> Result<Version, String> {
        text.split_once('.')
            .and_then(|(major, minor)| Some(Version((major.parse().ok()?, minor.parse().ok()?))))
            .ok_or_else(|| format!("\"{}\" is no version of a kernel; 4.8 is one", text.escape_default()))
    }
}

/// A string that names a `T`.
pub(super) struct Word<T>(pub(super) T);

impl<'de, T: Named> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Word<T>, D::Error> {
        from.deserialize_str(WordVisitor(PhantomData))
    }
}

struct WordVisitor<T>(PhantomData<T>);

impl<T: Named> Visitor<'_> for WordVisitor<T> {
    type Value = Word<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Word<T>, E> {
        T::named(text).map(Word).map_err(E::custom)
    }
}

/// The name of a call. Borrowed from the text, unless it has escapes.
#[derive(Default)]
pub(super) struct Name<'a>(pub(super) Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Name<'de>, D::Error> {
        from.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a system call, a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(text.to_owned())))
    }
}

/// A field's name: its place among the known ones.
pub(super) struct FieldName {
    pub(super) what: &'static str,
    pub(super) known: &'static [&'static str],
}

impl<'de> DeserializeSeed<'de> for FieldName {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<usize, D::Error> {
        from.deserialize_identifier(self)
    }
}

impl Visitor<'_> for FieldName {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        self.known.iter().position(|known| *known == name).ok_or_else(|| {
            let (what, name, known) = (self.what, name.escape_default(), self.known.join(", "));
            E::custom(format_args!("{what} has \"{name}\", which is not known; known are {known}"))
        })
    }
}
