//! Messages as JSON, for people and scripts: the same fields by the same names as in `proto/`.
//!
//! A message is an object, a repeated field an array, an enum value its name, bytes are base64, and 64-bit integers are numbers.
//! What is absent is left out; `null` says the same. Reading also takes an enum value by its number, a 64-bit integer as text,
//! and for a double the texts `NaN`, `Infinity` and `-Infinity`, which is how these are written.
//!
//! [`to_wire`] and [`from_wire`] go between the text and protobuf's bytes, led by a schema that is a text itself
//! (`generated/schema.txt`) and is read only when one of the two is called: programs that speak records only pay nothing for it.
//! The schema has the messages of `proto/mesos.proto`, `statistics.proto`, `containerizer.proto` and `isolator.proto`.
#![forbid(unsafe_code)]

mod error;
mod from_wire;
mod path;
mod schema;
mod to_wire;
mod value;

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod tests;

use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

pub use error::JsonError;
pub use from_wire::from_wire;
pub use schema::is_known;
pub use to_wire::{TEXT_LIMIT, to_wire};

/// Written with padding, read with and without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
