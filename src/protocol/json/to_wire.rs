//! From JSON to protobuf, in one pass: no tree of the JSON is made, and a name that stands twice is seen.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, BufReader, Read};

use serde_core::de::{self, DeserializeSeed, Deserializer as _, MapAccess, SeqAccess, Visitor};

use super::error::JsonError;
use super::path::Path;
use super::schema::{Field, Kind, Schema};
use super::value::{self, Scalar};
use crate::config::closest;
use crate::protocol::RECORD_LIMIT;

/// The longest JSON that is read for one message, in bytes: names and digits take more room than tags and varints.
pub const TEXT_LIMIT: u64 = 4 * RECORD_LIMIT;

/// Reads one JSON object and returns the message of that full name, encoded.
///
/// Asks `input` for nothing more once the object has ended; what came together with its end is lost. Whether all required
/// fields are there is for [`decode`](super::super::decode()) to say.
///
/// # Errors
/// [`JsonError`]: the input fails, is no JSON object, or is longer than [`TEXT_LIMIT`]; a field is unknown, stands twice or
/// has a value that it cannot have; the message is longer than [`RECORD_LIMIT`].
pub fn to_wire(message: &'static str, input: impl Read) -> Result<Vec<u8>, JsonError> {
    to_wire_within(message, input, TEXT_LIMIT, RECORD_LIMIT)
}

/// With the limits of text and record.
pub(super) fn to_wire_within(
    message: &'static str,
    input: impl Read,
    text_limit: u64,
    record_limit: u64,
) -> Result<Vec<u8>, JsonError> {
    let schema = Schema::load();
    let mut input = BufReader::new(input.take(text_limit));
    let mut state = State { schema: &schema, message, record_limit, path: Path::default(), fault: None };
    let mut wire = Vec::new();
    let whole = Object { state: &mut state, message, wire: &mut wire };
    let mut json = serde_json::Deserializer::from_reader(&mut input);
    if let Err(error) = json.deserialize_any(whole) {
        let (line, column) = (error.line(), error.column());
        return Err(match state.fault {
            Some(fault) => fault.at(line, column),
            None if error.is_io() => JsonError::Read(io::Error::from(error)),
            None if error.is_eof() && input.get_ref().limit() == 0 => JsonError::TooLong { message, limit: text_limit },
            None => JsonError::Syntax { message, reason: error.to_string() },
        });
    }
    Ok(wire)
}

/// What goes along with the reading.
struct State<'a> {
    schema: &'a Schema,
    /// The message as a whole.
    message: &'static str,
    record_limit: u64,
    path: Path,
    /// Why reading was broken off, as yet without its place: the JSON parser's own errors are texts.
    fault: Option<JsonError>,
}

impl State<'_> {
    fn fail<T, E: de::Error>(&mut self, fault: JsonError) -> Result<T, E> {
        self.fault = Some(fault);
        Err(E::custom(""))
    }

    /// Looked at with each field, so that what is too large is not read to its end.
    fn fits<E: de::Error>(&mut self, wire: &[u8]) -> Result<(), E> {
        let (message, limit) = (self.message, self.record_limit);
        if wire.len() as u64 > limit { self.fail(JsonError::TooLarge { message, limit }) } else { Ok(()) }
    }

    fn mismatch<T, E: de::Error>(
        &mut self,
        wanted: String,
        found: String,
        closest: Option<&'static str>,
    ) -> Result<T, E> {
        let (message, path) = (self.message, self.path.to_string());
        self.fail(JsonError::Value { message, path, wanted, found, line: 0, column: 0, closest })
    }
}

/// The fields of one message, added to `wire`.
struct Object<'a, 's> {
    state: &'a mut State<'s>,
    message: &'static str,
    wire: &'a mut Vec<u8>,
}

impl Object<'_, '_> {
    fn no_object<E: de::Error>(self, found: String) -> Result<(), E> {
        self.state.mismatch("an object".into(), found, None)
    }

