//! src/netlink against the kernel, and against iproute2: what one makes the other one must see as it was meant.
//!
//! Every test has network namespaces of its own, which go away with it. They need root, and say so where they have not got it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![forbid(unsafe_code)]

mod control;
mod figures;
mod filters;
mod host;
mod links;
mod mirrors;
mod requests;
mod sockets;
mod statistics;
