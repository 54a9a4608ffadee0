//! See `user`.
#![forbid(unsafe_code)]

pub(crate) use super::user::fuzzing::subordinate;
