//! See `persistent`.
#![forbid(unsafe_code)]

pub(crate) use super::persistent::fuzzing::kept;
