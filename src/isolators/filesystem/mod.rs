//! What containers see of file systems.
#![forbid(unsafe_code)]

mod linux;
mod persistent;
mod posix;

pub use linux::Linux;
pub use posix::Posix;

use crate::error::Result;
use crate::isolator::{Container, Facts};

/// Stores an isolator's facts ahead of what they say.
fn remember(container: &Container<'_>, isolator: &'static str) -> impl FnOnce(&Facts) -> Result<()> {
    let state = container.state;
    move |facts| state.map_or(Ok(()), |state| state.write_facts(isolator, facts))
}
