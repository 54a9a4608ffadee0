//! `linux/nnp`: executing a program gives no process of the container rights that it does not have.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::isolator::{Container, Facts, Isolator, Preparation, Privileges};

/// See the module.
#[derive(Debug)]
pub struct Nnp;

impl Isolator for Nnp {
    fn name(&self) -> &str {
        "linux/nnp"
    }

    fn prepare(&self, _container: &Container<'_>, _facts: &Facts) -> Result<Preparation> {
        let privileges = Privileges { no_new_privileges: true, ..Privileges::default() };
        Ok(Preparation { privileges, ..Preparation::default() })
    }
}
