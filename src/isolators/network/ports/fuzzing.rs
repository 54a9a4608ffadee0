//! The facts and reports of `network/ports`.
#![forbid(unsafe_code)]

use super::looker::Report;
use super::rules::Rules;
use super::set::PortSet;
use crate::fuzzing::{again, message_again};

/// Facts and reports of any bytes.
pub(crate) fn kept(data: &[u8]) {
    again(data, |bytes| Rules::of(&bytes.to_vec()).ok(), Rules::facts);
    again(data, PortSet::read, PortSet::bytes);
    message_again::<Report>(data);
}
