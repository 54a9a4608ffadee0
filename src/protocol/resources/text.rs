//! Resources in the text form of the agent's flag: `cpus:0.5;mem:64;ports:[31000-32000];disk(role):1024;tags:{a,b}`.
//!
//! The forms of one value: a number is a scalar, `[1-2, 5-6]` are ranges with both ends part of them, `{a, b}` is a set of
//! names. Spaces may stand between all parts; a role stands in parentheses behind the name, and is `*` where there is none.
#![forbid(unsafe_code)]

use std::fmt::Write;

use crate::protocol::mesos::{Resource, value};

/// The role of resources that are nobody's in particular, which the agents call the default one.
const ANYBODY: &str = "*";

/// What is wrong with a text, and where. The message names the entry and the part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// It looks like JSON.
    #[error("it begins with \"[\", as JSON does; here only the text form is taken: cpus:0.5;mem:64")]
    Json,
    /// An entry that is wrong.
    #[error("entry {position}, \"{}\": {problem}", entry.escape_default())]
    Entry {
        /// Which entry, counted from 1.
        position: usize,
        /// The entry as written.
        entry: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// Reads resources from text. Empty entries are passed over, so that a semicolon may stand at the end.
///
/// # Errors
/// The first entry that is wrong.
pub fn parse(text: &str) -> Result<Vec<Resource>, TextError> {
    if text.trim_start().starts_with('[') {
        return Err(TextError::Json);
    }
    let entries = (1..).zip(text.split(';').map(str::trim)).filter(|(_, entry)| !entry.is_empty());
    let read = |(position, entry): (usize, &str)| {
        resource(entry).map_err(|problem| TextError::Entry { position, entry: entry.to_owned(), problem })
    };
    entries.map(read).collect()
}

/// Writes resources as [`parse`] reads them. What the text form has no words for (reservations, disks, revocability) is left
/// out.
#[must_use]
pub fn print(resources: &[Resource]) -> String {
    let mut text = String::new();
    for resource in resources {
        if !text.is_empty() {
            text.push(';');
        }
        text.push_str(&resource.name);
        if resource.role() != ANYBODY {
            // Writing into a String cannot fail.
            let _ = write!(text, "({})", resource.role());
        }
        text.push(':');
        if let Some(scalar) = resource.scalar {
            let _ = write!(text, "{}", scalar.value);
        } else if let Some(ranges) = &resource.ranges {
            let all: Vec<String> = ranges.range.iter().map(|range| format!("{}-{}", range.begin, range.end)).collect();
            let _ = write!(text, "[{}]", all.join(","));
        } else if let Some(set) = &resource.set {
            let _ = write!(text, "{{{}}}", set.item.join(","));
        }
    }
    text
}

/// One entry, trimmed.
fn resource(entry: &str) -> Result<Resource, String> {
    let (left, right) = entry.split_once(':').ok_or("there is no colon; write NAME:VALUE, as cpus:0.5")?;
    let (name, role) = name(left.trim())?;
    let empty = Resource { name, role, ..Resource::default() };
    let typed = |r#type: value::Type| Resource { r#type: r#type as i32, ..empty.clone() };
    let right = right.trim();
    if let Some(inner) = right.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or("the ranges do not end with \"]\"")?;
        let range = listed(inner).map(range).collect::<Result<_, _>>()?;
        return Ok(Resource { ranges: Some(value::Ranges { range }), ..typed(value::Type::Ranges) });
    }
    if let Some(inner) = right.strip_prefix('{') {
        let inner = inner.strip_suffix('}').ok_or("the set does not end with \"}\"")?;
        let item = listed(inner).map(item).collect::<Result<_, _>>()?;
        return Ok(Resource { set: Some(value::Set { item }), ..typed(value::Type::Set) });
    }
    let problem =
        || format!("\"{}\" is no amount; write a number, [FROM-TO,...] or {{NAME,...}}", right.escape_default());
    // Rust also reads "inf" and "nan", which no resource can be.
    let amount = right.parse().ok().filter(|amount: &f64| amount.is_finite()).ok_or_else(problem)?;
    if amount < 0.0 {
        return Err(format!("the amount {right} is below zero"));
    }
    Ok(Resource { scalar: Some(value::Scalar { value: amount }), ..typed(value::Type::Scalar) })
}

/// `name` or `name(role)`.
fn name(text: &str) -> Result<(String, Option<String>), String> {
    let (name, role) = match text.split_once('(') {
        None => (text, None),
        Some((name, rest)) => {
            let role = rest.strip_suffix(')').ok_or("the role does not end with \")\"")?.trim();
            if role.is_empty() || role.contains(['(', ')']) {
                return Err("the role in parentheses is empty or has parentheses in it".into());
            }
            (name.trim_end(), Some(role.to_owned()).filter(|role| role != ANYBODY))
        }
    };
    if name.is_empty() {
        return Err("the name before the colon is missing".into());
    }
    if name.contains([')', '[', ']', '{', '}', ',']) || name.contains(char::is_whitespace) {
        return Err(format!("\"{}\" is no name", name.escape_default()));
    }
    Ok((name.to_owned(), role))
}

/// The parts between commas; none of an empty list.
fn listed(inner: &str) -> impl Iterator<Item = &str> {
    let is_empty = inner.trim().is_empty();
    inner.split(',').map(str::trim).filter(move |_| !is_empty)
}

fn range(text: &str) -> Result<value::Range, String> {
    let problem = || format!("\"{}\" is no range; write FROM-TO, as 31000-32000", text.escape_default());
    let (begin, end) = text.split_once('-').ok_or_else(problem)?;
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| problem());
    let (begin, end) = (number(begin)?, number(end)?);
    if begin > end {
        return Err(format!("the range {begin}-{end} ends before it begins"));
    }
    Ok(value::Range { begin, end })
}

fn item(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(['{', '}', '[', ']', ':']) {
        return Err(format!("\"{}\" is no member of a set", text.escape_default()));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
