//! The kit for who writes isolators: a fake host, a container's life to drive one through, and a conformance run.
//!
//! [`check`] is the whole contract as a test; `mesos-ecp isolator-check NAME` is the same as a command, for isolators that are
//! programs above all. For what only this isolator does there are [`Host`] and [`Life`].
//!
//! ```
//! use mesos_ecp::isolator::Isolator;
//!
//! struct Nothing;
//!
//! impl Isolator for Nothing {
//!     fn name(&self) -> &str {
//!         "acme/nothing"
//!     }
//! }
//!
//! mesos_ecp::testing::check(|| Box::new(Nothing)).assert_passed();
//! ```
#![forbid(unsafe_code)]

mod apart;
mod call;
mod checks;
mod command;
mod host;
mod life;
mod report;

pub use call::Call;
pub use checks::{Checker, check};
pub use command::{Order, command};
pub use host::Host;
pub use life::{Life, Watching};
pub use report::{Check, Outcome, Report};
