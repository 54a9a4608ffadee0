//! Texts as people write them, and that what is printed is read as the same.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn problem(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn every_form_is_read() {
    let text = " cpus : 0.5;mem:64; ports:[31000-32000, 33000 - 33100];disk(role):1024 ;tags( r ):{ a, b };gpus(*):1;";
    let read = parse(text).unwrap();
    assert_eq!(print(&read), "cpus:0.5;mem:64;ports:[31000-32000,33000-33100];disk(role):1024;tags(r):{a,b};gpus:1");
    let types: Vec<i32> = read.iter().map(|resource| resource.r#type).collect();
    assert_eq!(types, [0, 0, 1, 0, 2, 0]);
    assert_eq!(crate::protocol::resources::mem_bytes(&read), Some(64 << 20));
    assert_eq!((read[3].role(), read[5].role()), ("role", "*"));
    for empty in ["", " ", ";", " ; ;"] {
        assert_eq!(parse(empty), Ok(Vec::new()), "{empty:?}");
    }
    assert_eq!(print(&parse("ports:[];tags:{ }").unwrap()), "ports:[];tags:{}");
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    for (text, position, words) in [
        ("cpus:1;mem", 2, "there is no colon"),
        ("cpus:1;;mem", 3, "there is no colon"),
        (":1", 1, "the name before the colon is missing"),
        ("(role):1", 1, "the name before the colon is missing"),
        ("a b:1", 1, "\"a b\" is no name"),
        ("cpus:", 1, "\"\" is no amount"),
        ("cpus:half", 1, "\"half\" is no amount"),
        ("cpus:inf", 1, "\"inf\" is no amount"),
        ("cpus:NaN", 1, "is no amount"),
        ("cpus:-1", 1, "the amount -1 is below zero"),
        ("disk(role:1", 1, "the role does not end with \")\""),
        ("disk():1", 1, "the role in parentheses is empty"),
        ("ports:[1-2", 1, "the ranges do not end with \"]\""),
        ("ports:[1]", 1, "\"1\" is no range"),
        ("ports:[1-2,]", 1, "\"\" is no range"),
        ("ports:[5-2]", 1, "the range 5-2 ends before it begins"),
        ("ports:[-1-2]", 1, "is no range"),
        ("tags:{a", 1, "the set does not end with \"}\""),
        ("tags:{a,,b}", 1, "\"\" is no member of a set"),
    ] {
        let said = problem(text);
        assert!(said.starts_with(&format!("entry {position}, \"")) && said.contains(words), "{text}: {said}");
    }
    assert!(problem(" [{\"name\": \"cpus\"}]").contains("only the text form is taken"));
}

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9_.*/@-]{1,12}"
}

fn any_resource() -> impl Strategy<Value = Resource> {
    let scalar = (0.0_f64..1e15).prop_map(|value| Resource {
        r#type: value::Type::Scalar as i32,
        scalar: Some(value::Scalar { value }),
        ..Resource::default()
    });
    let range = (any::<u64>(), any::<u64>()).prop_map(|(a, b)| value::Range { begin: a.min(b), end: a.max(b) });
    let ranges = prop::collection::vec(range, 0..4).prop_map(|range| Resource {
        r#type: value::Type::Ranges as i32,
        ranges: Some(value::Ranges { range }),
        ..Resource::default()
    });
    let set = prop::collection::vec(word(), 0..4).prop_map(|item| Resource {
        r#type: value::Type::Set as i32,
        set: Some(value::Set { item }),
        ..Resource::default()
    });
    let role = prop::option::of(word().prop_filter("the default one is printed as none", |role| role != ANYBODY));
    (word(), role, prop_oneof![scalar, ranges, set]).prop_map(|(name, role, value)| Resource { name, role, ..value })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_as_the_same(resources in prop::collection::vec(any_resource(), 0..6)) {
        prop_assert_eq!(parse(&print(&resources)), Ok(resources));
    }

    #[test]
    fn whatever_is_read_is_printed_and_read_again(text in "[a-z0-9:;(){}\\[\\], .-]{0,40}") {
        if let Ok(resources) = parse(&text) {
            prop_assert_eq!(parse(&print(&resources)), Ok(resources), "{}", text);
        }
    }
}
