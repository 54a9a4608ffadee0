//! Answers of a program, in either form.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used)]

use prost::Message;

use super::call::{one_line, reply};
use super::description::{CALLS, Description};
use super::form::{self, Form};
use super::prepared::names;
use crate::fuzzing::said;

const REPLY: &str = "mesos_ecp.isolator.Reply";

/// Any bytes as an answer to each call, and to `describe`. What is understood is a whole message, and the same when we say it, in either
/// form; files that are asked for stay below the sandbox.
pub(crate) fn answer(data: &[u8]) {
    let found = form::read(REPLY, data).ok().filter(|_| !data.is_empty());
    if let Some((form, _)) = &found {
        assert!(form.is_whole(data), "{form:?}");
    }
    for form in [Form::Record, Form::Json] {
        form.is_whole(data);
    }
    for call in CALLS {
        let Some(taken) = said(reply(call, data)) else { continue };
        for form in [Form::Record, Form::Json] {
            let written = form.write(REPLY, taken.encode_to_vec()).expect("what was taken can be said");
            let again = reply(call, &written).expect("and taken again");
            assert_eq!(format!("{again:?}"), format!("{taken:?}"), "{form:?}");
        }
        for file in &taken.files {
            let plain = |name: &String| !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']);
            assert!(names(&file.path).is_none_or(|names| !names.is_empty() && names.iter().all(plain)));
        }
        let line = one_line(taken.error());
        assert!(line.chars().count() <= 4096 && !line.contains(char::is_control));
    }
    if let Some(description) = said(Description::of(data)) {
        let kept = Description::kept(&description.to_keep());
        assert!(CALLS.iter().all(|call| kept.has(call) == description.has(call)));
        // In an order of its own.
        assert_eq!(kept.controllers.len(), description.controllers.len());
        assert_eq!(Description::kept(&kept.to_keep()), kept);
    }
}

/// What was kept of a description, perhaps by a newer release.
pub(crate) fn kept(data: &[u8]) {
    let found = Description::kept(data);
    assert!(CALLS.iter().all(|call| found.has(call) || !found.names(call)));
}
