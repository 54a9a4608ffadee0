//! The kernel's networking, over netlink(7): links, addresses, routes, traffic control, TCP sockets. Knows nothing of containers.
//!
//! Every change is a [`Request`], a value made by a function of the module that it is about; a [`Socket`] carries out one or
//! several at once, and reads lists. Which network namespace is meant is the socket's affair.
//!
//! ```no_run
//! use mesos_ecp::netlink::{Socket, link, veth};
//!
//! let mut socket = Socket::route()?;
//! let end = |name| veth::End { name, mac: None, mtu: None };
//! socket.perform(&veth::create(&end("a"), &end("b"), None))?;
//! if let Some(made) = link::Link::named(&mut socket, "a")? {
//!     socket.perform(&link::change(made.device(), &link::Change { up: Some(true), ..Default::default() }))?;
//! }
//! # Ok::<(), mesos_ecp::error::Error>(())
//! ```
//!
//! Synchronous, without threads. What comes from the kernel is read as what comes from anybody: nothing in it can
//! make the reader panic or go on for ever. Messages are put together here and not by a crate: docs/dependencies.md says why.
#![forbid(unsafe_code)]

pub mod action;
pub mod address;
pub mod any;
mod attribute;
pub mod class;
pub mod diag;
mod exchange;
pub mod filter;
mod fq_codel;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod handle;
pub mod link;
mod mac;
mod message;
pub mod ports;
pub mod qdisc;
mod rate;
pub mod route;
mod socket;
mod statistics;
mod tbf;
mod u32;
pub mod veth;
mod writer;

#[cfg(test)]
mod tests;

pub use attribute::Bad;
pub use handle::Handle;
pub use link::{Device, Link};
pub use mac::Mac;
pub use message::Request;
pub use rate::Clock;
pub use socket::Socket;
pub use statistics::{FqCodelStatistics, LinkStatistics, QueueStatistics};
pub use u32::{Key, Keys};
