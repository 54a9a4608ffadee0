//! What a program says of itself, once a launch.
#![forbid(unsafe_code)]

use prost::Message;

use super::form::{self, Form};
use crate::error::{Error, Result};
use crate::protocol::isolator;

/// The calls that a program may take part in, by the names that it is called with.
pub(super) const CALLS: [&str; 9] =
    ["probe", "plan", "prepare", "isolate", "watch", "update", "usage", "recover", "cleanup"];

/// The controllers that isolators can ask for: those of v1 and of v2 that this program has to do with.
const CONTROLLERS: [&str; 11] =
    ["blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "hugetlb", "memory", "net_cls", "perf_event", "pids"];

/// An answer to `describe`, checked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Description {
    /// How it is called, and how it answers.
    pub(super) form: Form,
    /// None: all.
    calls: Option<Vec<&'static str>>,
    /// The cgroups that its containers need.
    pub(super) controllers: Vec<&'static str>,
}

impl Description {
    /// Of a container that an older release launched.
    pub(super) const UNKNOWN: Description = Description { form: Form::Record, calls: None, controllers: Vec::new() };

    /// Understands an answer. In JSON, it asks for JSON in all other calls.
    ///
    /// # Errors
    /// One that is neither form, or names a call or controller that there is not.
    pub(super) fn of(answer: &[u8]) -> Result<Description> {
        let (form, bytes) = form::read("mesos_ecp.isolator.Description", answer)?;
        let found = isolator::Description::decode(&*bytes)
            .map_err(|e| Error::Refused(format!("it is no Description record: {e}")))?;
        Ok(Description {
            form,
            calls: if found.calls.is_empty() { None } else { Some(known("call", &found.calls, &CALLS)?) },
            controllers: known("controller", &found.controllers, &CONTROLLERS)?,
        })
    }

    /// In the form in which [`Description::kept`] takes it.
    pub(super) fn to_keep(&self) -> Vec<u8> {
        let names = |list: &[&'static str]| list.iter().map(|name| (*name).to_owned()).collect();
        let record = isolator::Description {
            calls: names(self.calls.as_deref().unwrap_or_default()),
            controllers: names(&self.controllers),
        };
        [&[u8::from(self.form == Form::Json)], &record.encode_to_vec()[..]].concat()
    }

    /// What was kept with a container. What a newer release may have written there is left out.
    pub(super) fn kept(bytes: &[u8]) -> Description {
        let Some((form, record)) = bytes.split_first() else {
            return Description::UNKNOWN;
        };
        let found = isolator::Description::decode(record).unwrap_or_default();
        let known = |list: &[String], all: &[&'static str]| -> Vec<&'static str> {
            all.iter().copied().filter(|name| list.iter().any(|given| given == name)).collect()
        };
        Description {
            form: if *form == 0 { Form::Record } else { Form::Json },
            calls: if found.calls.is_empty() { None } else { Some(known(&found.calls, &CALLS)) },
            controllers: known(&found.controllers, &CONTROLLERS),
        }
    }

    /// Whether the program takes part in this call.
    pub(super) fn has(&self, call: &str) -> bool {
        self.calls.as_ref().is_none_or(|calls| calls.contains(&call))
    }

    /// Whether it says so by name.
    pub(super) fn names(&self, call: &str) -> bool {
        self.calls.as_ref().is_some_and(|calls| calls.contains(&call))
    }
}

fn known(what: &str, list: &[String], all: &[&'static str]) -> Result<Vec<&'static str>> {
    let find = |name: &String| {
        all.iter().copied().find(|known| known == name).ok_or_else(|| {
            Error::Refused(format!("there is no {what} \"{}\"; there are {}", name.escape_default(), all.join(", ")))
        })
    };
    let mut found = Vec::with_capacity(all.len());
    for name in list {
        let name = find(name)?;
        // Twice is as good as once.
        if !found.contains(&name) {
            found.push(name);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nothing_said_means_all_calls_in_records() {
        assert_eq!(Description::of(b"").unwrap(), Description::UNKNOWN);
        assert!(CALLS.iter().all(|call| Description::UNKNOWN.has(call) && !Description::UNKNOWN.names(call)));
        let json = Description::of(b"{}\n").unwrap();
        assert_eq!((json.form, json.has("usage")), (Form::Json, true));
    }

    #[test]
    fn what_is_said_is_kept() {
        let said = Description::of(br#"{"calls": ["cleanup", "prepare"], "controllers": ["memory"]}"#).unwrap();
        assert!(said.has("prepare") && said.names("cleanup") && !said.has("usage"));
        assert_eq!(said.controllers, ["memory"]);
        let kept = Description::kept(&said.to_keep());
        assert!(kept.has("prepare") && !kept.has("usage"));
        assert_eq!((kept.form, kept.controllers), (Form::Json, vec!["memory"]));
        assert_eq!(Description::kept(&Description::UNKNOWN.to_keep()), Description::UNKNOWN);
        assert_eq!(Description::kept(b""), Description::UNKNOWN);
    }

    #[test]
    fn what_there_is_not_is_refused() {
        for (answer, says) in [
            (&br#"{"calls": ["prepar"]}"#[..], "no call \"prepar\""),
            (br#"{"controllers": ["mem"]}"#, "no controller \"mem\""),
            (br#"{"callz": []}"#, "callz"),
            (b"hello", "hello"),
            (b"\x09\0\0\0x", "record"),
        ] {
            let error = Description::of(answer).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