    /// The field of this name, the first time it stands there.
    fn field<E: de::Error>(&mut self, name: &str, seen: &mut [bool]) -> Result<Field, E> {
        let state = &mut *self.state;
        let message = state.message;
        let fields = state.schema.fields(self.message);
        match fields.iter().zip(seen).find(|(field, _)| field.name == name) {
            Some((_, true)) => {
                let path = state.path.to(name);
                state.fail(JsonError::Twice { message, path, line: 0, column: 0 })
            }
            Some((field, seen)) => {
                *seen = true;
                Ok(*field)
            }
            None => {
                let (shown, rest) = value::shortened(name);
                let path = state.path.to(&shown) + rest;
                let names = || fields.iter().map(|field| field.name);
                let known = names().collect::<Vec<_>>().join(", ");
                let closest = closest(&shown, names());
                state.fail(JsonError::UnknownField { message, path, line: 0, column: 0, closest, known })
            }
        }
    }
}

impl<'de> Visitor<'de> for Object<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut seen = vec![false; self.state.schema.fields(self.message).len()];
        while let Some(name) = map.next_key::<String>()? {
            let field = self.field(&name, &mut seen)?;
            self.state.path.enter(field.name);
            map.next_value_seed(Value { state: self.state, field, within: false, wire: self.wire })?;
            self.state.path.leave();
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        self.no_object("an array".into())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.no_object("null".into())
    }

    fn visit_bool<E: de::Error>(self, found: bool) -> Result<(), E> {
        self.no_object(value::found(Scalar::Bool(found)))
    }

    fn visit_i64<E: de::Error>(self, found: i64) -> Result<(), E> {
        self.no_object(value::found(Scalar::Whole(found.into())))
    }

    fn visit_u64<E: de::Error>(self, found: u64) -> Result<(), E> {
        self.no_object(value::found(Scalar::Whole(found.into())))
    }

    fn visit_f64<E: de::Error>(self, found: f64) -> Result<(), E> {
        self.no_object(value::found(Scalar::Fraction(found)))
    }

    fn visit_str<E: de::Error>(self, found: &str) -> Result<(), E> {
        self.no_object(value::found(Scalar::Text(found)))
    }
}

/// The value of one field, or one element of its array, added to `wire`.
struct Value<'a, 's> {
    state: &'a mut State<'s>,
    field: Field,
    /// It is an element.
    within: bool,
    wire: &'a mut Vec<u8>,
}

impl Value<'_, '_> {
    fn is_single(&self) -> bool {
        self.field.repeated == self.within
    }

    fn wanted(&self) -> String {
        if self.is_single() { value::wanted(self.state.schema, self.field) } else { "an array".into() }
    }

    fn scalar<E: de::Error>(self, scalar: Scalar<'_>) -> Result<(), E> {
        if self.is_single() && value::put(self.wire, self.state.schema, self.field, scalar) {
            return self.state.fits(self.wire);
        }
        let closest = value::meant(self.state.schema, self.field, scalar);
        let wanted = self.wanted();
        self.state.mismatch(wanted, value::found(scalar), closest)
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        if self.within {
            let wanted = self.wanted();
            return self.state.mismatch(wanted, "null".into(), None);
        }
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.scalar(Scalar::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.scalar(Scalar::Whole(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.scalar(Scalar::Whole(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.scalar(Scalar::Fraction(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        self.scalar(Scalar::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        if self.is_single() {
            let wanted = self.wanted();
            return self.state.mismatch(wanted, "an array".into(), None);
        }
        for index in 0.. {
            self.state.path.at(index);
            let element = Value { state: self.state, field: self.field, within: true, wire: self.wire };
            if array.next_element_seed(element)?.is_none() {
                break;
            }
        }
        self.state.path.after_the_last();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        match self.field.kind {
            Kind::Message(message) if self.is_single() => {
                let mut nested = Vec::new();
                Object { state: self.state, message, wire: &mut nested }.visit_map(map)?;
                value::put_delimited(self.wire, self.field.number, &nested);
                self.state.fits(self.wire)
            }
            _ => {
                let wanted = self.wanted();
                self.state.mismatch(wanted, "an object".into(), None)
            }
        }
    }
}
