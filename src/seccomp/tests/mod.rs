//! Filters are run by an interpreter here and compared with what the rules say, evaluated one by one; with what libseccomp
//! makes of the same rules, where it is installed; and by the kernel (tests/e2e/seccomp).
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod default;
mod evaluate;
mod interpreter;
mod laws;
mod libseccomp;
mod reading;
mod rules;
mod tables;

use super::{Abi, Action, Compiled, Host, Profile, compile};
use interpreter::Data;

/// A host with nothing special.
const HOST: Host = Host { native: Abi::X86_64, kernel: (6, 1), capabilities: 0 };

fn compiled(text: &str, host: &Host) -> Compiled {
    compile(&Profile::parse(text).unwrap(), host).unwrap()
}

/// What the filter answers to a call by its name.
fn call(compiled: &Compiled, abi: Abi, name: &str, arguments: &[u64]) -> u32 {
    let number = super::table::find(name).unwrap().number(abi).unwrap();
    interpreter::run(&compiled.program, &Data::new(abi.audit(), number, arguments))
}

/// A profile of these rules, with EPERM for all else.
fn profile(rules: &str) -> String {
    format!(r#"{{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{rules}]}}"#)
}

const EPERM: u32 = libc::SECCOMP_RET_ERRNO | 1;
const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | 38;
const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;

fn errno(errno: u16) -> u32 {
    Action::Errno(errno).value()
}

/// Says that a test cannot be done here, for `scripts/test` too.
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
    if let Some(path) = std::env::var_os("ECP_SKIP_FILE") {
        let thread = std::thread::current();
        let line = format!("{}: {why}\n", thread.name().unwrap_or("a test"));
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        std::io::Write::write_all(&mut file, line.as_bytes()).unwrap();
    }
}
