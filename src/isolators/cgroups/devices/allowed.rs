//! `--allowed_devices`: the agent's JSON.
//!
//! `{"allowed_devices": [{"device": {"path": "/dev/x"}, "access": {"read": true}}]}`, or in place of the path
//! `"numbers": {"major_number": 10, "minor_number": 229}` (`number` is the same), and then `"type": "char"` or `"block"` where
//! the numbers do not tell.
#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::sys::stat::{major, minor};
use serde_json::{Map, Value};

use crate::cgroup::devices::{Access, Kind, Rule};
use crate::error::{Error, Result};

/// The kernel has 12 bits for the major and 20 for the minor number (linux/kdev_t.h).
const MOST: (u64, u64) = ((1 << 12) - 1, (1 << 20) - 1);

type Object = Map<String, Value>;

/// The rules of the JSON. Paths are looked up now, `sys_dev` (/sys/dev) is where numbers are.
///
/// # Errors
/// What is wrong, with the number of the entry: nobody shall wonder later why a device cannot be opened, and nothing is
/// opened by a guess.
pub(super) fn parse(text: &str, sys_dev: &Path) -> Result<Vec<Rule>> {
    let whole: Value = serde_json::from_str(text).map_err(|e| refused(&format!("it is no JSON: {e}")))?;
    let list = object(&whole, "it", &["allowed_devices"])
        .and_then(|whole| whole.get("allowed_devices").and_then(Value::as_array).ok_or("it has no list".into()))
        .map_err(|why| refused(&format!("{why}; it has to be {{\"allowed_devices\": [...]}}")))?;
    let entry = |(number, entry): (usize, &Value)| {
        rule(entry, sys_dev).map_err(|why| refused(&format!("entry {} of allowed_devices: {why}", number + 1)))
    };
    list.iter().enumerate().map(entry).collect()
}

fn refused(why: &str) -> Error {
    Error::Refused(format!("--allowed_devices: {why}"))
}

type Why = std::result::Result<Rule, String>;

fn rule(entry: &Value, sys_dev: &Path) -> Why {
    let entry = object(entry, "it", &["device", "access"])?;
    let access = access(entry.get("access").ok_or("it has no access")?)?;
    let device =
        object(entry.get("device").ok_or("it has no device")?, "device", &["path", "number", "numbers", "type"])?;
    let kind = match device.get("type").map(|t| t.as_str()) {
        None => None,
        Some(Some("char" | "c")) => Some(Kind::Char),
        Some(Some("block" | "b")) => Some(Kind::Block),
        Some(_) => return Err("type is neither \"char\" nor \"block\"".into()),
    };
    match (device.get("path"), device.get("numbers").or_else(|| device.get("number"))) {
        (Some(path), None) => by_path(path.as_str().ok_or("path is no string")?, kind, access),
        (None, Some(numbers)) => by_number(numbers, kind, access, sys_dev),
        _ => Err("device has to have either a path or numbers".into()),
    }
}

/// A file that is a link is followed.
fn by_path(path: &str, kind: Option<Kind>, access: Access) -> Why {
    let shown = path.escape_default();
    if !path.starts_with('/') {
        return Err(format!("path \"{shown}\" is not absolute"));
    }
    let found = fs::metadata(path).map_err(|e| format!("cannot look at {shown}: {e}"))?;
    let is = match found.file_type() {
        t if t.is_char_device() => Kind::Char,
        t if t.is_block_device() => Kind::Block,
        _ => return Err(format!("{shown} is not a device")),
    };
    if kind.is_some_and(|kind| kind != is) {
        return Err(format!("{shown} is not of that type"));
    }
    Ok(Rule::number(is, major(found.rdev()) as u32, minor(found.rdev()) as u32, access))
}

fn by_number(numbers: &Value, kind: Option<Kind>, access: Access, sys_dev: &Path) -> Why {
    let numbers = object(numbers, "numbers", &["major_number", "minor_number"])?;
    let number = |name: &str, most: u64| {
        let number = numbers.get(name).and_then(Value::as_u64).filter(|n| *n <= most);
        number.map(|n| n as u32).ok_or_else(|| format!("{name} has to be a number from 0 to {most}"))
    };
    let (major, minor) = (number("major_number", MOST.0)?, number("minor_number", MOST.1)?);
    let is_there = |kind: &str| sys_dev.join(kind).join(format!("{major}:{minor}")).exists();
    // c 1:1 is all memory, b 1:1 a disk in memory: neither may be opened because the other was meant.
    let kind = match (kind, is_there("char"), is_there("block")) {
        (Some(kind), ..) => kind,
        (None, true, false) => Kind::Char,
        (None, false, true) => Kind::Block,
        (None, ..) => {
            return Err(format!(
                "{major}:{minor} may be a character or a block device; say which by \"type\": \"char\" or \"block\" in \
                 device"
            ));
        }
    };
    Ok(Rule::number(kind, major, minor, access))
}

