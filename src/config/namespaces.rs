//! The settings that have to do with namespaces.
#![forbid(unsafe_code)]

use super::error::ConfigError;
use super::flags::namespaces as flags;
use super::sources::Sources;
use super::values::ValueError;

/// What is process 1 of a container with a pid namespace: `--pid1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pid1 {
    /// The executor itself.
    Executor,
    /// `mesos-ecp-init`, whose child the executor is.
    Init,
}

impl Pid1 {
    fn parse(text: &str) -> Result<Pid1, ValueError> {
        match text {
            "executor" => Ok(Pid1::Executor),
            "init" => Ok(Pid1::Init),
            _ => Err(ValueError::Pid1),
        }
    }
}

/// The settings of one call. One field for each flag of [`flags`], by the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespaces {
    /// Without a pid namespace it has no effect.
    pub pid1: Pid1,
}

impl Namespaces {
    pub(super) fn resolve(sources: &Sources<'_>) -> Result<Namespaces, ConfigError> {
        Ok(Namespaces { pid1: sources.value(&flags::PID1, Pid1::parse)? })
    }
}
