//! What the agent calls. One record in (but for containers and recover), one record out (wait, usage, containers), results
//! only with exit 0.
#![forbid(unsafe_code)]

mod container_info;
mod containers;
mod context;
mod destroy;
mod format;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod launch;
mod place;
mod recover;
mod refuse;
mod update;
mod usage;
mod wait;

pub(crate) use context::Context;
pub(crate) use destroy::destroy_container;
pub(crate) use launch::order;
pub(crate) use wait::end_of;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, poll};

use self::format::{Input, Output};
use self::place::Host;
use crate::cli::Verb;
use crate::config::{self, Format, Settings};
use crate::error::{Error, Result};
use crate::protocol::read_record;
use crate::step::step_of;
use crate::sys;
use crate::view;

/// How long the agent's record, and more of it, is waited for when the call is already known to fail: it comes at once, and
/// somebody at a terminal will not write one. In milliseconds.
const RECORD_PATIENCE: u16 = 500;

/// Reads and forgets the record of a call whose arguments are wrong, if one of them is the name of a verb that has one.
pub fn take_record(arguments: &[OsString], input: &mut (impl Read + AsFd)) {
    let named = arguments.iter().take_while(|a| *a != "--").find_map(|a| Verb::named(a.to_str()?));
    if let Some(verb) = named {
        take_record_of(verb, input);
    }
}

fn take_record_of(verb: Verb, input: &mut (impl Read + AsFd)) {
    if verb.about().reads.is_some() {
        let _ = read_record(&mut Impatient(input));
    }
}

/// An input that has ended when nothing comes: what stands there may be JSON, with no record's length to go by.
struct Impatient<'a, R>(&'a mut R);

impl<R: Read + AsFd> Read for Impatient<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], RECORD_PATIENCE)? {
            0 => Ok(0),
            _ => self.0.read(buffer),
        }
    }
}

/// `mesos-ecp config`: writes the settings that a verb would go by, called in the same way.
///
/// # Errors
/// A setting or a configuration file that every verb would refuse; and, with the settings written, isolators that launch would.
pub fn settings_in_force(settings: &Settings, output: &mut impl Write) -> Result<()> {
    // TOML is printed whatever it says, but a verb would refuse a wrong one.
    Format::of(settings)?;
    // As the verbs do: to see the same file. Who may not leave it sees what its verbs see.
    let _ = view::leave(false);
    let (config, text) = config::in_force(settings, std::env::vars_os(), config::file::read)?;
    output.write_all(text.as_bytes()).map_err(Error::system("write the settings"))?;
    Host::default().isolators(&config).map(drop)
}

/// `mesos-ecp network teardown`: makes the host's network what it was.
///
/// # Errors
/// There are containers in it; what could not be undone.
pub fn network_teardown() -> Result<()> {
    // As the verbs do: to see what they have written down.
    let _ = view::leave(false);
    crate::isolators::network::port_mapping::teardown()
}

/// Carries out `verb`, in the mount namespace of pid 1 if this process may go there (its working directory is then `/`).
/// `input` is read for one record and not a byte further, `output` gets one record or nothing; with `--format=json` it is one
/// JSON object each.
///
/// # Errors
/// What the caller reports on stderr before it exits with 1.
pub fn run(
    verb: Verb,
    settings: &Settings,
    input: &mut (impl Read + AsFd),
    output: &mut (impl Write + AsFd),
) -> Result<()> {
    let format = match Format::of(settings) {
        Ok(format) => format,
        Err(error) => {
            take_record_of(verb, input);
            return Err(error.into());
        }
    };
    let input = &mut Input::new(format, verb, input)?;
    let output = &mut Output::new(format, verb, output);
    // Before this process can become a container's owner.
    sys::ready_signals();
    // All of them, so that all see the same files, and whatever they start sees the host as it is.
    let view = view::leave(matches!(verb, Verb::Launch | Verb::Wait | Verb::Destroy | Verb::Recover));
    step_of("verb", verb.name(), || match verb {
        Verb::Launch => launch::run(settings, input, view.err()),
        Verb::Update => update::run(settings, input),
        Verb::Usage => usage::run(settings, input, output),
        Verb::Wait => wait::run(settings, input, output),
        Verb::Destroy => destroy::run(settings, input),
        Verb::Containers => containers::run(settings, output),
        Verb::Recover => recover::run(settings),
    })
}
