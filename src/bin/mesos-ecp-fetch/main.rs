//! The program that fetches what `mesos-ecp` itself does not know how to.
#![forbid(unsafe_code)]

mod extract;

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;

use anyhow::{Context, bail};
use extract::{Kind, Limits, extract};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [archive, sandbox] = arguments.as_slice() else {
        bail!("usage: mesos-ecp-fetch ARCHIVE DIRECTORY");
    };
    let name = String::from_utf8_lossy(archive.as_bytes());
    let name = name.rsplit('/').next().unwrap_or_default();
    let kind = Kind::of(name).with_context(|| format!("{name:?} has no suffix of an archive"))?;
    let file = File::open(archive).with_context(|| format!("cannot open {}", archive.display()))?;
    let sandbox = File::open(sandbox).with_context(|| format!("cannot open {}", sandbox.display()))?;
    let limits = Limits { bytes: 16 << 30, entries: 1_000_000 };
    Ok(extract(&file, kind, name, &sandbox, None, &limits)?)
}
