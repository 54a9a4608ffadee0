//! From protobuf to JSON.
#![forbid(unsafe_code)]

use std::ops::Range;
use std::slice;

use base64::Engine;

use super::BASE64;
use super::path::Path;
use super::schema::{Field, Kind, Schema};
use crate::protocol::RecordError;
use crate::protocol::wire::{Cursor, DEPTH_LIMIT, Fault, Found, WireType};

/// Whole numbers below this are written without a fraction or exponent.
const PLAIN: f64 = 1e15;

/// The message of that full name, which is encoded in `bytes`, as one JSON object in a single line of UTF-8.
///
/// Fields stand in the order of their numbers. Those that the schema does not have are left out; an enum value that it does not
/// have is a number. As in protobuf, of a value that should stand once the last one counts, the parts of a message belong
/// together, and repeated numbers may be packed. Missing required fields are just missing.
///
/// # Errors
/// [`RecordError::Malformed`], also for a field whose value is of another type.
pub fn from_wire(message: &'static str, bytes: &[u8]) -> Result<Vec<u8>, RecordError> {
    let schema = Schema::load();
    let mut printer = Printer { schema: &schema, bytes, path: Path::default(), text: Vec::new() };
    let all = 0..bytes.len();
    match printer.message(message, slice::from_ref(&all), 0) {
        Ok(()) => Ok(printer.text),
        Err(Fault { offset, reason }) => {
            Err(RecordError::Malformed { message, offset, path: printer.path.to_string(), reason })
        }
    }
}

struct Printer<'a> {
    schema: &'a Schema,
    bytes: &'a [u8],
    path: Path,
    text: Vec<u8>,
}

