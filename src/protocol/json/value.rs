//! Single values: from what stands in JSON to protobuf's encoding.
#![forbid(unsafe_code)]

use base64::Engine;

use super::BASE64;
use super::schema::{Field, Kind, Schema};
use crate::config::closest;

/// How much of a text is repeated in a message about it, in characters.
const SHOWN: usize = 40;

/// Below this every whole number is a double of its own: what was read is what was written. (The next above it is not.)
const EXACT: f64 = 9_007_199_254_740_992.0;

/// What JSON has where a single value may stand.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scalar<'a> {
    Bool(bool),
    Whole(i128),
    Fraction(f64),
    Text(&'a str),
}

/// Adds a field's tag and value to `wire`. False: the field has no such value, and nothing was added.
pub(super) fn put(wire: &mut Vec<u8>, schema: &Schema, field: Field, value: Scalar<'_>) -> bool {
    let varint = match (field.kind, value) {
        (Kind::Bool, Scalar::Bool(value)) => u64::from(value),
        (Kind::String, Scalar::Text(text)) => {
            put_delimited(wire, field.number, text.as_bytes());
            return true;
        }
        (Kind::Bytes, Scalar::Text(text)) => match BASE64.decode(text) {
            Ok(bytes) => {
                put_delimited(wire, field.number, &bytes);
                return true;
            }
            Err(_) => return false,
        },
        (Kind::Double, value) => match double(value) {
            Some(value) => {
                put_tag(wire, field.number, 1);
                wire.extend_from_slice(&value.to_le_bytes());
                return true;
            }
            None => return false,
        },
        (Kind::Enum(name), Scalar::Text(text)) => match schema.values(name).iter().find(|(_, known)| *known == text) {
            Some((number, _)) => i64::from(*number) as u64,
            None => return false,
        },
        (kind, value) => match integer(kind, value) {
            Some(value) => value,
            None => return false,
        },
    };
    put_tag(wire, field.number, 0);
    put_varint(wire, varint);
    true
}

/// Adds a field of bytes, a text or a message.
pub(super) fn put_delimited(wire: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_tag(wire, number, 2);
    put_varint(wire, bytes.len() as u64);
    wire.extend_from_slice(bytes);
}

fn put_tag(wire: &mut Vec<u8>, number: u32, wire_type: u64) {
    put_varint(wire, u64::from(number) << 3 | wire_type);
}

fn put_varint(wire: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        wire.push(value as u8 | 0x80);
        value >>= 7;
    }
    wire.push(value as u8);
}

fn double(value: Scalar<'_>) -> Option<f64> {
    match value {
        Scalar::Whole(value) => Some(value as f64),
        Scalar::Fraction(value) => Some(value),
        Scalar::Text("NaN") => Some(f64::NAN),
        Scalar::Text("Infinity") => Some(f64::INFINITY),
        Scalar::Text("-Infinity") => Some(f64::NEG_INFINITY),
        Scalar::Text(_) | Scalar::Bool(_) => None,
    }
}

/// As it is encoded: what is negative with all 64 bits.
fn integer(kind: Kind, value: Scalar<'_>) -> Option<u64> {
    let value = match value {
        Scalar::Whole(value) => value,
        Scalar::Fraction(value) if value.fract() == 0.0 && value.abs() < EXACT => value as i128,
        // For those to whom every number is a double.
        Scalar::Text(text) if matches!(kind, Kind::Int64 | Kind::Uint64) => text.parse().ok()?,
        _ => return None,
    };
    match kind {
        Kind::Int32 | Kind::Enum(_) => i32::try_from(value).ok().map(|value| i64::from(value) as u64),
        Kind::Int64 => i64::try_from(value).ok().map(|value| value as u64),
        Kind::Uint32 => u32::try_from(value).ok().map(u64::from),
        Kind::Uint64 => u64::try_from(value).ok(),
        _ => None,
    }
}

/// What would be right for a single value of the field.
pub(super) fn wanted(schema: &Schema, field: Field) -> String {
    let whole = |least: String, most: String| format!("a whole number from {least} to {most}");
    match field.kind {
        Kind::Bool => "true or false".into(),
        Kind::Int32 => whole(i32::MIN.to_string(), i32::MAX.to_string()),
        Kind::Int64 => whole(i64::MIN.to_string(), i64::MAX.to_string()),
        Kind::Uint32 => whole(u32::MIN.to_string(), u32::MAX.to_string()),
        Kind::Uint64 => whole(u64::MIN.to_string(), u64::MAX.to_string()),
        Kind::Double => "a number".into(),
        Kind::String => "a text".into(),
        Kind::Bytes => "a text in base64".into(),
        Kind::Message(_) => "an object".into(),
        Kind::Enum(name) => {
            let names: Vec<&str> = schema.values(name).iter().map(|(_, name)| *name).collect();
            format!("one of {}", names.join(", "))
        }
    }
}

/// As much of a text as a message repeats, and what stands for the rest of it.
pub(super) fn shortened(text: &str) -> (String, &'static str) {
    let shown: String = text.chars().take(SHOWN).collect();
    let rest = if shown.len() < text.len() { "..." } else { "" };
    (shown, rest)
}

/// What stands there instead, shortened.
pub(super) fn found(value: Scalar<'_>) -> String {
    match value {
        Scalar::Bool(value) => value.to_string(),
        Scalar::Whole(value) => value.to_string(),
        Scalar::Fraction(value) => format!("{value:?}"),
        Scalar::Text(text) => {
            let (shown, rest) = shortened(text);
            format!("{shown:?}{rest}")
        }
    }
}

/// The name that a text was probably meant to be, for a field that holds an enum.
pub(super) fn meant(schema: &Schema, field: Field, value: Scalar<'_>) -> Option<&'static str> {
    match (field.kind, value) {
        (Kind::Enum(name), Scalar::Text(text)) => closest(text, schema.values(name).iter().map(|(_, name)| *name)),
        _ => None,
    }
}
