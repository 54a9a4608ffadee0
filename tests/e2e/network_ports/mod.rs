//! network/ports: who listens on a port that is not its own is found out.

mod rules;
mod sockets;
mod takeover;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::agent::messages::{Termination, scalar, update};
use crate::agent::wire::Message;
use crate::agent::{Agent, Builder, Container, patient};

/// An agent whose containers are looked at five times a second.
fn agent() -> Builder {
    Agent::builder().flag("--isolation=posix/cpu,network/ports").flag("--container_ports_watch_interval=200ms")
}

/// One that ends those that listen where they may not.
fn enforcing() -> Builder {
    agent().flag("--enforce_container_ports")
}

/// The usual resources, and these ports.
fn resources(ports: &[(u64, u64)]) -> Vec<Message> {
    let range = |(begin, end): &(u64, u64)| Message::new().varint(1, *begin).varint(2, *end);
    let ranges = ports.iter().fold(Message::new(), |all, range_of| all.message(1, &range(range_of)));
    let ports = Message::new().bytes(1, "ports").varint(2, 1).message(4, &ranges).bytes(6, "*");
    vec![scalar("cpus", 0.6), scalar("mem", 96.0), ports]
}

/// An address of loopback that no other test has: so all can listen on the same ports.
fn address() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed) + 16 * (std::process::id() % (1 << 20));
    let [_, a, b, c] = number.to_be_bytes();
    format!("127.{}.{b}.{c}", a | 0x80)
}

/// A program in the background that listens on these ports, says so in the sandbox, and stays; written for perl.
fn listen(address: &str, ports: &[u16]) -> String {
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    let ports = ports.join(", ");
    format!(
        "perl -MSocket -e 'for ({ports}) {{ socket(my $s, PF_INET, SOCK_STREAM, 0) or die; \
         bind($s, sockaddr_in($_, inet_aton(\"{address}\"))) or die; listen($s, 5) or die; push @all, $s; \
         open(F, \">listening.$_\"); close(F) }} sleep 1000' &"
    )
}

/// Where a container's state is.
fn state(agent: &Agent, container: &Container<'_>) -> Option<PathBuf> {
    let below = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let boots = below(agent.runtime_dir.clone()).flat_map(below);
    boots.map(|boot| boot.join("live").join(&container.id)).find(|state| state.is_dir())
}

/// What was logged of a container.
fn log(agent: &Agent, container: &Container<'_>) -> String {
    state(agent, container).and_then(|state| fs::read_to_string(state.join("log")).ok()).unwrap_or_default()
}

/// Long enough for several looks.
fn looks() {
    std::thread::sleep(patient(std::time::Duration::from_millis(1200)));
}

#[track_caller]
fn assert_unallocated(container: &Container<'_>, end: &Termination, ports: &str) {
    end.assert_limit(19);
    assert_eq!(end.message, format!("Container {} is listening on unallocated port(s): {ports}", container.id));
}

/// An update to these resources.
#[track_caller]
fn change(container: &Container<'_>, resources: &[Message]) {
    container.invoke("update").record(update(&container.id, resources).record()).run().ok();
}
