//! Resource limits of processes (getrlimit(2)), their names, and how operators write them.
#![forbid(unsafe_code)]

use std::fmt;

use serde_json::{Map, Value};

use super::closest;
use crate::sys::Rlimit;

/// A name without `RLIMIT_`, the kernel's number, and that of mesos.RLimitInfo.RLimit.Type.
const KINDS: [(&str, libc::__rlimit_resource_t, i32); 16] = [
    ("AS", libc::RLIMIT_AS, 1),
    ("CORE", libc::RLIMIT_CORE, 2),
    ("CPU", libc::RLIMIT_CPU, 3),
    ("DATA", libc::RLIMIT_DATA, 4),
    ("FSIZE", libc::RLIMIT_FSIZE, 5),
    ("LOCKS", libc::RLIMIT_LOCKS, 6),
    ("MEMLOCK", libc::RLIMIT_MEMLOCK, 7),
    ("MSGQUEUE", libc::RLIMIT_MSGQUEUE, 8),
    ("NICE", libc::RLIMIT_NICE, 9),
    ("NOFILE", libc::RLIMIT_NOFILE, 10),
    ("NPROC", libc::RLIMIT_NPROC, 11),
    ("RSS", libc::RLIMIT_RSS, 12),
    ("RTPRIO", libc::RLIMIT_RTPRIO, 13),
    ("RTTIME", libc::RLIMIT_RTTIME, 14),
    ("SIGPENDING", libc::RLIMIT_SIGPENDING, 15),
    ("STACK", libc::RLIMIT_STACK, 16),
];

/// RLIM_INFINITY: no limit.
pub const UNLIMITED: u64 = u64::MAX;

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The kernel's number of what is limited, one of those that have a name here.
    pub resource: u32,
    /// In force; the process may move it up to `hard`. In the unit of the resource: bytes, seconds, numbers, or [`UNLIMITED`].
    pub soft: u64,
    /// At least `soft`.
    pub hard: u64,
}

/// Why a text is no list of limits. Names neither the flag nor the whole value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// A name that nothing has.
    #[error(
        "no resource limit is called {name}{}; getrlimit(2) has the names, written as NOFILE, RLIMIT_NOFILE or RLMT_NOFILE",
        closest.map(|name| format!(", did you mean {name}?")).unwrap_or_default()
    )]
    Unknown {
        /// As written, escaped.
        name: String,
        /// The one of nearly the same name.
        closest: Option<&'static str>,
    },
    /// A number of mesos.RLimitInfo.RLimit.Type that nothing has.
    #[error("no resource limit has the type {0} of RLimitInfo")]
    UnknownType(i32),
    /// A limit that stands twice.
    #[error("{0} stands twice; write each limit once")]
    Twice(&'static str),
    /// No number.
    #[error("{name}: \"{value}\" is neither a whole number below 2^64 nor unlimited")]
    Number {
        /// Which limit.
        name: &'static str,
        /// As written, escaped.
        value: String,
    },
    /// Only one of the two.
    #[error("{0} has only one of soft and hard; both are needed, or neither for unlimited")]
    Half(&'static str),
    /// The wrong way round.
    #[error("{0}: the soft limit is above the hard one")]
    SoftAboveHard(&'static str),
    /// Neither of the two forms.
    #[error(
        "{0}; write NOFILE=1024:4096,CORE=0 or {{\"rlimits\": [{{\"type\": \"RLMT_CORE\", \"soft\": 0, \"hard\": 0}}]}}"
    )]
    Form(String),
}

impl From<Rlimit> for Limit {
    fn from(Rlimit { resource, soft, hard }: Rlimit) -> Limit {
        Limit { resource, soft, hard }
    }
}

impl From<Limit> for Rlimit {
    fn from(Limit { resource, soft, hard }: Limit) -> Rlimit {
        Rlimit { resource, soft, hard }
    }
}

impl Limit {
    /// One of a record: neither soft nor hard is unlimited.
    ///
    /// # Errors
    /// An unknown type, only one of the two, and a soft limit above the hard one.
    pub fn of_record(kind: i32, soft: Option<u64>, hard: Option<u64>) -> Result<Limit, LimitError> {
        let found = KINDS.iter().find(|(.., mesos)| *mesos == kind).ok_or(LimitError::UnknownType(kind))?;
        Limit::new(found.0, found.1, soft, hard)
    }

    fn new(
        name: &'static str,
        resource: libc::__rlimit_resource_t,
        soft: Option<u64>,
        hard: Option<u64>,
    ) -> Result<Limit, LimitError> {
        let (soft, hard) = match (soft, hard) {
            (Some(soft), Some(hard)) => (soft, hard),
            (None, None) => (UNLIMITED, UNLIMITED),
            _ => return Err(LimitError::Half(name)),
        };
        if soft > hard {
            return Err(LimitError::SoftAboveHard(name));
        }
        Ok(Limit { resource, soft, hard })
    }

