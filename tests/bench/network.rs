//! network/port_mapping: what it adds to `launch` and `usage`, and how much goes through it.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use nix::sched::{CloneFlags, setns, unshare};

use crate::Options;
use crate::bed::{Bed, Container, PATH, Task};
use crate::guard::Places;
use crate::report::Table;
use crate::rounds::{Candidate, interleave};

const WITH: &str = "--isolation=posix/cpu,posix/mem,network/port_mapping";
/// So that there can be 60 and more.
const FEW: &str = "--ephemeral_ports_per_container=128";
/// How many there are when there are many.
const MANY: usize = 60;
/// What it may add to a launch with one container and with many, in milliseconds.
const BOUNDS: [f64; 2] = [12.0, 20.0];

/// How often throughput is measured, and how long each time in seconds.
const TIMES: usize = 5;
const SECONDS: u32 = 3;
/// Of what plain links and routing carry.
const AT_LEAST: f64 = 0.85;
/// 20 Mbit/s.
const LIMIT: &str = "--egress_rate_limit_per_container=2500000B";

/// Network namespaces of a host and its neighbour, and one that the host routes to. This thread is in the host's as long
/// as it is there.
struct Net {
    before: File,
    peer: File,
    routed: File,
}

impl Net {
    fn new() -> Result<Net> {
        let (before, peer, routed) = (own()?, other()?, other()?);
        unshare(CloneFlags::CLONE_NEWNET)?;
        let net = Net { before, peer, routed };
        ip("link set lo up")?;
        net.connect(&net.peer, "eth0", ["10.77.0.2/24", "10.77.0.1/24"])?;
        net.connect(&net.routed, "plain", ["10.78.0.1/24", "10.78.0.2/24"])?;
        ip("route add default via 10.77.0.1")?;
        run(&mut net.within(&net.peer, "ip", "route add 10.78.0.0/24 via 10.77.0.2"))?;
        run(&mut net.within(&net.routed, "ip", "route add default via 10.78.0.1"))?;
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
        std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "57345 61000")?;
        Ok(net)
    }

    /// Another namespace by a pair of links, which is eth0 there.
    fn connect(&self, to: &File, link: &str, [own, theirs]: [&str; 2]) -> Result<()> {
        ip(&format!("link add {link} type veth peer name eth0 netns {}", path(to)))?;
        ip(&format!("addr add {own} dev {link}"))?;
        ip(&format!("link set {link} up"))?;
        for words in ["link set lo up", &format!("addr add {theirs} dev eth0"), "link set eth0 up"] {
            run(&mut self.within(to, "ip", words))?;
        }
        Ok(())
    }

    /// A program in another namespace.
    fn within(&self, namespace: &File, program: &str, words: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", path(namespace))).arg(program).args(words.split_whitespace());
        command.env_clear().env("PATH", PATH);
        command
    }

    /// Bits per second from one to a port of another, and as the receiver counts them.
    fn rate(&self, from: &File, to: &File, address: &str, port: u16) -> Result<f64> {
        let mut server = self.within(to, "iperf3", &format!("--server --one-off --port {port}"));
        let mut server = server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let words = format!("--client {address} --port {port} --time {SECONDS} --json");
        let end = Instant::now() + Duration::from_secs(5);
        let rate = loop {
            let output = self.within(from, "iperf3", &words).output().map(|output| output.stdout).unwrap_or_default();
            // With --json its exit code says nothing.
            let said: serde_json::Value = serde_json::from_slice(&output).unwrap_or_default();
            match said["end"]["sum_received"]["bits_per_second"].as_f64() {
                Some(rate) => break Ok(rate),
                None if Instant::now() > end => break Err(anyhow!("iperf3 to {address}:{port}: {}", said["error"])),
                // The server does not listen yet.
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let _ = server.kill();
        server.wait()?;
        rate
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        // Of this host nobody needs what it was.
        let mut teardown = Command::new(env!("CARGO_BIN_EXE_mesos-ecp"));
        if let Err(error) = run(teardown.args(["network", "teardown"])) {
            eprintln!("bench: {error:#}");
        }
        if let Err(error) = setns(self.before.as_fd(), CloneFlags::CLONE_NEWNET) {
            eprintln!("bench: cannot go back to the network: {error}");
        }
    }
}

pub fn measure(options: &Options, places: &Places, table: &mut Table) -> Result<()> {
    eprintln!("bench: network");
    if !nix::unistd::geteuid().is_root() {
        table.missing("launch with network/port_mapping - launch", "needs root");
        return Ok(());
    }
    let net = match Net::new() {
        Ok(net) => net,
        Err(error) => {
            table.missing("launch with network/port_mapping - launch", &format!("{error:#}"));
            return Ok(());
        }
    };
    let plain = Bed::new(places, "network-off")?;
    let mapped = Bed::with(places, "network-on", Some(WITH))?.with_flag(FEW).with_ports();
    let mut others: Vec<Container<'_>> = Vec::new();
    for (count, bound) in [1, MANY].into_iter().zip(BOUNDS) {
        others.extend(mapped.fill(count - 1 - others.len())?);
        let run = |bed: &Bed| {
            let (container, time) = bed.launch(&Task::ENDS)?;
            container.complete(0)?;
            Ok(time)
        };
        let candidates = vec![Candidate::new("off", || run(&plain)), Candidate::new("on", || run(&mapped))];
        let times = interleave(candidates, options.rounds.div_ceil(4))?;
        let [off, on] = times.as_slice() else { bail!("two were measured") };
        let what = format!("launch with network/port_mapping, {count} containers");
        table.plain(&what, on.median(), "ms");
        table.bounded(format!("{what} - launch"), on.median() - off.median(), bound, "ms");
    }
    for other in others {
        other.run("destroy")?;
    }
    let (without, with) = (plain.launch(&Task::STAYS)?.0, mapped.launch(&Task::STAYS)?.0);
    let usage = |container: &Container<'_>| Ok(container.run("usage")?.time);
    let candidates = vec![Candidate::new("off", || usage(&without)), Candidate::new("on", || usage(&with))];
    let times = interleave(candidates, options.rounds)?;
    if let [off, on] = times.as_slice() {
        table.plain("usage with network/port_mapping / usage", on.median() / off.median(), "");
    }
    without.run("destroy")?;
    with.run("destroy")?;
    throughput(&net, &mapped, table)?;
    let limited = Bed::with(places, "network-limited", Some(WITH))?.with_flag(LIMIT).with_ports();
    limit(&net, &limited, table)
}

fn throughput(net: &Net, mapped: &Bed, table: &mut Table) -> Result<()> {
    let ratio = "plain links with routing / peer to container";
    if !has_iperf() {
        table.missing(ratio, "no iperf3");
        return Ok(());
    }
    let container = mapped.launch(&Task::STAYS)?.0;
    let inside = namespace(&container)?;
    let (mut routed, mut through) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        routed.push(net.rate(&net.peer, &net.routed, "10.78.0.2", 5201)?);
        through.push(net.rate(&net.peer, &inside, "10.77.0.2", container.port())?);
    }
    let (routed, through) = (median(routed), median(through));
    table.plain("plain links with routing", routed / 1e9, "Gbit/s");
    table.plain("network/port_mapping, peer to container", through / 1e9, "Gbit/s");
    table.bounded(ratio, routed / through, 1.0 / AT_LEAST, "");
    container.run("destroy").map(drop)
}

