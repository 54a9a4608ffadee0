//! The agent's ends of a call's three pipes, served by one thread.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How soon the thread notices that it is to stop, in milliseconds.
const TICK: u8 = 20;

/// The running thread and what it shares with the test.
pub struct Relay {
    shared: Arc<Shared>,
    thread: JoinHandle<Instant>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    refused: bool,
    held: Vec<&'static str>,
}

/// What came through the pipes, when all of them are free.
pub struct End {
    pub stdout: Vec<u8>,
    pub stderr: String,
    /// No write of the record met a pipe that nobody reads: the agent counts that as a failed call.
    pub record_taken: bool,
    pub released: Instant,
}

/// The pipes; absent are those that are done with.
struct Pipes {
    stdin: Option<File>,
    stdout: Option<File>,
    stderr: Option<File>,
    record: Vec<u8>,
    written: usize,
    end_of_input: bool,
    log: Option<File>,
}

impl Relay {
    /// Takes the pipes of a child. The input stays open until nobody can read from it any more, or until the relay is
    /// told to stop.
    pub fn start(child: &mut Child, record: Vec<u8>, end_of_input: bool, log: Option<File>) -> Relay {
        let file = |fd: OwnedFd| {
            fcntl(&fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("a pipe can be made non-blocking");
            File::from(fd)
        };
        let pipes = Pipes {
            stdin: child.stdin.take().map(|pipe| file(pipe.into())),
            stdout: child.stdout.take().map(|pipe| file(pipe.into())),
            stderr: child.stderr.take().map(|pipe| file(pipe.into())),
            record,
            written: 0,
            end_of_input,
            log,
        };
        let shared = Arc::new(Shared::default());
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || pipes.serve(&shared))
        };
        Relay { shared, thread }
    }

    /// What has been written to stdout and stderr until now.
    pub fn so_far(&self) -> (Vec<u8>, String) {
        let progress = self.shared.progress.lock().unwrap();
        (progress.stdout.clone(), String::from_utf8_lossy(&progress.stderr).into_owned())
    }

    /// Waits until nobody holds the other ends, or gives the names of the pipes that are still held.
    pub fn finish(self, limit: Duration) -> Result<End, String> {
        let end = Instant::now() + limit;
        while !self.thread.is_finished() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
        let in_time = self.thread.is_finished();
        self.shared.stop.store(true, Ordering::Relaxed);
        let released = self.thread.join().expect("the relay does not fail");
        let progress = std::mem::take(&mut *self.shared.progress.lock().unwrap());
        if !in_time && !progress.held.is_empty() {
            return Err(progress.held.join(", "));
        }
        Ok(End {
            stdout: progress.stdout,
            stderr: String::from_utf8_lossy(&progress.stderr).into_owned(),
            record_taken: !progress.refused,
            released,
        })
    }

    /// Closes the agent's ends, whoever holds the others.
    pub fn abandon(self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
    }
}

impl Pipes {
    fn serve(mut self, shared: &Shared) -> Instant {
        let mut output_ended = Instant::now();
        loop {
            let held = self.held();
            shared.progress.lock().unwrap().held.clone_from(&held);
            if held.is_empty() || shared.stop.load(Ordering::Relaxed) {
                return output_ended;
            }
            self.wait();
            self.write_record(shared);
            if self.stdout.is_some() || self.stderr.is_some() {
                output_ended = Instant::now();
            }
            let progress = &mut *shared.progress.lock().unwrap();
            drain(&mut self.stdout, &mut progress.stdout, None);
            drain(&mut self.stderr, &mut progress.stderr, self.log.as_mut());
        }
    }

    fn held(&self) -> Vec<&'static str> {
        let pipes = [("stdin", &self.stdin), ("stdout", &self.stdout), ("stderr", &self.stderr)];
        pipes.iter().filter(|(_, pipe)| pipe.is_some()).map(|(name, _)| *name).collect()
    }

    fn wait(&self) {
        let pending = self.written < self.record.len();
        // An error is reported even where nothing is asked for: that is how the reader's end is noticed.
        let for_input = if pending { PollFlags::POLLOUT } else { PollFlags::empty() };
        let input = self.stdin.iter().map(|pipe| PollFd::new(pipe.as_fd(), for_input));
        let output = self.stdout.iter().chain(&self.stderr);
        let output = output.map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN));
        let _ = poll(&mut input.chain(output).collect::<Vec<_>>(), PollTimeout::from(TICK));
    }

    fn write_record(&mut self, shared: &Shared) {
        let Some(stdin) = &mut self.stdin else { return };
        let rest = &self.record[self.written..];
        if !rest.is_empty() {
            match stdin.write(rest) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => {
                    shared.progress.lock().unwrap().refused = true;
                    self.stdin = None;
                }
            }
        } else if self.end_of_input || nobody_reads(stdin) {
            self.stdin = None;
        }
    }
}

fn nobody_reads(pipe: &File) -> bool {
    let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::empty())];
    let _ = poll(&mut fds, PollTimeout::ZERO);
    fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLERR))
}

/// Reads what is there, and lets go of the pipe at its end.
fn drain(pipe: &mut Option<File>, into: &mut Vec<u8>, mut log: Option<&mut File>) {
    let Some(file) = pipe else { return };
    let mut buffer = [0; 16 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return *pipe = None,
            Ok(count) => {
                into.extend(&buffer[..count]);
                if let Some(log) = &mut log {
                    let _ = log.write_all(&buffer[..count]);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("reading from a call's pipe: {error}"),
        }
    }
}
