//! The layer against the kernel, and against iproute2's `ip` and `tc`.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arbitrary;
mod golden;
mod script;
