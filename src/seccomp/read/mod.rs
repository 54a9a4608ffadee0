//! From the JSON of a file to a [`Profile`]: with serde's traits, so that what is wrong is seen where it stands.
//!
//! Nothing is guessed: a name that is not known is refused, since a rule without its mistyped `args` would let more through.
//! `null` stands for what is left out, as other readers of these files have it.
#![forbid(unsafe_code)]

mod object;
mod word;

use std::borrow::Cow;

use serde_core::de::{Deserialize, Error, MapAccess};

use self::object::{Fields, deserialize_object};
use self::word::{Capability, Name, Version, Word};
use super::abi::Abi;
use super::action::{Action, MOST_ERRNO};
use super::error::ProfileError;
use super::profile::{Architectures, Comparison, Condition, Profile, Rule, Selection};

impl<'a> Profile<'a> {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// What is no JSON, what is not known, and what contradicts itself, with line and column.
    pub fn parse(text: &'a str) -> Result<Profile<'a>, ProfileError> {
        let file: File<'a> = serde_json::from_str(text).map_err(ProfileError::Text)?;
        Ok(file.0)
    }
}

struct File<'a>(Profile<'a>);
struct Entry<'a>(Rule<'a>);
struct Argument(Condition);
struct Chosen(Selection);
struct MapEntry(Option<Abi>, Vec<Abi>);

/// `SCMP_ARCH_...`
#[derive(Clone, Copy)]
struct Architecture(Option<Abi>);

fn list<'de, T: Deserialize<'de>, A: MapAccess<'de>>(map: &mut A) -> Result<Vec<T>, A::Error> {
    Ok(map.next_value::<Option<Vec<T>>>()?.unwrap_or_default())
}

fn missing<E: Error>(what: &str, field: &str) -> E {
    E::custom(format_args!("{what} has no {field}"))
}

/// ERRNO with the errno of another field.
fn with_errno<E: Error>(action: Action, errno: Option<u64>) -> Result<Action, E> {
    match (action, errno) {
        (Action::Errno(_), Some(errno)) if errno > MOST_ERRNO => {
            Err(E::custom(format_args!("{errno} is no errno: the kernel knows 1 to {MOST_ERRNO}")))
        }
        (Action::Errno(_), Some(errno)) => Ok(Action::Errno(errno as u16)),
        _ => Ok(action),
    }
}

#[derive(Default)]
struct FileFields<'a> {
    default_action: Option<Action>,
    default_errno: Option<u64>,
    architectures: Vec<Architecture>,
    map: Vec<MapEntry>,
    rules: Vec<Entry<'a>>,
    ignored: Vec<String>,
}

impl<'de> Fields<'de> for FileFields<'de> {
    type Made = File<'de>;
    const WHAT: &'static str = "a profile";
    const KNOWN: &'static [&'static str] =
        &["defaultAction", "defaultErrnoRet", "architectures", "archMap", "flags", "syscalls", "comment"];

    fn read<A: MapAccess<'de>>(&mut self, field: usize, map: &mut A) -> Result<(), A::Error> {
        match field {
            0 => self.default_action = Some(map.next_value::<Word<Action>>()?.0),
            1 => self.default_errno = map.next_value()?,
            2 => self.architectures = list(map)?,
            3 => self.map = list(map)?,
            4 => self.ignored = list::<Word<Flag>, A>(map)?.into_iter().filter_map(|flag| flag.0.0).collect(),
            5 => self.rules = list(map)?,
            _ => drop(map.next_value::<serde_core::de::IgnoredAny>()?),
        }
        Ok(())
    }

    fn made<E: Error>(self) -> Result<File<'de>, E> {
        let default = self.default_action.ok_or_else(|| missing(Self::WHAT, "defaultAction"))?;
        let architectures = match (self.architectures.is_empty(), self.map.is_empty()) {
            (false, false) => return Err(E::custom("a profile has either architectures or archMap, not both")),
            (_, true) => Architectures::List(self.architectures.into_iter().filter_map(|a| a.0).collect()),
            _ => Architectures::Map(self.map.into_iter().map(|entry| (entry.0, entry.1)).collect()),
        };
        Ok(File(Profile {
            default_action: with_errno(default, self.default_errno)?,
            architectures,
            rules: self.rules.into_iter().map(|entry| entry.0).collect(),
            ignored: self.ignored,
        }))
    }
}

#[derive(Default)]
struct RuleFields<'a> {
    names: Vec<Name<'a>>,
    name: Option<Name<'a>>,
    action: Option<Action>,
    errno: Option<u64>,
    args: Vec<Argument>,
    includes: Option<Chosen>,
    excludes: Option<Chosen>,
}

