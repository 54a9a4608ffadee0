//! A containerizer of somebody's own, with both isolators of examples/: each writes down its calls before it does them, as the
//! programs of the tests do.
//!
//! OWN_ISOLATORS adds others that do nothing, by their names; what stands behind an equals sign is what one calls itself.
#![allow(missing_docs)]
#![forbid(unsafe_code)]

#[allow(dead_code, reason = "it has a main of its own")]
#[path = "../../../examples/pinned_cpus.rs"]
mod pinned_cpus;
#[allow(dead_code, reason = "it has a main of its own")]
#[path = "../../../examples/tmpdir.rs"]
mod tmpdir;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use mesos_ecp::prelude::*;

fn main() -> ExitCode {
    let mut builder = Ecp::builder()
        .isolator("acme/tmpdir", |settings| Logged::wrap(settings, Box::new(tmpdir::Tmpdir)))
        .isolator("acme/pinned-cpus", |settings| Logged::wrap(settings, Box::new(pinned_cpus::PinnedCpus)));
    for more in std::env::var("OWN_ISOLATORS").unwrap_or_default().split_whitespace() {
        let (name, says) = more.split_once('=').unwrap_or((more, more));
        let says = says.to_owned();
        builder = builder.isolator(name, move |settings| Logged::wrap(settings, Box::new(Idle(says.clone()))));
    }
    builder.run()
}

struct Idle(String);

impl Isolator for Idle {
    fn name(&self) -> &str {
        &self.0
    }
}

struct Logged {
    isolator: Box<dyn Isolator>,
    calls: PathBuf,
}

impl Logged {
    fn wrap(settings: &Settings, isolator: Box<dyn Isolator>) -> Box<dyn Isolator> {
        Box::new(Logged { isolator, calls: settings.isolator_dir.with_file_name("calls") })
    }

    fn log(&self, call: &str) -> Result<()> {
        let file = std::fs::OpenOptions::new().append(true).open(&self.calls);
        let line = format!("{} {call}\n", self.name());
        file.and_then(|mut file| file.write_all(line.as_bytes())).map_err(Error::path("write to", &self.calls))
    }
}

impl Isolator for Logged {
    fn name(&self) -> &str {
        self.isolator.name()
    }

    fn plan(&self, container: &Container<'_>) -> Result<Facts> {
        self.log("plan")?;
        self.isolator.plan(container)
    }

    fn prepare(&self, container: &Container<'_>, facts: &Facts) -> Result<Preparation> {
        self.log("prepare")?;
        self.isolator.prepare(container, facts)
    }

    fn isolate(&self, container: &Container<'_>, facts: &Facts) -> Result<()> {
        self.log("isolate")?;
        self.isolator.isolate(container, facts)
    }

    fn update(&self, container: &Container<'_>, facts: &Facts) -> Result<Option<Facts>> {
        self.log("update")?;
        self.isolator.update(container, facts)
    }

    fn usage(&self, container: &Container<'_>, facts: &Facts, statistics: &mut ResourceStatistics) -> Result<()> {
        self.log("usage")?;
        self.isolator.usage(container, facts, statistics)
    }

    fn recover(&self, container: &Container<'_>, facts: &Facts) -> Result<Option<Facts>> {
        self.log("recover")?;
        self.isolator.recover(container, facts)
    }

    fn cleanup(&self, container: &Container<'_>, facts: &Facts) -> Result<()> {
        self.log("cleanup")?;
        self.isolator.cleanup(container, facts)
    }
}
