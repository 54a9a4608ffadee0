//! `mesos-ecp isolator-check NAME`: the conformance run as a command.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::apart;
use super::checks::Checker;
use super::report::{Check, Outcome};
use super::signals::Signals;
use crate::cgroup::{Hierarchies, MOUNTINFO};
use crate::config::{self, Config, Settings, Untrusted};
use crate::error::{Error, Result};
use crate::isolator::Isolator;
use crate::isolators::{self, ALL, PROGRAM};
use crate::sys;
use crate::view;

/// What is to be checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Order {
    /// As in `--isolation`; one that stands for several has each of them checked.
    pub isolator: String,
    /// The flags, values unread.
    pub settings: Settings,
    /// [`Checker::lives`], if it is not the usual number.
    pub lives: Option<usize>,
    /// [`Checker::kills`], if it is not the usual number.
    pub kills: Option<u32>,
}

/// Checks an isolator and writes the report, a line when it is known; returns whether it has passed.
///
/// # Errors
/// A bad setting, an isolator that is not known, a signal to end.
pub fn command(order: &Order, output: &mut impl Write) -> Result<bool> {
    // As the verbs do, so that an isolator is called as it is by them.
    sys::ready_signals();
    let _ = view::leave(false);
    let (config, _) =
        Config::resolve_with_file(&order.settings, std::env::vars_os(), &Untrusted::default(), config::file::read)?;
    let settings = isolators::Settings::of(&config);
    let made = names(&order.isolator, &settings)
        .and_then(|names| isolators::make(&names, &settings))
        .map_err(|e| meant(&order.isolator, &config.isolator_dir, e))?;
    let signals = Signals::hold();
    let output = RefCell::new(output);
    let write = |text: &str| {
        let mut output = output.borrow_mut();
        output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(Error::system("write the report"))
    };
    let mut passed = true;
    for isolator in made {
        let name = isolator.name().to_owned();
        let program: Option<PathBuf> = name.strip_prefix(PROGRAM).map(|program| config.isolator_dir.join(program));
        write(&format!("{name}\n"))?;
        let checker = |described| {
            let (name, settings) = (name.clone(), isolators::Settings { described, ..settings.clone() });
            let mut checker = Checker::fallible(move || {
                let made = isolators::make(std::slice::from_ref(&name), &settings)?;
                made.into_iter().next().ok_or_else(|| Error::Refused(format!("isolator {name} is not there any more")))
            });
            if let Some(program) = &program {
                checker = checker.program(program.clone(), config.isolator_timeout);
            }
            checker = order.lives.into_iter().fold(checker, Checker::lives);
            order.kills.into_iter().fold(checker, Checker::kills)
        };
        let described = described(&name, &checker(None), signals.as_ref());
        let mut written = Ok(());
        let mut tell = |check: &Check, width: usize| {
            if written.is_ok() {
                written = write(&check.line(width));
            }
        };
        let report = checker(described).run_telling(signals.as_ref(), &mut tell);
        written?;
        write(&report.sum())?;
        if let Some(signal) = signals.as_ref().and_then(Signals::came) {
            return Err(Error::Refused(format!("interrupted by {signal}: the rest was not done")));
        }
        passed &= report.is_passed();
    }
    Ok(passed)
}

/// What a name stands for, without what is in each list.
fn names(isolator: &str, settings: &isolators::Settings) -> Result<Vec<String>> {
    let given = vec![isolator.to_owned()];
    if isolator != ALL {
        return Ok(given);
    }
    let hierarchies = Hierarchies::read(Path::new(MOUNTINFO))?;
    let always = isolators::resolve(&[], settings, || Ok(&hierarchies))?;
    let mut all = isolators::resolve(&given, settings, || Ok(&hierarchies))?;
    all.retain(|name| !always.contains(name));
    Ok(all)
}

/// The name of a program alone is a mistake that is soon made.
fn meant(isolator: &str, dir: &Path, error: Error) -> Error {
    let is_there = !isolator.contains('/') && dir.join(isolator).is_file();
    if is_there { Error::Refused(format!("{error}; did you mean {PROGRAM}{isolator}?")) } else { error }
}

/// What the calls of a container are given of the probe at its launch. None where the probe fails or hangs, which the check of that
/// name says.
fn described(name: &str, checker: &Checker, signals: Option<&Signals>) -> Option<BTreeMap<String, Vec<u8>>> {
    let (limit, make) = (checker.longest(), checker.clone());
    let ran = apart::run(limit, signals, move |_| match make.make().and_then(|isolator| probed(&*isolator)) {
        Ok(description) => Outcome::Passed(description),
        Err(e) => Outcome::Failed(e.to_string()),
    });
    let Outcome::Passed(said) = ran.outcome else { return None };
    let bytes = said.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).ok()).collect::<Option<Vec<u8>>>()?;
    // Its first byte says whether it has one at all.
    let description = bytes.split_first().filter(|(first, _)| **first == 1).map(|(_, rest)| rest.to_vec());
    Some(description.map(|description| (name.to_owned(), description)).into_iter().collect())
}

/// The description as a line of numbers.
fn probed(isolator: &dyn Isolator) -> Result<String> {
    isolator.probe()?;
    let bytes = isolator.described().map_or_else(|| vec![0], |description| [&[1], &description[..]].concat());
    Ok(bytes.iter().map(|byte| format!("{byte:02x} ")).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_name_that_stands_for_several() {
        let settings = crate::testing::settings().unwrap();
        assert_eq!(names("hooks", &settings).unwrap(), ["hooks"]);
        // Where there are no cgroups at all, that is said.
        if let Ok(all) = names(ALL, &settings) {
            assert!(all.iter().all(|name| name.starts_with("cgroups/") && name != ALL), "{all:?}");
        }
    }

    #[test]
    fn the_name_of_a_program_alone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("licence"), "").unwrap();
        let says = |name: &str| meant(name, dir.path(), Error::Refused("not known".into())).to_string();
        assert!(says("licence").ends_with("did you mean program/licence?") && !says("other").contains("did you mean"));
    }

    #[test]
    fn what_the_probe_has_found_out_comes_back() {
        struct Finds(Option<Vec<u8>>);
        impl Isolator for Finds {
            fn name(&self) -> &str {
                "test/finds"
            }
            fn described(&self) -> Option<Vec<u8>> {
                self.0.clone()
            }
        }
        for found in [None, Some(Vec::new()), Some(vec![0, 10, 255])] {
            let theirs = found.clone();
            let checker = Checker::new(move || Box::new(Finds(theirs.clone())));
            let described = described("test/finds", &checker, None).unwrap();
            assert_eq!(described.get("test/finds"), found.as_ref());
        }
    }
}
