//! The messages' fields and the enums' names, read from `generated/schema.txt`.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

/// A line each: `message NAME`, its fields as `NUMBER LABEL KIND NAME`, `enum NAME`, its values as `NUMBER NAME`.
const TEXT: &str = include_str!("../generated/schema.txt");

/// All that is known, by full name.
#[derive(Debug)]
pub(super) struct Schema {
    messages: BTreeMap<&'static str, Vec<Field>>,
    enums: BTreeMap<&'static str, Vec<(i32, &'static str)>>,
}

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) name: &'static str,
    pub(super) repeated: bool,
    pub(super) kind: Kind,
}

/// What a field holds: the kinds that Mesos's messages have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Double,
    String,
    Bytes,
    /// With the enum's full name.
    Enum(&'static str),
    /// With the message's full name.
    Message(&'static str),
}

/// Whether there is a message of this full name, as `mesos.containerizer.Launch`.
pub fn is_known(message: &str) -> bool {
    TEXT.lines().any(|line| line.strip_prefix("message ") == Some(message))
}

impl Schema {
    /// Reads the text. It is ours and always whole, as a test sees to; a line of another form would count for nothing.
    pub(super) fn load() -> Schema {
        let mut schema = Schema { messages: BTreeMap::new(), enums: BTreeMap::new() };
        let (mut fields, mut values) = (None, None);
        for line in TEXT.lines() {
            let words: Vec<&'static str> = line.split(' ').collect();
            match words[..] {
                ["message", name] => fields = Some(schema.messages.entry(name).or_default()),
                ["enum", name] => values = Some(schema.enums.entry(name).or_default()),
                [number, label, kind, name] => {
                    if let (Some(fields), Ok(number), Some(kind)) = (&mut fields, number.parse(), Kind::named(kind)) {
                        fields.push(Field { number, name, repeated: label == "repeated", kind });
                    }
                }
                [number, name] => {
                    if let (Some(values), Ok(number)) = (&mut values, number.parse()) {
                        values.push((number, name));
                    }
                }
                _ => {}
            }
        }
        schema
    }

    /// The fields of a message by ascending number; none for a message that is not known.
    pub(super) fn fields(&self, message: &str) -> &[Field] {
        self.messages.get(message).map_or(&[], Vec::as_slice)
    }

    /// The values of an enum, in the order of the definition.
    pub(super) fn values(&self, name: &str) -> &[(i32, &'static str)] {
        self.enums.get(name).map_or(&[], Vec::as_slice)
    }

    #[cfg(test)]
    pub(super) fn messages(&self) -> impl Iterator<Item = &'static str> {
        self.messages.keys().copied()
    }
}

impl Kind {
    fn named(text: &'static str) -> Option<Kind> {
        Some(match text.split_once('=') {
            Some(("message", name)) => Kind::Message(name),
            Some(("enum", name)) => Kind::Enum(name),
            Some(_) => return None,
            None => match text {
                "bool" => Kind::Bool,
                "int32" => Kind::Int32,
                "int64" => Kind::Int64,
                "uint32" => Kind::Uint32,
                "uint64" => Kind::Uint64,
                "double" => Kind::Double,
                "string" => Kind::String,
                "bytes" => Kind::Bytes,
                _ => return None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_understood_and_every_name_leads_somewhere() {
        let schema = Schema::load();
        let fields: usize = schema.messages.values().map(Vec::len).sum();
        let values: usize = schema.enums.values().map(Vec::len).sum();
        let heads = schema.messages.len() + schema.enums.len();
        // One more for the line that says where the text comes from.
        assert_eq!(fields + values + heads + 1, TEXT.lines().count());
        for field in schema.messages.values().flatten() {
            match field.kind {
                Kind::Message(name) => assert!(schema.messages.contains_key(name), "{name}"),
                Kind::Enum(name) => assert!(!schema.values(name).is_empty(), "{name}"),
                _ => {}
            }
        }
        assert!(is_known("mesos.containerizer.Launch") && !is_known("mesos.containerizer.Lunch"));
        assert!(schema.fields("mesos.containerizer.Lunch").is_empty());
    }

    #[test]
    fn a_field_is_as_it_was_defined() {
        let schema = Schema::load();
        let resources = Field { number: 2, name: "resources", repeated: true, kind: Kind::Message("mesos.Resource") };
        assert_eq!(schema.fields("mesos.containerizer.Update")[1], resources);
        assert_eq!(schema.values("mesos.Value.Type")[..2], [(0, "SCALAR"), (1, "RANGES")]);
    }
}
