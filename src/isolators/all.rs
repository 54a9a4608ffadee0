//! `cgroups/all`: every cgroups isolator that this host can do, decided once, by launch.
#![forbid(unsafe_code)]

use super::{ALL, Settings, make_one};
use crate::cgroup::Hierarchies;
use crate::error::{Error, Result};

/// A name, and whether it is wanted with these settings.
type Candidate = (&'static str, fn(&Settings) -> bool);

/// In this order. The last two do nothing without flags of theirs, which therefore have to be given.
const CANDIDATES: [Candidate; 9] = [
    ("cgroups/cpu", |_| true),
    ("cgroups/mem", |_| true),
    ("cgroups/pids", |_| true),
    ("cgroups/cpuset", |_| true),
    ("cgroups/blkio", |_| true),
    ("cgroups/devices", |_| true),
    ("cgroups/hugetlb", |_| true),
    ("cgroups/net_cls", |settings| settings.cgroups.cgroups_net_cls_primary_handle.is_some()),
    ("cgroups/perf_event", |settings| !settings.cgroups.perf_events.is_empty()),
];

/// The list with `cgroups/all` replaced by what it stands for here. Asks for the hierarchies only if it is in the list.
///
/// # Errors
/// It stands for nothing here; with the reasons.
pub fn resolve<'a>(
    names: &[String],
    settings: &Settings,
    hierarchies: impl FnOnce() -> Result<&'a Hierarchies>,
) -> Result<Vec<String>> {
    if !names.iter().any(|name| name == ALL) {
        return Ok(names.to_vec());
    }
    let (mut all, mut missing) = (Vec::new(), Vec::new());
    let hierarchies = hierarchies()?;
    for (name, _) in CANDIDATES.iter().filter(|(_, is_wanted)| is_wanted(settings)) {
        let isolator = make_one(name, settings)?;
        match isolator.controllers().iter().try_for_each(|c| hierarchies.of(c).map(drop)) {
            Ok(()) => all.push((*name).to_owned()),
            Err(e) => missing.push(format!("{name}: {e}")),
        }
    }
    if all.is_empty() {
        return Err(Error::Refused(format!(
            "isolator {ALL}: none of its isolators can be had: {}",
            missing.join("; ")
        )));
    }
    let replace = |name: &String| if name == ALL { all.clone() } else { vec![name.clone()] };
    Ok(names.iter().flat_map(replace).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::{self, Config};

    fn settings() -> Settings {
        let (config, _) =
            Config::resolve(&config::Settings::default(), std::iter::empty(), &config::Untrusted::default()).unwrap();
        Settings::of(&config)
    }

    fn resolved(names: &[&str], flags: &[&str], v1: &[&str]) -> Result<String> {
        let dir = tempfile::tempdir().unwrap();
        let line = |(n, options): (usize, &&str)| format!("{n} 99 0:{n} / /c/{n} rw - cgroup x rw,{options}\n");
        let file = dir.path().join("mountinfo");
        std::fs::write(&file, v1.iter().enumerate().map(line).collect::<String>()).unwrap();
        let hierarchies = Hierarchies::read(&file).unwrap();
        let mut settings = settings();
        for flag in flags {
            match *flag {
                "net_cls" => settings.cgroups.cgroups_net_cls_primary_handle = Some("0x1".into()),
                _ => settings.cgroups.perf_events = vec!["task-clock".into()],
            }
        }
        let names: Vec<String> = names.iter().map(|n| (*n).into()).collect();
        resolve(&names, &settings, || Ok(&hierarchies)).map(|list| list.join(" "))
    }

    #[test]
    fn what_is_here_in_a_fixed_order() {
        let v1 = ["net_cls", "perf_event", "pids", "memory", "cpu,cpuacct"];
        let all = |flags: &[&str]| resolved(&["posix/mem", "cgroups/all"], flags, &v1).unwrap();
        assert_eq!(all(&[]), "posix/mem cgroups/cpu cgroups/mem cgroups/pids");
        assert!(all(&["net_cls"]).ends_with("cgroups/pids cgroups/net_cls"));
        assert!(all(&["net_cls", "perf"]).ends_with("cgroups/net_cls cgroups/perf_event"));
        let half = resolved(&["cgroups/all"], &[], &["cpu", "pids"]).unwrap();
        assert_eq!(half, "cgroups/pids", "cgroups/cpu needs cpuacct, too");
    }

    #[test]
    fn nothing_at_all_is_refused_and_nobody_looks_unasked() {
        let error = resolved(&["cgroups/all"], &[], &["freezer"]).unwrap_err().to_string();
        assert!(error.contains("cgroups/mem") && error.contains("controller memory"), "{error}");

        let unasked = || -> Result<&Hierarchies> { unreachable!() };
        assert_eq!(resolve(&["cgroups/cpu".into()], &settings(), unasked).unwrap(), ["cgroups/cpu"]);
    }
}
