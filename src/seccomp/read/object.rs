//! Objects whose fields are all known, each at most once.
#![forbid(unsafe_code)]

use std::fmt;
use std::marker::PhantomData;

use serde_core::de::{Error, MapAccess, Visitor};

use super::word::FieldName;

/// What an object's fields are gathered in.
pub(super) trait Fields<'de>: Default {
    /// What is made of them.
    type Made;
    /// For messages, as in "a rule has no names".
    const WHAT: &'static str;
    /// The fields; at most 32.
    const KNOWN: &'static [&'static str];

    /// Reads the value of the field with this place in [`Fields::KNOWN`].
    fn read<A: MapAccess<'de>>(&mut self, field: usize, map: &mut A) -> Result<(), A::Error>;

    /// After the last field.
    fn made<E: Error>(self) -> Result<Self::Made, E>;
}

/// Reads the object that `F` is for.
pub(super) struct ObjectVisitor<F>(pub(super) PhantomData<F>);

impl<'de, F: Fields<'de>> Visitor<'de> for ObjectVisitor<F> {
    type Value = F::Made;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, an object", F::WHAT)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<F::Made, A::Error> {
        let mut fields = F::default();
        let mut seen = 0_u32;
        while let Some(at) = map.next_key_seed(FieldName { what: F::WHAT, known: F::KNOWN })? {
            if seen & 1 << at != 0 {
                let name = F::KNOWN.get(at).unwrap_or(&"");
                return Err(A::Error::custom(format_args!("{} has {name} twice", F::WHAT)));
            }
            seen |= 1 << at;
            fields.read(at, &mut map)?;
        }
        fields.made()
    }
}

/// Lets a type be read as the object that its fields are for.
macro_rules! deserialize_object {
    ($made:ty, $fields:ty) => {
        impl<'de> serde_core::de::Deserialize<'de> for $made {
            fn deserialize<D: serde_core::Deserializer<'de>>(from: D) -> Result<$made, D::Error> {
                from.deserialize_map(object::ObjectVisitor::<$fields>(std::marker::PhantomData))
            }
        }
    };
}
pub(super) use deserialize_object;