impl Printer<'_> {
    /// Writes one message, whose fields stand in one or more parts of the bytes.
    fn message(&mut self, name: &str, parts: &[Range<usize>], depth: usize) -> Result<(), Fault> {
        if depth > DEPTH_LIMIT {
            let offset = parts.first().map_or(0, |part| part.start);
            return Err(Fault { offset, reason: "messages are nested too deep" });
        }
        let fields = self.schema.fields(name);
        let mut found: Vec<Vec<Found>> = vec![Vec::new(); fields.len()];
        for part in parts {
            let mut cursor = Cursor::new(self.bytes, part.clone());
            while let Some(field) = cursor.next_field()? {
                if let Ok(at) = fields.binary_search_by_key(&field.number, |known| known.number) {
                    found[at].push(field);
                }
            }
        }
        self.text.push(b'{');
        let mut first = true;
        for (field, values) in fields.iter().zip(&found).filter(|(_, values)| !values.is_empty()) {
            if !std::mem::replace(&mut first, false) {
                self.text.push(b',');
            }
            self.quoted(field.name);
            self.text.push(b':');
            self.path.enter(field.name);
            self.values(*field, values, depth)?;
            self.path.leave();
        }
        self.text.push(b'}');
        Ok(())
    }

    /// Writes what the field has: everything, or the last.
    fn values(&mut self, field: Field, values: &[Found], depth: usize) -> Result<(), Fault> {
        if let Kind::Message(name) = field.kind {
            if let Some(other) = values.iter().find(|value| value.wire != WireType::Length) {
                return Err(another_type(other.at));
            }
            let parts: Vec<Range<usize>> = values.iter().map(|value| value.value.clone()).collect();
            if !field.repeated {
                return self.message(name, &parts, depth + 1);
            }
            return self.array(&parts, |printer, part| printer.message(name, slice::from_ref(part), depth + 1));
        }
        let mut scalars = Vec::new();
        for value in values {
            self.scalars(field, value, &mut scalars)?;
        }
        if field.repeated {
            return self.array(&scalars, |printer, scalar| printer.scalar(field.kind, scalar));
        }
        match scalars.last() {
            Some(last) => self.scalar(field.kind, last),
            None => Ok(()),
        }
    }

    fn array<T>(
        &mut self,
        elements: &[T],
        mut write: impl FnMut(&mut Self, &T) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.text.push(b'[');
        for (index, element) in elements.iter().enumerate() {
            if index > 0 {
                self.text.push(b',');
            }
            self.path.at(index);
            write(self, element)?;
        }
        self.path.after_the_last();
        self.text.push(b']');
        Ok(())
    }

    /// Adds the values that one occurrence of the field has: one, or all that are packed in it.
    fn scalars(&self, field: Field, found: &Found, scalars: &mut Vec<Scalar>) -> Result<(), Fault> {
        let is_double = field.kind == Kind::Double;
        let own = match field.kind {
            Kind::String | Kind::Bytes => {
                scalars.push(Scalar::Bytes(found.value.clone()));
                WireType::Length
            }
            Kind::Double => WireType::SixtyFour,
            _ => WireType::Varint,
        };
        let packed = field.repeated && found.wire == WireType::Length && own != WireType::Length;
        if found.wire != own && !packed {
            return Err(another_type(found.at));
        }
        match own {
            WireType::Length => {}
            _ if is_double => {
                let (doubles, rest) = self.bytes[found.value.clone()].as_chunks::<8>();
                if !rest.is_empty() {
                    return Err(Fault { offset: found.at, reason: "packed doubles are cut short" });
                }
                scalars.extend(doubles.iter().map(|bytes| Scalar::Double(f64::from_le_bytes(*bytes))));
            }
            _ => {
                let mut cursor = Cursor::new(self.bytes, found.value.clone());
                while !cursor.at_end() {
                    scalars.push(Scalar::Varint(cursor.varint()?));
                }
            }
        }
        Ok(())
    }

    fn scalar(&mut self, kind: Kind, scalar: &Scalar) -> Result<(), Fault> {
        match scalar {
            Scalar::Bytes(range) if kind == Kind::Bytes => {
                let text = BASE64.encode(&self.bytes[range.clone()]);
                self.quoted(&text);
            }
            Scalar::Bytes(range) => {
                let not_text = Fault { offset: range.start, reason: "a text is not UTF-8" };
                let bytes = self.bytes;
                self.quoted(std::str::from_utf8(&bytes[range.clone()]).map_err(|_| not_text)?);
            }
            Scalar::Double(value) if value.is_nan() => self.quoted("NaN"),
            Scalar::Double(value) if value.is_infinite() => {
                self.quoted(if *value > 0.0 { "Infinity" } else { "-Infinity" });
            }
            Scalar::Double(value) if value.fract() == 0.0 && value.abs() < PLAIN => self.plain(&value.to_string()),
            // As short as it can be without being another number.
            Scalar::Double(value) => self.plain(&format!("{value:?}")),
            // What does not fit is cut, as everybody who reads protobuf does.
            Scalar::Varint(value) => match kind {
                Kind::Bool => self.plain(if *value != 0 { "true" } else { "false" }),
                Kind::Uint64 => self.plain(&value.to_string()),
                Kind::Uint32 => self.plain(&(*value as u32).to_string()),
                Kind::Int64 => self.plain(&(*value as i64).to_string()),
                Kind::Enum(name) => {
                    let number = *value as i32;
                    match self.schema.values(name).iter().find(|(known, _)| *known == number) {
                        Some((_, name)) => self.quoted(name),
                        None => self.plain(&number.to_string()),
                    }
                }
                _ => self.plain(&(*value as i32).to_string()),
            },
        }
        Ok(())
    }

    fn plain(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    fn quoted(&mut self, text: &str) {
        // Neither memory nor a text gives it a reason to fail.
        let _ = serde_json::to_writer(&mut self.text, text);
    }
}

/// A single value as it was found.
enum Scalar {
    Varint(u64),
    Double(f64),
    Bytes(Range<usize>),
}

fn another_type(offset: usize) -> Fault {
    Fault { offset, reason: "a field's value is of another type" }
}
