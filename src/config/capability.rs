//! Sets of Linux capabilities (capabilities(7)), their names, and how operators write them.
#![forbid(unsafe_code)]

use std::fmt;

use serde_json::Value;

use super::closest;

/// The names in the order of the kernel's numbers (linux/capability.h), without `CAP_`.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// The empty set, as operators write it.
const NONE: &str = "none";

/// A set of capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// One bit for each, by the kernel's numbers.
    pub bits: u64,
}

/// Why a text is no set of capabilities. Names neither the flag nor the whole value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CapabilityError {
    /// A name that nothing has.
    #[error(
        "no capability is called {name}{}; capabilities(7) has the names, written as NET_RAW or CAP_NET_RAW",
        closest.map(|name| format!(", did you mean {name}?")).unwrap_or_default()
    )]
    Unknown {
        /// As written, escaped.
        name: String,
        /// The one of nearly the same name.
        closest: Option<&'static str>,
    },
    /// A name that stands twice.
    #[error("{0} stands twice; write each name once")]
    Twice(&'static str),
    /// Neither of the two forms.
    #[error("{0}; write {{\"capabilities\": [\"NET_RAW\", \"SYS_ADMIN\"]}}, or NET_RAW,SYS_ADMIN, or none")]
    Form(String),
}

impl Capabilities {
    /// No capability.
    pub const NONE: Capabilities = Capabilities { bits: 0 };

    /// Those of these bits that have a name here.
    pub const KNOWN: Capabilities = Capabilities { bits: (1 << NAMES.len()) - 1 };

    /// Reads the agent's JSON form, `{"capabilities": ["NET_RAW"]}`, or names with commas between them, or `none`.
    ///
    /// # Errors
    /// A name that is not known, with the closest; a name that stands twice; and any other form.
    pub fn parse(text: &str) -> Result<Capabilities, CapabilityError> {
        let text = text.trim();
        if text.starts_with('{') {
            return json(text);
        }
        if text == NONE {
            return Ok(Capabilities::NONE);
        }
        collect(text.split(',').map(str::trim))
    }

    /// Whether the capability of this number is in it.
    pub const fn has(self, number: u32) -> bool {
        number < u64::BITS && self.bits & (1 << number) != 0
    }

    /// Those that are not in `other`.
    pub const fn without(self, other: Capabilities) -> Capabilities {
        Capabilities { bits: self.bits & !other.bits }
    }

    /// Those that are in both.
    pub const fn and(self, other: Capabilities) -> Capabilities {
        Capabilities { bits: self.bits & other.bits }
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.bits == 0
    }
}

/// In the form that [`Capabilities::parse`] reads, in the kernel's order: `NET_ADMIN,NET_RAW`, or `none`. What has no name
/// here stands there by its number.
impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str(NONE);
        }
        let mut comma = "";
        for number in (0..u64::BITS).filter(|number| self.has(*number)) {
            match NAMES.get(number as usize) {
                Some(name) => write!(f, "{comma}{name}")?,
                None => write!(f, "{comma}{number}")?,
            }
            comma = ",";
        }
        Ok(())
    }
}

fn json(text: &str) -> Result<Capabilities, CapabilityError> {
    let form = |why: &str| CapabilityError::Form(why.to_owned());
    let whole: Value = serde_json::from_str(text).map_err(|e| form(&format!("it is no JSON: {e}")))?;
    let object = whole.as_object().ok_or_else(|| form("it is no object"))?;
    if let Some(key) = object.keys().find(|key| *key != "capabilities") {
        return Err(form(&format!("\"{}\" is not known", key.escape_default())));
    }
    // A list that is empty is left out where protobuf is printed as JSON.
    let Some(list) = object.get("capabilities") else {
        return Ok(Capabilities::NONE);
    };
    let list = list.as_array().ok_or_else(|| form("capabilities is no list"))?;
    let names: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
    collect(names.ok_or_else(|| form("a capability is no string"))?.into_iter())
}

fn collect<'a>(names: impl Iterator<Item = &'a str>) -> Result<Capabilities, CapabilityError> {
    let mut set = Capabilities::NONE;
    for name in names {
        if name.is_empty() {
            return Err(CapabilityError::Form("a name is empty".to_owned()));
        }
        let number = number(name)?;
        if set.has(number as u32) {
            return Err(CapabilityError::Twice(NAMES[number]));
        }
        set.bits |= 1 << number;
    }
    Ok(set)
}

/// The place in [`NAMES`], in upper or lower case, with or without `CAP_`.
fn number(name: &str) -> Result<usize, CapabilityError> {
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    NAMES.iter().position(|known| *known == bare).ok_or_else(|| CapabilityError::Unknown {
        name: name.escape_default().to_string(),
        closest: closest(bare, NAMES.iter().copied()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<String, String> {
        Capabilities::parse(text).map(|set| set.to_string()).map_err(|e| e.to_string())
    }

    #[test]
    fn the_names_are_those_of_another_table() {
        assert_eq!(NAMES.len(), caps::all().len());
        for capability in caps::all() {
            assert_eq!(format!("CAP_{}", NAMES[capability.index() as usize]), capability.to_string());
        }
    }

    #[test]
    fn both_forms_are_read() {
        for text in [
            "NET_RAW,SYS_ADMIN",
            "sys_admin, cap_net_raw",
            r#"{"capabilities":["NET_RAW","SYS_ADMIN"]}"#,
            r#" { "capabilities" : [ "CAP_SYS_ADMIN", "NET_RAW" ] } "#,
        ] {
            assert_eq!(parse(text).unwrap(), "NET_RAW,SYS_ADMIN", "{text}");
        }
        for text in ["none", "{}", r#"{"capabilities":[]}"#] {
            assert_eq!(parse(text).unwrap(), "none", "{text}");
        }
        assert_eq!(Capabilities { bits: (1 << 13) | (1 << 63) }.to_string(), "NET_RAW,63");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, says) in [
            ("NET_ROW", "no capability is called NET_ROW, did you mean NET_RAW?"),
            ("NET_RAW,all", "no capability is called all; "),
            ("NET_RAW,none", "no capability is called none; "),
            ("NET_RAW,cap_net_raw", "NET_RAW stands twice"),
            ("NET_RAW,,KILL", "a name is empty; write {\"capabilities\": [\"NET_RAW\""),
            ("", "a name is empty"),
            ("{", "it is no JSON"),
            (r#"{"capability":[]}"#, "\"capability\" is not known"),
            (r#"{"capabilities":"NET_RAW"}"#, "is no list"),
            (r#"{"capabilities":[13]}"#, "is no string"),
            (r#"{"capabilities":["NET_RAWW"]}"#, "did you mean NET_RAW?"),
            ("a\n", "no capability is called a; "),
            ("a\tb", "called a\\tb; "),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_again(bits: u64) {
            let set = Capabilities { bits }.and(Capabilities::KNOWN);
            let text = set.to_string();
            prop_assert_eq!(Capabilities::parse(&text), Ok(set));
            prop_assert_eq!(Capabilities::parse(&text.to_lowercase()), Ok(set));
            let names: Vec<String> =
                text.split(',').filter(|name| *name != NONE).map(|name| format!("\"{name}\"")).collect();
            let json = format!(r#"{{"capabilities":[{}]}}"#, names.join(","));
            prop_assert_eq!(Capabilities::parse(&json), Ok(set));
        }

        #[test]
        fn anything_is_read_or_refused(text in "\\PC*") {
            if let Ok(set) = Capabilities::parse(&text) {
                prop_assert_eq!(Capabilities::parse(&set.to_string()), Ok(set));
            }
        }
    }
}
