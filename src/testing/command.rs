//! `mesos-ecp isolator-check NAME`: the conformance run as a command.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use super::checks::Checker;
use crate::config::{self, Config, Settings, Untrusted};
use crate::error::{Error, Result};
use crate::isolator::Isolator;
use crate::isolators;
use crate::sys;
use crate::view;

/// What is to be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// As in `--isolation`; one that stands for several has each of them checked.
    pub isolator: String,
    /// The flags, values unread.
    pub settings: Settings,
}

const PROGRAM: &str = "program/";

/// Checks an isolator and writes the report; returns whether it has passed.
///
/// # Errors
/// A bad setting, an isolator that is not known.
pub fn command(order: &Order, output: &mut impl Write) -> Result<bool> {
    // As the verbs do, so that an isolator is called as it is by them.
    sys::ready_signals();
    let _ = view::leave(false);
    let (config, _) =
        Config::resolve_with_file(&order.settings, std::env::vars_os(), &Untrusted::default(), config::file::read)?;
    let settings = isolators::Settings::of(&config);
    let mut passed = true;
    for isolator in isolators::make(std::slice::from_ref(&order.isolator), &settings)? {
        let name = isolator.name().to_owned();
        let program: Option<PathBuf> = name.strip_prefix(PROGRAM).map(|program| config.isolator_dir.join(program));
        let settings = isolators::Settings { described: described(&*isolator), ..settings.clone() };
        let mut checker = Checker::fallible(move || {
            let made = isolators::make(std::slice::from_ref(&name), &settings)?;
            made.into_iter().next().ok_or_else(|| Error::Refused(format!("isolator {name} is not there any more")))
        });
        if let Some(program) = program {
            checker = checker.program(program, config.isolator_timeout);
        }
        let report = checker.run();
        output.write_all(report.to_string().as_bytes()).map_err(Error::system("write the report"))?;
        passed &= report.is_passed();
    }
    Ok(passed)
}

/// What the calls of a container are given of the probe at its launch. None where the probe fails, which the check of that name says.
fn described(isolator: &dyn Isolator) -> Option<BTreeMap<String, Vec<u8>>> {
    isolator.probe().ok()?;
    Some(isolator.described().map(|description| (isolator.name().to_owned(), description)).into_iter().collect())
}
