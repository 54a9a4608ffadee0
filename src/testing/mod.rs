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
//!
//! An isolator that goes by flags is made with [`settings`]:
//!
//! ```
//! # fn main() -> mesos_ecp::error::Result<()> {
//! # use mesos_ecp::isolators;
//! let settings = mesos_ecp::testing::settings()?;
//! let make = move || isolators::make(&["posix/mem".into()], &settings).map(|mut one| one.remove(0));
//! mesos_ecp::testing::Checker::fallible(make).lives(5).run().assert_passed();
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod apart;
mod call;
mod checks;
mod command;
mod host;
mod life;
mod report;
mod signals;

use crate::config::{self, Config, Untrusted};
use crate::error::Result;
use crate::isolators;

pub use call::Call;
pub use checks::{Checker, check};
pub use command::{Order, command};
pub use host::Host;
pub use life::{Life, Watching};
pub use report::{Check, Outcome, Report};

/// What the maker of an isolator is given where no flag is set, whatever this process has in its environment.
///
/// # Errors
/// None that is known: the flags' defaults are right.
pub fn settings() -> Result<isolators::Settings> {
    let (config, _) = Config::resolve(&config::Settings::default(), std::iter::empty(), &Untrusted::default())?;
    Ok(isolators::Settings::of(&config))
}
