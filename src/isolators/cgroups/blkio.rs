//! `cgroups/blkio`: throttling and weight of block devices.
//!
//! The agents' messages have no fields for its statistics, so there is nothing to measure.
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod throttle;

use crate::cgroup::Cgroup;
use crate::config;
use crate::error::{Error, Result};
use crate::isolator::{Container, Facts, Isolator, Preparation};
use crate::isolators::Settings;
use throttle::Throttle;

/// Each scheduler has a file of its own, and which one is in charge differs by device; all take a plain number.
const WEIGHTS_V1: [&str; 2] = ["blkio.weight", "blkio.bfq.weight"];
const WEIGHTS_V2: [&str; 2] = ["io.weight", "io.bfq.weight"];

/// Valid in all of the files (blkio.weight takes no less, the others take more).
const WEIGHTS: std::ops::RangeInclusive<u64> = 10..=1000;

/// What the flags say.
#[derive(Debug, Clone, Default)]
struct Limits {
    weight: Option<u64>,
    throttles: Vec<Throttle>,
}

/// See the module.
#[derive(Debug)]
pub struct Blkio {
    /// The error is for `probe`.
    limits: std::result::Result<Limits, String>,
}

impl Blkio {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> Blkio {
        Blkio { limits: Limits::of(&settings.cgroups) }
    }
}

impl Isolator for Blkio {
    fn name(&self) -> &str {
        "cgroups/blkio"
    }

    fn controllers(&self) -> &'static [&'static str] {
        &["blkio"]
    }

    fn probe(&self) -> Result<()> {
        self.limits.as_ref().map(drop).map_err(|why| Error::Refused(why.clone()))
    }

    fn prepare(&self, container: &Container<'_>, _facts: &Facts) -> Result<Preparation> {
        let limits = self.limits.as_ref().map_err(|why| Error::Refused(why.clone()))?;
        if limits.weight.is_some() || !limits.throttles.is_empty() {
            limits.apply(&container.cgroups.open("blkio")?, container.cgroups.is_unified("blkio"))?;
        }
        Ok(Preparation::default())
    }
}

impl Limits {
    fn of(flags: &config::Cgroups) -> std::result::Result<Limits, String> {
        let weight = flags.cgroups_blkio_weight;
        if let Some(weight) = weight.filter(|weight| !WEIGHTS.contains(weight)) {
            return Err(format!("--cgroups_blkio_weight={weight}: it is a number from 10 to 1000"));
        }
        let throttles = match &flags.cgroups_blkio_throttle {
            Some(text) => throttle::parse(text)
                .map_err(|why| format!("--cgroups_blkio_throttle=\"{}\": {why}", text.escape_default()))?,
            None => Vec::new(),
        };
        Ok(Limits { weight, throttles })
    }

    fn apply(&self, cgroup: &Cgroup, unified: bool) -> Result<()> {
        if let Some(weight) = self.weight {
            let files = if unified { WEIGHTS_V2 } else { WEIGHTS_V1 };
            let mut written = false;
            for file in files.into_iter().filter(|file| cgroup.has(file)) {
                cgroup.write(file, &weight.to_string())?;
                written = true;
            }
            if !written {
                return Err(Error::Refused(format!(
                    "--cgroups_blkio_weight is not available here because this kernel has neither {} nor {} in {}",
                    files[0],
                    files[1],
                    cgroup.path().display()
                )));
            }
        }
        for throttle in &self.throttles {
            if unified {
                cgroup.write("io.max", &throttle.as_io_max())?;
                continue;
            }
            for (key, value) in &throttle.limits {
                cgroup.write(key.v1_file(), &format!("{} {value}", throttle.device))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::{Config, Settings as Flags, Untrusted};
    use std::fs;

    fn limits(weight: Option<u64>, throttle: Option<&str>) -> std::result::Result<Limits, String> {
        let (config, _) = Config::resolve(&Flags::default(), std::iter::empty(), &Untrusted::default()).unwrap();
        Limits::of(&config::Cgroups {
            cgroups_blkio_weight: weight,
            cgroups_blkio_throttle: throttle.map(str::to_owned),
            ..config.cgroups
        })
    }

    /// What is in the control files of a fake cgroup that has these, after the limits were applied.
    fn applied(limits: &Limits, files: &[&str], unified: bool) -> Result<Vec<String>> {
        let dir = tempfile::tempdir().unwrap();
        files.iter().for_each(|file| fs::write(dir.path().join(file), "").unwrap());
        limits.apply(&Cgroup::open(dir.path()).unwrap(), unified)?;
        Ok(files.iter().map(|file| fs::read_to_string(dir.path().join(file)).unwrap()).collect())
    }

    #[test]
    fn limits_go_to_the_files_of_either_version() {
        let limits = limits(Some(20), Some("8:0 rbps=1MB wiops=7")).unwrap();
        let v1 = ["blkio.bfq.weight", "blkio.throttle.read_bps_device", "blkio.throttle.write_iops_device"];
        assert_eq!(applied(&limits, &v1, false).unwrap(), ["20", "8:0 1048576", "8:0 7"]);
        let v2 = ["io.weight", "io.bfq.weight", "io.max"];
        assert_eq!(applied(&limits, &v2, true).unwrap(), ["20", "20", "8:0 rbps=1048576 wiops=7"]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for weight in [9, 1001] {
            assert!(limits(Some(weight), None).unwrap_err().contains(&format!("weight={weight}: ")));
        }
        assert!(limits(None, Some("8:0")).unwrap_err().contains("--cgroups_blkio_throttle=\"8:0\": there is no limit"));
        let error = applied(&limits(Some(10), None).unwrap(), &["io.max"], true).unwrap_err().to_string();
        assert!(error.contains("io.weight") && error.contains("not available here"), "{error}");
    }
}
