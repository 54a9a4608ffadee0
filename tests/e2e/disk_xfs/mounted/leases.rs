//! Files that another process has a lease on: nobody opens one until that is given back.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::agent::skip;
use crate::disk_xfs::{host, project};
use crate::refusals::assert_says;

/// A process that has one, until it is dropped.
struct Lease(Child);

impl Lease {
    /// `told`: what it does when it is told to give it back, in Python. None: there is no Python.
    fn take(path: &Path, told: &str) -> Option<Lease> {
        File::create(path).unwrap();
        let text = format!(
            "import fcntl, os, signal, sys, time\n\
             file = os.open(sys.argv[1], os.O_RDWR)\n\
             signal.signal(signal.SIGIO, lambda *_: {told})\n\
             fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)\n\
             print('taken', flush=True)\n\
             while True: time.sleep(1)"
        );
        let mut command = Command::new("python3");
        command.args(["-c", &text]).arg(path).stdout(Stdio::piped());
        let mut lease = Lease(command.spawn().ok()?);
        let mut said = String::new();
        BufReader::new(lease.0.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "taken\n");
        Some(lease)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_lease_that_is_given_back_is_waited_for_and_one_that_is_not_is_said() {
    let host = host!();
    let task = || host.task("true");
    let (good, bad) = (task(), task());
    let leased = [good.sandbox(), bad.sandbox()].map(|sandbox| sandbox.join("leased"));
    let Some(given) = Lease::take(&leased[0], "fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)") else {
        skip!("needs python3");
    };
    let container = good.launch();
    assert_eq!(project(&leased[0]), 5000);
    container.complete().assert_status(0);
    let kept = Lease::take(&leased[1], "None").unwrap();
    let (_, output) = bad.try_launch();
    // Where they are tells whose they are: no test may leave such processes behind.
    drop((given, kept));
    assert_says(&output.refused(), &["/leased", "another process has a lease on it", "/proc/locks"]);
    host.assert_nothing_left();
}
