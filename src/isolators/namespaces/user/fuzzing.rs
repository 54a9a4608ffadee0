//! The ids that a host has given away.
#![forbid(unsafe_code)]

use super::host::is_free;
use crate::config::IdRange;
use crate::fuzzing::{Scratch, said};

/// /etc/subuid or /etc/subgid, of any bytes.
pub(crate) fn subordinate(data: &[u8]) {
    let scratch = Scratch::new();
    let file = scratch.file("subuid", data);
    for range in [IdRange { first: 65536, size: 1 }, IdRange { first: 524_288, size: u32::MAX - 524_288 }] {
        said(is_free(range, &file));
    }
}