    /// What is limited, as `NOFILE`.
    pub fn name(&self) -> &'static str {
        KINDS.iter().find(|(_, resource, _)| *resource == self.resource).map_or("?", |(name, ..)| name)
    }
}

/// Reads `NOFILE=1024:4096,CORE=0,AS=unlimited` (soft and hard, or one number for both), or the JSON form of
/// mesos.RLimitInfo.
///
/// # Errors
/// A name that is not known, with the closest; a limit that stands twice; values that are no limits; any other form.
pub fn parse(text: &str) -> Result<Vec<Limit>, LimitError> {
    let text = text.trim();
    let limits =
        if text.starts_with('{') { json(text)? } else { text.split(',').map(plain).collect::<Result<_, _>>()? };
    only_once(&limits)?;
    Ok(limits)
}

/// # Errors
/// The first that is there twice.
pub fn only_once(limits: &[Limit]) -> Result<(), LimitError> {
    let twice = |at: &usize| limits[..*at].iter().any(|other| other.resource == limits[*at].resource);
    match (0..limits.len()).find(twice) {
        Some(at) => Err(LimitError::Twice(limits[at].name())),
        None => Ok(()),
    }
}

/// In the form that [`parse`] reads: `NOFILE=1024:4096`, `CORE=0`, `AS=unlimited`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name(), Amount(self.soft))?;
        if self.soft == self.hard { Ok(()) } else { write!(f, ":{}", Amount(self.hard)) }
    }
}

/// A soft or a hard limit, as it is printed.
pub struct Amount(
    /// In the unit of the resource.
    pub u64,
);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == UNLIMITED { f.write_str("unlimited") } else { self.0.fmt(f) }
    }
}

fn plain(entry: &str) -> Result<Limit, LimitError> {
    let entry = entry.trim();
    let (name, values) = entry
        .split_once('=')
        .ok_or_else(|| LimitError::Form(format!("\"{}\" has no value", entry.escape_default())))?;
    let (name, resource) = kind(name.trim())?;
    let read = |text: &str| {
        let text = text.trim();
        amount(text).ok_or_else(|| LimitError::Number { name, value: text.escape_default().to_string() })
    };
    let (soft, hard) = match values.split_once(':') {
        Some((soft, hard)) => (read(soft)?, read(hard)?),
        None => (read(values)?, read(values)?),
    };
    Limit::new(name, resource, Some(soft), Some(hard))
}

fn amount(text: &str) -> Option<u64> {
    match text {
        "unlimited" => Some(UNLIMITED),
        // No sign, which the standard library's parser would let pass.
        digits => digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?,
    }
}

fn json(text: &str) -> Result<Vec<Limit>, LimitError> {
    let form = |why: &str| LimitError::Form(why.to_owned());
    let whole: Value = serde_json::from_str(text).map_err(|e| form(&format!("it is no JSON: {e}")))?;
    let Some(list) = object(&whole, &["rlimits"])?.get("rlimits") else {
        return Ok(Vec::new());
    };
    let list = list.as_array().ok_or_else(|| form("rlimits is no list"))?;
    let limit = |entry: &Value| {
        let entry = object(entry, &["type", "soft", "hard"])?;
        let name = entry.get("type").and_then(Value::as_str).ok_or_else(|| form("a limit has no type"))?;
        let (name, resource) = kind(name)?;
        let value = |key: &str| match entry.get(key) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(number) => Ok(Some(number)),
                None => Err(LimitError::Number { name, value: value.to_string().escape_default().to_string() }),
            },
        };
        Limit::new(name, resource, value("soft")?, value("hard")?)
    };
    list.iter().map(limit).collect()
}

/// A mistyped name must not go unnoticed.
fn object<'a>(value: &'a Value, names: &[&str]) -> Result<&'a Map<String, Value>, LimitError> {
    let object = value.as_object().ok_or_else(|| LimitError::Form("it is no object".to_owned()))?;
    match object.keys().find(|key| !names.contains(&key.as_str())) {
        Some(key) => Err(LimitError::Form(format!("\"{}\" is not known", key.escape_default()))),
        None => Ok(object),
    }
}

/// In upper or lower case, with or without the prefixes of Mesos and of C.
fn kind(name: &str) -> Result<(&'static str, libc::__rlimit_resource_t), LimitError> {
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("RLMT_").or_else(|| upper.strip_prefix("RLIMIT_")).unwrap_or(&upper);
    let found = KINDS.iter().find(|(known, ..)| *known == bare).map(|(known, resource, _)| (*known, *resource));
    found.ok_or_else(|| LimitError::Unknown {
        name: name.escape_default().to_string(),
        closest: closest(bare, KINDS.iter().map(|(name, ..)| *name)),
    })
}

#[cfg(test)]
mod tests;
