//! The agent's `--resources`: it offers what it counts unless it is told, and here it would count too many processors.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use serde_json::Value;

use crate::error::{Error, Result};

type Variables = Vec<(OsString, OsString)>;

const CPUS: &str = "cpus";
/// Agents read flags from the environment by this prefix, in any case.
const PREFIX: &[u8] = b"MESOS_";
const FLAG: &[u8] = b"resources";

/// Adds `cpus:<cpus>` where neither flag nor variable names cpus. An agent goes by the flag and ignores the variable where it
/// has both (the oldest refuse that), so then only the flag counts.
///
/// # Errors
/// A flag without a value, and values that cannot be read.
pub fn with_cpus(
    mut arguments: Vec<OsString>,
    mut environment: Variables,
    cpus: u32,
) -> Result<(Vec<OsString>, Variables)> {
    // As the agent does it: the first word is the program, and `--` ends the flags.
    let end = arguments.iter().skip(1).position(|word| word == "--").map_or(arguments.len(), |at| at + 1);
    let flags = arguments.iter_mut().take(end).skip(1);
    let given: Vec<&mut OsString> = flags.filter(|word| is_flag(word.as_bytes())).collect();
    if !given.is_empty() {
        for flag in given {
            complete_flag(flag, cpus)?;
        }
        return Ok((arguments, environment));
    }
    if let Some((name, value)) = environment.iter_mut().find(|(name, _)| is_variable(name)) {
        if let Some(text) = completed(&name.to_string_lossy(), value.as_bytes(), cpus)? {
            *value = text.into();
        }
        return Ok((arguments, environment));
    }
    // Behind all others: the command may be a program such as nice that starts the agent with the rest of the words.
    arguments.insert(end, format!("--resources={CPUS}:{cpus}").into());
    Ok((arguments, environment))
}

/// Agents take names of flags in any case.
fn is_flag(word: &[u8]) -> bool {
    let name = word.split(|byte| *byte == b'=').next().unwrap_or_default();
    name.strip_prefix(b"--").is_some_and(|name| name.eq_ignore_ascii_case(FLAG))
}

fn is_variable(name: &OsStr) -> bool {
    name.as_bytes().strip_prefix(PREFIX).is_some_and(|rest| rest.eq_ignore_ascii_case(FLAG))
}

fn complete_flag(flag: &mut OsString, cpus: u32) -> Result<()> {
    let word = flag.as_bytes();
    let Some(at) = word.iter().position(|byte| *byte == b'=') else {
        return Err(Error::Refused(
            "--resources stands without a value; agents take it with an equals sign only: --resources=cpus:4;mem:8192"
                .into(),
        ));
    };
    let (name, value) = (word.get(..=at).unwrap_or_default(), word.get(at + 1..).unwrap_or_default());
    if let Some(text) = completed("--resources", value, cpus)? {
        *flag = OsString::from_vec([name, text.as_bytes()].concat());
    }
    Ok(())
}

/// The value with cpus in it; None where it names them already.
fn completed(setting: &str, value: &[u8], cpus: u32) -> Result<Option<String>> {
    let refused = |why: String| Error::Refused(format!("{setting}: {why}"));
    // Agents take the name of a file in place of what is in it.
    let from_file = match (value.strip_prefix(b"file://"), value) {
        (Some(path), _) => Some(path),
        (None, [b'/', ..]) => Some(value),
        (None, _) => None,
    };
    let text = match from_file.map(OsStr::from_bytes) {
        Some(path) => fs::read(path).map_err(Error::path("read the agent's resources from", path))?,
        None => value.to_vec(),
    };
    let text = String::from_utf8(text).map_err(|_| refused("not valid UTF-8".into()))?;
    if !text.trim_start().starts_with('[') {
        return Ok(in_words(&text, cpus));
    }
    let text = text.trim();
    let json: Value = serde_json::from_str(text)
        .map_err(|e| refused(format!("begins as JSON does, and is none: {e}; to add cpus it must be read")))?;
    Ok(in_json(text, &json, cpus))
}

/// `cpus:4;mem(role):1024`.
fn in_words(text: &str, cpus: u32) -> Option<String> {
    let name = |part: &str| part.split([':', '(']).next().unwrap_or_default().trim() == CPUS;
    if text.split(';').any(name) {
        return None;
    }
    let text = text.trim_end_matches(|c: char| c == ';' || c.is_whitespace());
    let joint = if text.is_empty() { "" } else { ";" };
    Some(format!("{text}{joint}{CPUS}:{cpus}"))
}

/// `[{"name": "cpus", ...}, ...]`, agents 1.0. What the operator wrote stays as it is.
fn in_json(text: &str, json: &Value, cpus: u32) -> Option<String> {
    let entries = json.as_array()?;
    if entries.iter().any(|entry| entry.get("name").and_then(Value::as_str) == Some(CPUS)) {
        return None;
    }
    let before = text.strip_suffix(']')?.trim_end();
    let joint = if entries.is_empty() { "" } else { "," };
    Some(format!(r#"{before}{joint}{{"name":"{CPUS}","type":"SCALAR","scalar":{{"value":{cpus}}}}}]"#))
}

#[cfg(test)]
mod tests;
