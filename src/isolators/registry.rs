//! The isolators of somebody's own, beside the built-in ones.
//!
//! They are known to the whole process: a list of names is made into isolators by launch, by every other verb about a container
//! that it has found in the state directory, and by whoever takes over from a dead supervisor. All of those are reached by
//! records and files, not by calls that could hand the makers down, and they must all know the same ones. So they are set
//! once, before anything else is done ([`crate::Ecp`]), and never change.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::sync::OnceLock;

use super::{ALIASES, ALL, BUILT_IN, PROGRAM, Settings};
use crate::error::{Error, Result};
use crate::isolator::Isolator;

/// Makes an isolator of somebody's own.
pub(crate) type Maker = Box<dyn Fn(&Settings) -> Box<dyn Isolator> + Send + Sync>;

/// A name and how to make the isolator.
pub(crate) type Own = (String, Maker);

/// Part of a file's name in the state directory, with others.
const LONGEST_NAME: usize = 100;

static OWN: OnceLock<Vec<Own>> = OnceLock::new();

/// Makes these known.
///
/// # Errors
/// A name that is refused, or stands twice; there are some already. None of them is known then.
pub(crate) fn register(own: Vec<Own>) -> Result<()> {
    check(&own)?;
    OWN.set(own).map_err(|_| Error::refused("isolators are set once in the life of a process, and they were"))
}

fn check(own: &[Own]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for (name, _) in own {
        let why = match problem(name) {
            None if seen.insert(name) => continue,
            None => "it stands twice".to_owned(),
            Some(why) => why,
        };
        return Err(Error::refused(format!("an isolator cannot be called \"{}\": {why}", name.escape_default())));
    }
    Ok(())
}

/// Why no isolator of somebody's own can have this name.
pub(crate) fn problem(name: &str) -> Option<String> {
    // Names stand in lists with commas, in paths and in the names of files, where the slash becomes a plus.
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-'])
            && part.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
    };
    if !name.split_once('/').is_some_and(|(group, name)| plain(group) && plain(name)) {
        return Some(
            "it must be GROUP/NAME, both of letters, digits, dots, dashes and underscores, and begin with neither a dot nor a dash"
                .to_owned(),
        );
    }
    if name.len() > LONGEST_NAME {
        return Some(format!("it is longer than {LONGEST_NAME} bytes"));
    }
    // One of that group stands for what a container sees of file systems, volumes included.
    if name.starts_with("filesystem/") {
        return Some(
            "the group filesystem is for those of which each container has one, and they are built in".to_owned(),
        );
    }
    if name.starts_with(PROGRAM) {
        return Some(format!("{PROGRAM}NAME is an executable of --isolator_dir"));
    }
    let is_ours = BUILT_IN.iter().any(|(known, _)| *known == name)
        || ALIASES.iter().any(|(alias, _)| *alias == name)
        || name == ALL;
    is_ours.then(|| "a built-in one has that name".to_owned())
}

/// Makes the one of this name. None: there is none.
///
/// # Errors
/// It calls itself otherwise.
pub(super) fn make(name: &str, settings: &Settings) -> Option<Result<Box<dyn Isolator>>> {
    let (_, make) = known().iter().find(|(known, _)| known == name)?;
    Some(named(name, make(settings)))
}

/// Its name is what it is found by again.
fn named(name: &str, isolator: Box<dyn Isolator>) -> Result<Box<dyn Isolator>> {
    if isolator.name() == name {
        return Ok(isolator);
    }
    Err(Error::refused(format!(
        "the isolator that this program knows as {name} calls itself \"{}\": its author has to make Isolator::name say the same",
        isolator.name().escape_default()
    )))
}

/// Their names, in the order in which they were given.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    known().iter().map(|(name, _)| name.as_str())
}

fn known() -> &'static [Own] {
    OWN.get().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Named(&'static str);

    impl Isolator for Named {
        fn name(&self) -> &str {
            self.0
        }
    }

    fn own(names: &[&str]) -> Vec<Own> {
        let one = |name: &&str| -> Own { ((*name).to_owned(), Box::new(|_| Box::new(Named("acme/x")))) };
        names.iter().map(one).collect()
    }

    #[test]
    fn names_that_are_refused() {
        for (names, why) in [
            (&["devices"][..], "must be GROUP/NAME"),
            (&["acme/a/b"], "must be GROUP/NAME"),
            (&["acme/"], "must be GROUP/NAME"),
            (&["/devices"], "must be GROUP/NAME"),
            (&["acme/.."], "must be GROUP/NAME"),
            (&["acme/a+b"], "must be GROUP/NAME"),
            (&["acme/a,b"], "must be GROUP/NAME"),
            (&["acme/a b"], "must be GROUP/NAME"),
            (&["process"], "must be GROUP/NAME"),
            (&["posix/cpu"], "built-in"),
            (&["disk/du"], "built-in"),
            (&["cgroups/all"], "built-in"),
            (&["program/x"], "--isolator_dir"),
            (&["filesystem/x"], "built in"),
            (&["acme/x", "acme/y", "acme/x"], "twice"),
            (&[&format!("acme/{}", "x".repeat(100))], "longer than 100"),
        ] {
            let error = check(&own(names)).unwrap_err().to_string();
            let name = names.last().unwrap();
            assert!(error.contains(&format!("\"{name}\"")) && error.contains(why), "{name}: {error}");
        }
        check(&own(&["acme/devices", "acme/Tmp-dir_2.0", "posix/mine", "programs/x"])).unwrap();
        check(&[]).unwrap();
    }

    #[test]
    fn an_isolator_has_the_name_that_it_is_known_by() {
        assert_eq!(named("acme/x", Box::new(Named("acme/x"))).unwrap().name(), "acme/x");
        let error = named("acme/y", Box::new(Named("acme/x"))).err().unwrap().to_string();
        assert!(error.contains("acme/y") && error.contains("\"acme/x\""), "{error}");
    }
}
