//! Random messages as JSON, made from the schema: every kind of field, in the form in which [`from_wire`](super::from_wire)
//! writes it. Tests only.
#![forbid(unsafe_code)]

use base64::Engine;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::BASE64;
use super::schema::{Field, Kind, Schema};

/// Deeper messages stay away; no message of Mesos's needs more.
const DEPTH: usize = 4;

/// Any message of that name. Most fields are absent, as there are many.
pub(super) fn message(name: &'static str, depth: usize) -> BoxedStrategy<Value> {
    let schema = Schema::load();
    let fields = schema.fields(name).iter().filter(|field| depth < DEPTH || !matches!(field.kind, Kind::Message(_)));
    let fields: Vec<_> = fields.map(|field| option::weighted(0.3, value(&schema, *field, depth))).collect();
    let names: Vec<_> = schema.fields(name).iter().map(|field| (field.name, field.kind)).collect();
    let names: Vec<_> =
        names.into_iter().filter(|(_, kind)| depth < DEPTH || !matches!(kind, Kind::Message(_))).collect();
    let object = fields.prop_map(move |values| {
        let pairs = names.iter().zip(values).filter_map(|((name, _), value)| Some(((*name).to_owned(), value?)));
        Value::Object(pairs.collect::<Map<_, _>>())
    });
    object.boxed()
}

fn value(schema: &Schema, field: Field, depth: usize) -> BoxedStrategy<Value> {
    let single = match field.kind {
        Kind::Bool => any::<bool>().prop_map(Value::from).boxed(),
        Kind::Int32 => any::<i32>().prop_map(Value::from).boxed(),
        Kind::Int64 => any::<i64>().prop_map(Value::from).boxed(),
        Kind::Uint32 => any::<u32>().prop_map(Value::from).boxed(),
        Kind::Uint64 => any::<u64>().prop_map(Value::from).boxed(),
        Kind::Double => any::<f64>().prop_map(double).boxed(),
        Kind::String => any::<String>().prop_map(Value::from).boxed(),
        Kind::Bytes => vec(any::<u8>(), 0..9).prop_map(|bytes| BASE64.encode(bytes).into()).boxed(),
        Kind::Enum(name) => {
            let values = schema.values(name).to_vec();
            let numbers: Vec<i32> = values.iter().map(|(number, _)| *number).collect();
            let unknown = any::<i32>().prop_filter("no name", move |number| !numbers.contains(number));
            let known = (0..values.len()).prop_map(move |at| Value::from(values[at].1));
            prop_oneof![4 => known, 1 => unknown.prop_map(Value::from)].boxed()
        }
        Kind::Message(name) => message(name, depth + 1),
    };
    if field.repeated { vec(single, 1..4).prop_map(Value::from).boxed() } else { single }
}

fn double(value: f64) -> Value {
    match value {
        value if value.is_nan() => "NaN".into(),
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        value if value.fract() == 0.0 && value.abs() < 1e15 && value != 0.0 => (value as i64).into(),
        value if value == 0.0 && value.is_sign_positive() => 0.into(),
        value => value.into(),
    }
}
