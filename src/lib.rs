//! The library behind `mesos-ecp`, an external containerizer program for Mesos agents, and a kit for isolators.
//!
//! The rooms, from the top down; imports point downwards only:
//! [`ecp`] → [`run`] → [`cli`], [`verbs`] → [`agent`], [`supervisor`], [`testing`] → [`isolators`] → [`isolator`] → [`launcher`], [`fetcher`] → [`container`] →
//! [`cgroup`], [`config`], [`view`], [`paths`], [`netlink`], [`proc`], [`protocol`] → `beside`, [`step`], [`weaken`], [`error`], [`sys`].
//!
//! Who writes an isolator begins with [`isolator`], the contract, and with [`Ecp`], which makes a program of it; [`prelude`] has
//! what all need. Types of the crates [`libc`] and [`nix`] stand in the contract here and there, and come with the versions
//! that are meant: `mesos_ecp::nix`.
//!
//! Every unsafe line stands in [`sys`]; all other modules forbid unsafe code.
#![deny(unsafe_code)]

pub mod agent;
mod beside;
pub mod cgroup;
pub mod cli;
pub mod config;
pub mod container;
pub mod du;
pub mod ecp;
pub mod error;
pub mod fetcher;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod isolator;
pub mod isolators;
pub mod launcher;
pub mod netlink;
pub mod paths;
pub mod prelude;
pub mod proc;
pub mod protocol;
pub mod run;
pub mod seccomp;
pub mod step;
pub mod supervisor;
pub mod sys;
pub mod testing;
pub mod verbs;
pub mod view;
pub mod weaken;

pub use ecp::Ecp;
pub use {libc, nix};