impl<'de> Fields<'de> for RuleFields<'de> {
    type Made = Entry<'de>;
    const WHAT: &'static str = "a rule";
    const KNOWN: &'static [&'static str] =
        &["names", "name", "action", "errnoRet", "args", "includes", "excludes", "comment"];

    fn read<A: MapAccess<'de>>(&mut self, field: usize, map: &mut A) -> Result<(), A::Error> {
        match field {
            0 => self.names = list(map)?,
            1 => self.name = map.next_value()?,
            2 => self.action = Some(map.next_value::<Word<Action>>()?.0),
            3 => self.errno = map.next_value()?,
            4 => self.args = list(map)?,
            5 => self.includes = map.next_value()?,
            6 => self.excludes = map.next_value()?,
            _ => drop(map.next_value::<serde_core::de::IgnoredAny>()?),
        }
        Ok(())
    }

    fn made<E: Error>(self) -> Result<Entry<'de>, E> {
        // An empty name beside names is written by programs that know both.
        let name = self.name.filter(|name| !name.0.is_empty());
        let names: Vec<Cow<'de, str>> = match (name, self.names.is_empty()) {
            (Some(name), true) => vec![name.0],
            (None, false) => self.names.into_iter().map(|name| name.0).collect(),
            (Some(_), false) => return Err(E::custom("a rule has either names or name, not both")),
            (None, true) => return Err(missing(Self::WHAT, "names")),
        };
        let action = self.action.ok_or_else(|| missing(Self::WHAT, "action"))?;
        let conditions: Vec<Condition> = self.args.into_iter().map(|argument| argument.0).collect();
        let twice = |(n, c): (usize, &Condition)| conditions.iter().take(n).any(|other| other.index == c.index);
        if conditions.iter().enumerate().any(twice) {
            // Container runtimes take them for alternatives, though the form says that all must hold.
            return Err(E::custom(
                "args has the same index twice, which others understand differently: write a rule for each if one of them \
                 is enough",
            ));
        }
        Ok(Entry(Rule {
            names,
            action: with_errno(action, self.errno)?,
            conditions,
            includes: self.includes.map(|chosen| chosen.0).unwrap_or_default(),
            excludes: self.excludes.map(|chosen| chosen.0).unwrap_or_default(),
        }))
    }
}

#[derive(Default)]
struct ArgumentFields {
    index: Option<u64>,
    value: Option<u64>,
    value_two: Option<u64>,
    op: Option<Comparison>,
}

impl<'de> Fields<'de> for ArgumentFields {
    type Made = Argument;
    const WHAT: &'static str = "an entry of args";
    const KNOWN: &'static [&'static str] = &["index", "value", "valueTwo", "op"];

    fn read<A: MapAccess<'de>>(&mut self, field: usize, map: &mut A) -> Result<(), A::Error> {
        match field {
            0 => self.index = Some(map.next_value()?),
            1 => self.value = Some(map.next_value()?),
            2 => self.value_two = map.next_value()?,
            _ => self.op = Some(map.next_value::<Word<Comparison>>()?.0),
        }
        Ok(())
    }

    fn made<E: Error>(self) -> Result<Argument, E> {
        let index = self.index.ok_or_else(|| missing(Self::WHAT, "index"))?;
        if index > 5 {
            return Err(E::custom(format_args!("index {index} is no argument: they are 0 to 5")));
        }
        Ok(Argument(Condition {
            index: index as u8,
            comparison: self.op.ok_or_else(|| missing(Self::WHAT, "op"))?,
            value: self.value.ok_or_else(|| missing(Self::WHAT, "value"))?,
            value_two: self.value_two.unwrap_or_default(),
        }))
    }
}

#[derive(Default)]
struct SelectionFields {
    capabilities: Vec<Word<Capability>>,
    architectures: Vec<String>,
    min_kernel: Option<Word<Version>>,
}

impl<'de> Fields<'de> for SelectionFields {
    type Made = Chosen;
    const WHAT: &'static str = "includes or excludes";
    const KNOWN: &'static [&'static str] = &["caps", "arches", "minKernel"];

    fn read<A: MapAccess<'de>>(&mut self, field: usize, map: &mut A) -> Result<(), A::Error> {
        match field {
            0 => self.capabilities = list(map)?,
            1 => self.architectures = list(map)?,
            _ => self.min_kernel = map.next_value()?,
        }
        Ok(())
    }

    fn made<E: Error>(self) -> Result<Chosen, E> {
        Ok(Chosen(Selection {
            capabilities: self.capabilities.iter().fold(0, |bits, word| bits | word.0.0),
            architectures: self.architectures,
            min_kernel: self.min_kernel.map(|word| word.0.0),
        }))
    }
}

#[derive(Default)]
struct MapFields {
    architecture: Option<Architecture>,
    others: Vec<Architecture>,
}

impl<'de> Fields<'de> for MapFields {
    type Made = MapEntry;
    const WHAT: &'static str = "an entry of archMap";
    const KNOWN: &'static [&'static str] = &["architecture", "subArchitectures"];

    fn read<A: MapAccess<'de>>(&mut self, field: usize, map: &mut A) -> Result<(), A::Error> {
        match field {
            0 => self.architecture = Some(map.next_value()?),
            _ => self.others = list(map)?,
        }
        Ok(())
    }

    fn made<E: Error>(self) -> Result<MapEntry, E> {
        let native = self.architecture.ok_or_else(|| missing(Self::WHAT, "architecture"))?;
        Ok(MapEntry(native.0, self.others.into_iter().filter_map(|other| other.0).collect()))
    }
}

/// Of `flags`, those that do something elsewhere and nothing here.
struct Flag(Option<String>);

impl word::Named for Flag {
    fn named(name: &str) -> Result<Flag, String> {
        match name {
            // There is one thread when the filter is set.
            "" | "SECCOMP_FILTER_FLAG_TSYNC" => Ok(Flag(None)),
            "SECCOMP_FILTER_FLAG_LOG" | "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => Ok(Flag(Some(name.to_owned()))),
            _ => Err(format!("unknown flag \"{}\"", name.escape_default())),
        }
    }
}

impl word::Named for Architecture {
    fn named(name: &str) -> Result<Architecture, String> {
        Abi::named(name).map(Architecture)
    }
}

deserialize_object!(File<'de>, FileFields);
deserialize_object!(Entry<'de>, RuleFields);
deserialize_object!(Argument, ArgumentFields);
deserialize_object!(Chosen, SelectionFields);
deserialize_object!(MapEntry, MapFields);

impl<'de> Deserialize<'de> for Architecture {
    fn deserialize<D: serde_core::Deserializer<'de>>(from: D) -> Result<Architecture, D::Error> {
        Word::<Architecture>::deserialize(from).map(|word| word.0)
    }
}