fn access(access: &Value) -> std::result::Result<Access, String> {
    let access = object(access, "access", &["read", "write", "mknod"])?;
    let is = |name: &str| match access.get(name) {
        None => Ok(false),
        Some(Value::Bool(is)) => Ok(*is),
        Some(_) => Err(format!("{name} is neither true nor false")),
    };
    let access = Access { read: is("read")?, write: is("write")?, mknod: is("mknod")? };
    if access.is_none() { Err("access allows nothing".into()) } else { Ok(access) }
}

/// A mistyped name must not go unnoticed.
fn object<'a>(value: &'a Value, what: &str, names: &[&str]) -> std::result::Result<&'a Object, String> {
    let object = value.as_object().ok_or_else(|| format!("{what} is no object"))?;
    match object.keys().find(|key| !names.contains(&key.as_str())) {
        Some(key) => {
            Err(format!("{what} has \"{}\", which is not known; known are {}", key.escape_default(), names.join(", ")))
        }
        None => Ok(object),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn texts(json: &str) -> std::result::Result<Vec<String>, String> {
        let dir = tempfile::tempdir().unwrap();
        for found in ["char/10:229", "block/7:0", "char/1:1", "block/1:1"] {
            fs::create_dir_all(dir.path().join(found)).unwrap();
        }
        let rules = parse(json, dir.path()).map_err(|e| e.to_string())?;
        Ok(rules.iter().map(Rule::to_string).collect())
    }

    fn one(device: &str, access: &str) -> std::result::Result<Vec<String>, String> {
        texts(&format!(r#"{{"allowed_devices":[{{"device":{device},"access":{access}}}]}}"#))
    }

    #[test]
    fn devices_are_named_by_path_or_by_numbers() {
        let all = r#"{"read":true,"write":true,"mknod":true}"#;
        assert_eq!(one(r#"{"path":"/dev/null"}"#, r#"{"read":true,"mknod":false}"#).unwrap(), ["c 1:3 r"]);
        for key in ["number", "numbers"] {
            let device = |major, minor| format!(r#"{{"{key}":{{"major_number":{major},"minor_number":{minor}}}}}"#);
            assert_eq!(one(&device(10, 229), all).unwrap(), ["c 10:229 rwm"]);
            assert_eq!(one(&device(7, 0), all).unwrap(), ["b 7:0 rwm"]);
        }
        let typed = r#"{"type":"block","numbers":{"major_number":1,"minor_number":1}}"#;
        assert_eq!(one(typed, r#"{"write":true}"#).unwrap(), ["b 1:1 w"]);
        assert!(texts(r#"{"allowed_devices":[]}"#).unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let read = r#"{"read":true}"#;
        let numbers = |major, minor| format!(r#"{{"numbers":{{"major_number":{major},"minor_number":{minor}}}}}"#);
        for (got, says) in [
            (texts("{"), "it is no JSON"),
            (texts("[]"), "it is no object; it has to be"),
            (texts("{}"), "it has no list"),
            (texts(r#"{"allowed":[]}"#), "\"allowed\", which is not known"),
            (
                texts(r#"{"allowed_devices":[{"device":{"path":"/dev/null"}}]}"#),
                "entry 1 of allowed_devices: it has no access",
            ),
            (texts(r#"{"allowed_devices":[{"access":{"read":true}}]}"#), "it has no device"),
            (one(r#"{"path":"/dev/null"}"#, "{}"), "allows nothing"),
            (one(r#"{"path":"/dev/null"}"#, r#"{"read":1}"#), "read is neither true nor false"),
            (one(r#"{"path":"/dev/null"}"#, r#"{"raed":true}"#), "\"raed\", which is not known"),
            (one(r#"{"path":"/etc/passwd"}"#, read), "/etc/passwd is not a device"),
            (one(r#"{"path":"/dev/no/such"}"#, read), "cannot look at /dev/no/such: No such file"),
            (one(r#"{"path":"dev/null"}"#, read), "is not absolute"),
            (one(r#"{"path":"/dev/null","type":"block"}"#, read), "is not of that type"),
            (one(r#"{"path":"/dev/null","type":"disk"}"#, read), "neither \"char\" nor \"block\""),
            (one("{}", read), "either a path or numbers"),
            (one(&numbers(4096, 0), read), "major_number has to be a number from 0 to 4095"),
            (one(&numbers(1, -1), read), "minor_number has to be a number from 0 to 1048575"),
            (one(&numbers(1, 1), read), "1:1 may be a character or a block device"),
            (one(&numbers(99, 1), read), "may be a character or a block device"),
        ] {
            let error = got.unwrap_err();
            assert!(error.starts_with("--allowed_devices: ") && error.contains(says), "{says}: {error}");
        }
    }
}
