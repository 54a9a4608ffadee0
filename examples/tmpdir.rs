//! An isolator of one's own in thirty lines: `acme/tmpdir` gives each container a directory for temporary files in its sandbox.
use std::{fs::File, os::fd::AsFd, path::Path, process::ExitCode};

use mesos_ecp::paths::{Beneath, Owner};
use mesos_ecp::prelude::*;

/// The isolator.
pub struct Tmpdir;

impl Isolator for Tmpdir {
    fn name(&self) -> &str {
        "acme/tmpdir"
    }

    fn prepare(&self, container: &Container<'_>, _facts: &Facts) -> Result<Preparation> {
        let (uid, gid) = container.asked()?.account.owner();
        let sandbox = File::open(container.sandbox).map_err(Error::path("open", container.sandbox))?;
        // What is in the sandbox is somebody else's: a "tmp" that is a link leads nowhere from here.
        let tmp = Beneath::new(sandbox.as_fd(), container.sandbox);
        tmp.make_directory(Path::new("tmp"), Owner { uid, gid, mode: 0o700 })?;
        let environment = vec![("TMPDIR".into(), container.sandbox_inside().join("tmp").into())];
        Ok(Preparation { environment, ..Preparation::default() })
    }
}

fn main() -> ExitCode {
    Ecp::builder().isolator("acme/tmpdir", |_| Box::new(Tmpdir)).run()
}
