//! Protobuf's wire format, as far as the tests need it: a message is a list of fields, in the order of the wire.
//!
//! This is written anew on purpose. The program under test must not be the judge of its own encoding.

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Wire type 0: integers, booleans, enumerations.
    Varint(u64),
    /// Wire type 1: doubles.
    Fixed64(u64),
    /// Wire type 2: strings, bytes, messages.
    Bytes(Vec<u8>),
    /// Wire type 5: floats.
    Fixed32(u32),
}

/// A message: field numbers and values, in the order of the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message(pub Vec<(u32, Value)>);

impl Message {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field.
    pub fn with(mut self, number: u32, value: Value) -> Self {
        self.0.push((number, value));
        self
    }

    pub fn varint(self, number: u32, value: u64) -> Self {
        self.with(number, Value::Varint(value))
    }

    pub fn bool(self, number: u32, value: bool) -> Self {
        self.varint(number, value.into())
    }

    pub fn double(self, number: u32, value: f64) -> Self {
        self.with(number, Value::Fixed64(value.to_bits()))
    }

    pub fn bytes(self, number: u32, value: impl AsRef<[u8]>) -> Self {
        self.with(number, Value::Bytes(value.as_ref().to_vec()))
    }

    pub fn message(self, number: u32, value: &Message) -> Self {
        self.bytes(number, value.encode())
    }

    /// The last value of a field: in protobuf, the last one counts.
    pub fn get(&self, number: u32) -> Option<&Value> {
        self.0.iter().rev().find(|(n, _)| *n == number).map(|(_, value)| value)
    }

    pub fn get_varint(&self, number: u32) -> Option<u64> {
        match self.get(number)? {
            Value::Varint(value) => Some(*value),
            other => panic!("field {number}: no varint but {other:?}"),
        }
    }

    pub fn get_double(&self, number: u32) -> Option<f64> {
        match self.get(number)? {
            Value::Fixed64(bits) => Some(f64::from_bits(*bits)),
            other => panic!("field {number}: no double but {other:?}"),
        }
    }

    pub fn get_text(&self, number: u32) -> Option<String> {
        match self.get(number)? {
            Value::Bytes(bytes) => Some(String::from_utf8(bytes.clone()).expect("a string is UTF-8")),
            other => panic!("field {number}: no string but {other:?}"),
        }
    }

    /// The strings of a repeated field.
    pub fn texts(&self, number: u32) -> Vec<String> {
        let of_this_number = self.0.iter().filter(|(n, _)| *n == number);
        of_this_number.filter_map(|field| Message(vec![field.clone()]).get_text(number)).collect()
    }

    /// The messages of a repeated field.
    pub fn get_messages(&self, number: u32) -> Vec<Message> {
        let of_this_number = self.0.iter().filter(|(n, _)| *n == number);
        of_this_number
            .map(|(_, value)| match value {
                Value::Bytes(bytes) => Message::decode(bytes),
                other => panic!("field {number}: no message but {other:?}"),
            })
            .collect()
    }

    /// The message of a field that stands at most once.
    pub fn get_message(&self, number: u32) -> Option<Message> {
        self.get_messages(number).pop()
    }

    /// Replaces the values of a field in their place, or adds the field.
    pub fn set(&mut self, number: u32, value: Value) {
        let mut found = false;
        for (_, old) in self.0.iter_mut().filter(|(n, _)| *n == number) {
            *old = value.clone();
            found = true;
        }
        if !found {
            self.0.push((number, value));
        }
    }

    pub fn set_text(&mut self, number: u32, value: impl AsRef<[u8]>) {
        self.set(number, Value::Bytes(value.as_ref().to_vec()));
    }

    pub fn remove(&mut self, number: u32) {
        self.0.retain(|(n, _)| *n != number);
    }

    /// Edits, in place, every message that is a value of this field.
    pub fn edit(&mut self, number: u32, mut edit: impl FnMut(&mut Message)) {
        for (_, value) in self.0.iter_mut().filter(|(n, _)| *n == number) {
            if let Value::Bytes(bytes) = value {
                let mut message = Message::decode(bytes);
                edit(&mut message);
                *bytes = message.encode();
            }
        }
    }

    /// Replaces a text within every string of this field.
    pub fn replace(&mut self, number: u32, from: &str, to: &str) {
        for (_, value) in self.0.iter_mut().filter(|(n, _)| *n == number) {
            if let Value::Bytes(bytes) = value {
                *bytes = String::from_utf8(bytes.clone()).expect("a string is UTF-8").replace(from, to).into_bytes();
            }
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, value) in &self.0 {
            let key = u64::from(*number) << 3;
            match value {
                Value::Varint(v) => {
                    put_varint(&mut out, key);
                    put_varint(&mut out, *v);
                }
                Value::Fixed64(v) => {
                    put_varint(&mut out, key | 1);
                    out.extend(v.to_le_bytes());
                }
                Value::Bytes(v) => {
                    put_varint(&mut out, key | 2);
                    put_varint(&mut out, v.len() as u64);
                    out.extend(v);
                }
                Value::Fixed32(v) => {
                    put_varint(&mut out, key | 5);
                    out.extend(v.to_le_bytes());
                }
            }
        }
        out
    }

    /// Reads a message; bytes that are none fail the test.
    pub fn decode(bytes: &[u8]) -> Message {
        let mut rest = bytes;
        let mut fields = Vec::new();
        while !rest.is_empty() {
            let key = take_varint(&mut rest);
            let value = match key & 7 {
                0 => Value::Varint(take_varint(&mut rest)),
                1 => Value::Fixed64(u64::from_le_bytes(take(&mut rest, 8).try_into().expect("8 bytes"))),
                2 => {
                    let length = take_varint(&mut rest) as usize;
                    Value::Bytes(take(&mut rest, length).to_vec())
                }
                5 => Value::Fixed32(u32::from_le_bytes(take(&mut rest, 4).try_into().expect("4 bytes"))),
                other => panic!("wire type {other}"),
            };
            fields.push(((key >> 3) as u32, value));
        }
        Message(fields)
    }

    /// The message as the agent writes it to a pipe: its length in four bytes, then the message.
    pub fn record(&self) -> Vec<u8> {
        framed(&self.encode())
    }

    /// Reads exactly one record: a length in four bytes, then a message, then nothing.
    pub fn of_record(record: &[u8]) -> Message {
        let (length, body) = record.split_first_chunk::<4>().unwrap_or_else(|| panic!("no record but {record:?}"));
        assert_eq!(u32::from_ne_bytes(*length) as usize, body.len(), "the length does not fit the record {record:?}");
        Message::decode(body)
    }
}

/// Puts the length before the bytes.
pub fn framed(bytes: &[u8]) -> Vec<u8> {
    let mut record = u32::try_from(bytes.len()).expect("a small message").to_ne_bytes().to_vec();
    record.extend(bytes);
    record
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
    }
    panic!("a varint of more than ten bytes");
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at_checked(count).expect("the message is cut off");
    *rest = left;
    taken
}
