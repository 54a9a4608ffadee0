//! A program that watches a container, in the supervisor's poll loop: whatever it writes is taken as it comes, and nothing waits
//! for it.
#![forbid(unsafe_code)]

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::poll::PollFlags;

use super::call::{one_line, reply};
use super::description::Description;
use super::form::Form;
use super::run::{Invocation, LONGEST_ANSWER, LONGEST_WORDS, read_some, start};
use super::words::tell;
use crate::error::{Error, Result};
use crate::isolator::{Container, Limitation, Watch, Watched};
use crate::sys::Pidfd;

/// mesos.TaskStatus.Reason REASON_CONTAINER_LIMITATION, agent 0.26 and later.
const REASON_CONTAINER_LIMITATION: i32 = 19;

/// What has come so far.
#[derive(Debug)]
pub(super) struct Watching {
    stdout: RawFd,
    form: Form,
    answer: Vec<u8>,
    /// Of stderr, what is not a whole line yet.
    words: Vec<u8>,
    /// How much of it there was.
    said: usize,
    /// The program has said that it watches: it is told of when it does not any more.
    asked_for: bool,
    program: Pidfd,
}

/// More than that a program that watches cannot say to its standard error, in bytes: all of it goes into the sandbox, and keeps the
/// supervisor busy.
const MOST_WORDS: usize = 1 << 20;

impl Watching {
    /// Starts it.
    ///
    /// # Errors
    /// As [`start`].
    pub(super) fn start(
        what: &Invocation<'_>,
        input: &[u8],
        description: &Description,
    ) -> Result<(Watching, Vec<Watch>)> {
        let started = start(what, input)?;
        let watching = Watching {
            stdout: started.stdout.as_raw_fd(),
            form: description.form,
            answer: Vec::new(),
            words: Vec::new(),
            said: 0,
            program: started.pidfd,
            asked_for: description.names("watch"),
        };
        let watches = [started.stdout, started.stderr].map(|fd| Watch { fd, events: PollFlags::POLLIN });
        Ok((watching, watches.into()))
    }

    /// One of the two descriptors is ready. Reads what a pipe gives at once and no more.
    ///
    /// # Errors
    /// An answer that is none, or has no end; it is not watched any more.
    pub(super) fn ready(&mut self, name: &str, container: &Container<'_>, fd: BorrowedFd<'_>) -> Result<Watched> {
        self.take(name, container, fd).inspect_err(|_| self.end())
    }

    /// What it has started is ended with the container.
    fn end(&self) {
        // ESRCH: it has ended by itself.
        let _ = self.program.kill(libc::SIGKILL);
    }

    fn take(&mut self, name: &str, container: &Container<'_>, fd: BorrowedFd<'_>) -> Result<Watched> {
        // Not blocking: it was opened so, and this is the same open file.
        let mut file = File::from(fd.as_fd().try_clone_to_owned().map_err(Error::system("duplicate a pipe"))?);
        if fd.as_raw_fd() != self.stdout {
            return self.stderr(name, container, &mut file);
        }
        match read_some(&mut file, &mut self.answer, LONGEST_ANSWER)? {
            None => Ok(Watched::Continue),
            Some(0) if self.answer.is_empty() => {
                if self.asked_for
                    && let Some(state) = container.state
                {
                    state.log(&format!("isolator {name}: watch has ended: it does not watch the container any more"));
                }
                Ok(Watched::Done)
            }
            Some(read) if read == 0 || self.form.is_whole(&self.answer) => self.limited(),
            Some(_) if self.answer.len() >= LONGEST_ANSWER => {
                Err(Error::Refused(format!("more than {} MiB and no end", LONGEST_ANSWER >> 20)))
            }
            Some(_) => Ok(Watched::Continue),
        }
    }

    fn limited(&mut self) -> Result<Watched> {
        let reply = reply("watch", &std::mem::take(&mut self.answer))?;
        Ok(match reply.error {
            Some(error) => Watched::Limited(Limitation {
                message: one_line(&error),
                reason: reply.reason.unwrap_or(REASON_CONTAINER_LIMITATION),
            }),
            None => Watched::Done,
        })
    }

    fn stderr(&mut self, name: &str, container: &Container<'_>, file: &mut File) -> Result<Watched> {
        let read = read_some(file, &mut self.words, LONGEST_WORDS)?;
        self.said += read.unwrap_or(0);
        if self.said > MOST_WORDS {
            return Err(Error::Refused(format!(
                "more than {} MiB on standard error: it was killed, and does not watch the container any more",
                MOST_WORDS >> 20
            )));
        }
        let whole = match read {
            None => return Ok(Watched::Continue),
            // No line is longer than that.
            Some(read) if read == 0 || self.words.len() >= LONGEST_WORDS => self.words.len(),
            Some(_) => self.words.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1),
        };
        tell(Some(container), name, "watch", &self.words[..whole]);
        self.words.drain(..whole);
        Ok(if read == Some(0) { Watched::Done } else { Watched::Continue })
    }
}