fn limit(net: &Net, limited: &Bed, table: &mut Table) -> Result<()> {
    let name = "of 20 Mbit/s, received";
    if !has_iperf() {
        table.missing(name, "no iperf3");
        return Ok(());
    }
    let container = limited.launch(&Task::STAYS)?.0;
    let rates: Result<Vec<f64>> =
        (0..TIMES).map(|_| net.rate(&namespace(&container)?, &net.peer, "10.77.0.1", 5201)).collect();
    let rate = median(rates?) / 1e6;
    table.bounded(name, rate, 20.0, "Mbit/s");
    table.bounded("18 Mbit/s / received", 18.0 / rate, 1.0, "");
    container.run("destroy").map(drop)
}

fn has_iperf() -> bool {
    Command::new("iperf3").arg("--version").env("PATH", PATH).output().is_ok_and(|output| output.status.success())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A container's, by its link of that name.
fn namespace(container: &Container<'_>) -> Result<File> {
    let path = format!("/run/mesos/netns/{}", container.id());
    File::open(&path).with_context(|| path)
}

fn own() -> Result<File> {
    Ok(File::open("/proc/thread-self/ns/net")?)
}

/// A new one.
fn other() -> Result<File> {
    let made = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET)?;
        own()
    });
    made.join().unwrap_or_else(|_| bail!("a thread has panicked"))
}

fn path(namespace: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), namespace.as_raw_fd())
}

fn ip(words: &str) -> Result<()> {
    run(Command::new("ip").args(words.split_whitespace()).env("PATH", PATH))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
