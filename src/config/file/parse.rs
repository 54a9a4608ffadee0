//! From TOML to the flags that it sets.
#![forbid(unsafe_code)]

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::{Entry, FileError, Position};
use crate::config::closest::closest;
use crate::config::flags::{FLAGS, Flag, Kind};

/// What the text of a configuration file sets, in the order of its lines, no flag twice. Values have the form that they have
/// on the command line; whether they are right is not looked at here.
///
/// # Errors
/// What is no TOML, keys that are no flags, tables, and values that are not of a type that the flag's kind has.
pub fn parse(text: &str) -> Result<Vec<Entry>, FileError> {
    let table = DeTable::parse(text).map_err(|error| FileError::Syntax {
        at: Position::of(text, error.span().map_or(0, |span| span.start)),
        reason: error.message().replace('\n', " "),
    })?;
    // The map is in the order of the names. What is reported first should be what stands first.
    let mut lines: Vec<_> = table.get_ref().iter().collect();
    lines.sort_by_key(|(key, _)| key.span().start);
    lines
        .into_iter()
        .map(|(key, value)| Line { text, key: key.get_ref(), start: key.span().start, value }.read())
        .collect()
}

/// One key and its value.
struct Line<'a, 'i> {
    text: &'a str,
    key: &'a str,
    start: usize,
    value: &'a Spanned<DeValue<'i>>,
}

impl Line<'_, '_> {
    fn read(&self) -> Result<Entry, FileError> {
        let at = Position::of(self.text, self.start);
        if self.value.get_ref().is_table() || matches!(self.value.get_ref(), DeValue::Array(array) if of_tables(array))
        {
            return Err(FileError::Table { at, key: shown(self.key) });
        }
        let Some(flag) = Flag::named(self.key) else {
            let known = FLAGS.iter().filter(|flag| flag.in_file()).map(|flag| flag.name);
            return Err(FileError::UnknownKey { at, key: shown(self.key), closest: closest(self.key, known) });
        };
        if !flag.in_file() {
            return Err(FileError::NotInFile { at, name: flag.name, usage: flag.usage() });
        }
        let value = self.text_of(flag)?;
        let at_value = |span: Range<usize>| Position::of(self.text, span.start);
        if value.is_empty() {
            return Err(FileError::Empty { at: at_value(self.value.span()), name: flag.name });
        }
        if value.contains('\0') {
            let what = "a null character";
            return Err(FileError::Character { at: at_value(self.value.span()), name: flag.name, what });
        }
        let source = self.text.get(self.value.span()).unwrap_or_default();
        // An array may have several lines, a message has one.
        let source: Vec<&str> = source.lines().map(str::trim).collect();
        Ok(Entry { flag, value: value.into(), written: format!("{} = {}", flag.name, source.join(" ")), at })
    }

    /// The value as it stands on the command line.
    fn text_of(&self, flag: &'static Flag) -> Result<String, FileError> {
        match (flag.kind, self.value.get_ref()) {
            (Kind::Number, DeValue::Integer(number)) => match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Ok(number.to_string()),
                // Too large for any setting: refused with the words for that.
                Err(_) => Ok(number.as_str().to_owned()),
            },
            (Kind::Number, _) => Err(self.wrong(flag, self.value)),
            (Kind::Bool, DeValue::Boolean(value)) => Ok(value.to_string()),
            (Kind::List, DeValue::Array(names)) => self.joined(flag, names),
            (_, DeValue::String(text)) => Ok(text.clone().into_owned()),
            _ => Err(self.wrong(flag, self.value)),
        }
    }

    fn joined(&self, flag: &'static Flag, names: &DeArray<'_>) -> Result<String, FileError> {
        let mut all = Vec::with_capacity(names.len());
        for name in names.iter() {
            let text = name.get_ref().as_str().ok_or_else(|| self.wrong(flag, name))?;
            if text.contains(',') {
                let what = "a comma within one name of the array";
                return Err(FileError::Character {
                    at: Position::of(self.text, name.span().start),
                    name: flag.name,
                    what,
                });
            }
            // Else the list of one empty name would be no list at all.
            all.push(if text.is_empty() { " " } else { text });
        }
        Ok(all.join(","))
    }

    fn wrong(&self, flag: &'static Flag, value: &Spanned<DeValue<'_>>) -> FileError {
        let (wanted, example) = match flag.kind {
            Kind::Text => ("a string", "\"...\""),
            Kind::Path => ("a string", "\"/...\""),
            Kind::Bool => ("true or false", "true"),
            Kind::Duration => ("a string with a unit", "\"15secs\""),
            Kind::Bytes => ("a string with a unit", "\"64MB\""),
            Kind::List => ("a string or an array of strings", "\"NAME,NAME\""),
            Kind::Number => ("a whole number", "100"),
        };
        let quoted = |text: &str| if flag.kind == Kind::Number { text.to_owned() } else { format!("\"{text}\"") };
        let example =
            if flag.default.is_empty() || flag.kind == Kind::Bool { example.to_owned() } else { quoted(flag.default) };
        let at = Position::of(self.text, value.span().start);
        FileError::Type { at, name: flag.name, found: type_of(value.get_ref()), wanted, example }
    }
}

fn of_tables(array: &DeArray<'_>) -> bool {
    array.iter().any(|value| value.get_ref().is_table())
}

/// With its article.
fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// A key for messages: as it is where it is plain.
fn shown(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !key.is_empty() && key.bytes().all(plain) { key.to_owned() } else { format!("{key:?}") }
}
