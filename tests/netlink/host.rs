//! A network namespace as a host, and what can be done there.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::Command;

use mesos_ecp::netlink::{Link, Socket, link, veth};
use nix::sched::{CloneFlags, setns, unshare};

/// A network namespace, with `lo` up. It is there as long as this value.
pub struct Host {
    namespace: File,
}

impl Host {
    /// None, and a note for `scripts/test`, without the right to make one.
    pub fn new() -> Option<Host> {
        let made = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).ok()?;
            Some(File::open("/proc/thread-self/ns/net").unwrap())
        });
        let Some(namespace) = made.join().unwrap() else {
            skip("network namespaces cannot be made");
            return None;
        };
        let host = Host { namespace };
        host.ip("link set lo up");
        Some(host)
    }

    pub fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }

    pub fn socket(&self) -> Socket {
        Socket::route_in(self.namespace()).unwrap()
    }

    /// Does something in this namespace, in a thread of its own.
    pub fn within<T: Send>(&self, what: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(self.namespace(), CloneFlags::CLONE_NEWNET).unwrap();
                what()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs a program there, and returns what it says. It must succeed.
    pub fn run(&self, command: &str) -> String {
        self.try_run(command).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    pub fn try_run(&self, command: &str) -> Result<String, String> {
        let mut words = command.split_whitespace();
        let mut command = Command::new(words.next().unwrap());
        command.args(words).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let output = self.within(|| command.output().unwrap());
        let text = |bytes| String::from_utf8(bytes).unwrap();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    pub fn ip(&self, arguments: &str) -> String {
        self.run(&format!("ip {arguments}"))
    }

    pub fn tc(&self, arguments: &str) -> String {
        self.run(&format!("tc {arguments}"))
    }

    /// What `ip -j` or `tc -j` says.
    pub fn json(&self, command: &str) -> serde_json::Value {
        let (program, rest) = command.split_once(' ').unwrap();
        serde_json::from_str(&self.run(&format!("{program} -j {rest}"))).unwrap()
    }

    pub fn link(&self, name: &str) -> Link {
        Link::named(&mut self.socket(), name).unwrap().unwrap_or_else(|| panic!("no link {name}"))
    }

    /// A pair of links, both here and up.
    pub fn pair(&self, name: &str, peer: &str) -> (Link, Link) {
        let mut socket = self.socket();
        socket.perform(&veth::create(&end(name), &end(peer), None)).unwrap();
        for link in [name, peer] {
            socket.perform(&link::change(self.link(link).device(), &UP)).unwrap();
        }
        (self.link(name), self.link(peer))
    }
}

pub const UP: link::Change<'_> =
    link::Change { up: Some(true), mtu: None, most_at_once: None, mac: None, name: None, namespace: None };

pub fn end(name: &str) -> veth::End<'_> {
    veth::End { name, mac: None, mtu: None }
}

/// Says that a test cannot be done here, or not all of it.
pub fn skip(why: &str) {
    eprintln!("skipped: {why}");
    if let Some(path) = std::env::var_os("ECP_SKIP_FILE") {
        let thread = std::thread::current();
        let line = format!("{}: {why}\n", thread.name().unwrap_or("a test"));
        File::options().append(true).create(true).open(path).unwrap().write_all(line.as_bytes()).unwrap();
    }
}
