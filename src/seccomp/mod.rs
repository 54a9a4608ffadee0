//! Which system calls a container may make: profiles in the JSON that container runtimes share, compiled to the classic BPF
//! that the kernel runs before each call of the container's processes.
//!
//! [`Profile::parse`] reads a file, [`compile`] makes the program for one [`Host`]. Knows nothing of containers.
//!
//! # What a profile means
//! - Each call is answered by the first rule with conditions (`args`) that match, in the order of the file; then by the first
//!   rule without; then by `defaultAction`. So a rule for some arguments counts beside one for all of them, wherever it
//!   stands. (With libseccomp the one for all hides the others. It only makes a difference where their actions differ.)
//! - A rule counts if this host has all that `includes` and nothing that `excludes` names.
//! - Rules are for the host's own system calls and for those of the other interfaces (32 bits, x32) that `architectures`
//!   or `archMap` names. A process that uses one that is not named is killed.
//! - With `SCMP_ACT_ERRNO` as the default, calls that are newer than all that the profile names fail with ENOSYS: C libraries
//!   then do without, while after EPERM they give up.
#![forbid(unsafe_code)]

mod abi;
mod action;
mod assemble;
mod compile;
mod decide;
mod error;
mod host;
mod profile;
mod read;
mod table;

#[cfg(test)]
mod tests;

pub use abi::Abi;
pub use action::Action;
pub use compile::{Compiled, MOST_INSTRUCTIONS, compile};
pub use error::ProfileError;
pub use host::Host;
pub use profile::{Architectures, Comparison, Condition, Profile, Rule, Selection};

/// The profile that is used where none is named: see docs/isolators/linux-seccomp.md for what it allows and why.
pub const DEFAULT: &str = include_str!("default.json");
