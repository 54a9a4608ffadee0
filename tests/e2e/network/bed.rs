//! A host and its neighbour, made of two network namespaces, and what can be sent between them and containers.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns, unshare};

use crate::agent::messages::{scalar, update};
use crate::agent::wire::Message;
use crate::agent::{Agent, Builder, Container, Output, PATH, patient};

/// The host's address, its neighbour's, and one that nobody has.
pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
pub const PEER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
pub const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// How long what must arrive may take.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long what must not arrive is waited for.
const DOUBT: Duration = Duration::from_millis(250);

/// A network namespace. It is there as long as this value, or something in it.
pub struct Net(File);

impl Net {
    fn new() -> Option<Net> {
        let made = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).ok()?;
            Some(File::open("/proc/thread-self/ns/net").unwrap())
        });
        made.join().unwrap().map(Net)
    }

    /// That of a container.
    pub fn of(container: &Container<'_>) -> Net {
        Net(File::open(format!("/proc/{}/ns/net", container.first_pid())).unwrap())
    }

    /// Does something there, in a thread of its own.
    pub fn within<T: Send>(&self, what: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(self.0.as_fd(), CloneFlags::CLONE_NEWNET).unwrap();
                what()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs a program there. It must succeed.
    #[track_caller]
    pub fn run(&self, command: &str) -> String {
        self.try_run(command).unwrap_or_else(|said| panic!("{command}: {said}"))
    }

    pub fn try_run(&self, command: &str) -> Result<String, String> {
        let mut words = command.split_whitespace();
        let mut program = Command::new(words.next().unwrap());
        program.args(words).env("PATH", PATH);
        let output = self.within(|| program.output().unwrap());
        let text = |bytes| String::from_utf8(bytes).unwrap();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr) + &text(output.stdout)) }
    }

    /// A value below /proc/sys/net there.
    pub fn setting(&self, name: &str) -> String {
        let path = format!("/proc/sys/net/{name}");
        self.within(|| fs::read_to_string(&path).unwrap_or_default()).trim().to_owned()
    }

    pub fn set(&self, name: &str, value: &str) {
        let path = format!("/proc/sys/net/{name}");
        self.within(|| fs::write(&path, value).unwrap());
    }

    fn cookie(&self) -> u64 {
        self.within(|| {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            let (mut cookie, mut size) = (0_u64, size_of::<u64>() as libc::socklen_t);
            const SO_NETNS_COOKIE: i32 = 71;
            // SAFETY: the kernel writes eight bytes.
            let done = unsafe {
                libc::getsockopt(
                    socket.as_raw_fd(),
                    libc::SOL_SOCKET,
                    SO_NETNS_COOKIE,
                    (&raw mut cookie).cast(),
                    &raw mut size,
                )
            };
            assert_eq!(done, 0);
            cookie
        })
    }
}

/// A host with an eth0, and its neighbour, which is its router.
pub struct Bed {
    pub host: Net,
    pub peer: Net,
}

impl Bed {
    /// None without the right to make one.
    pub fn new() -> Option<Bed> {
        let bed = Bed { host: Net::new()?, peer: Net::new()? };
        let peer = format!("/proc/{}/fd/{}", std::process::id(), bed.peer.0.as_raw_fd());
        // `ip` knows namespaces by process or by a name in its directory; nsenter makes a process of that kind.
        bed.host.run("ip link add eth0 type veth peer name up0");
        let target =
            Command::new("nsenter").arg(format!("--net={peer}")).args(["sleep", "60"]).env("PATH", PATH).spawn();
        let mut target = target.unwrap();
        let there = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let wanted = bed.peer.within(|| fs::read_link("/proc/thread-self/ns/net").ok());
        crate::agent::eventually("nsenter is there", || there(target.id()) == wanted);
        bed.host.run(&format!("ip link set up0 netns {}", target.id()));
        let _ = target.kill();
        let _ = target.wait();
        bed.peer.run("ip link set up0 name eth0");
        for (net, address) in [(&bed.host, HOST), (&bed.peer, PEER)] {
            net.run("ip link set lo up");
            net.run("ip link set eth0 up");
            net.run(&format!("ip addr add {address}/24 brd + dev eth0"));
        }
        bed.host.run(&format!("ip route add default via {PEER}"));
        bed.host.set("ipv4/ip_local_port_range", "57345 61000");
        Some(bed)
    }

    /// An agent on this host.
    pub fn agent(&self) -> Builder {
        Agent::builder().flag("--isolation=network/port_mapping").through(&self.enter())
    }

    /// What makes a command one of this host's.
    pub fn enter(&self) -> String {
        format!("nsenter --net=/proc/{}/fd/{}", std::process::id(), self.host.0.as_raw_fd())
    }

    /// Where the program keeps what it has made of this host.
    pub fn registry(&self) -> PathBuf {
        format!("/run/mesos-ecp-network/{}", self.host.cookie()).into()
    }

    /// All filters on what these links of the host receive, as `tc` shows them.
    pub fn filters(&self) -> String {
        let of = |link: &str| self.host.run(&format!("tc filter show dev {link} parent ffff:"));
        format!("{}{}", of("eth0"), of("lo"))
    }

    /// The same, also where a link has no qdisc for them.
    pub fn filters_or_nothing(&self) -> String {
        let of = |link: &str| self.host.try_run(&format!("tc filter show dev {link} parent ffff:")).unwrap_or_default();
        format!("{}{}", of("eth0"), of("lo"))
    }

    /// The names of the host's links.
    pub fn links(&self) -> Vec<String> {
        let text = self.host.run("ip -o link show");
        text.lines().map(|line| line.split([':', '@']).nth(1).unwrap().trim().to_owned()).collect()
    }

    /// What of containers is on the host, in words.
    pub fn left(&self) -> Vec<String> {
        let links = self.links().into_iter().filter(|name| name != "lo" && name != "eth0");
        let mut left: Vec<String> = links.map(|name| format!("link {name}")).collect();
        let registry = fs::read(self.registry().join("registry")).unwrap_or_default();
        left.extend(ids(&registry).into_iter().map(|id| format!("{id} in the registry")));
        // Where nothing was ever set up there is no qdisc to ask.
        let of = |link: &str| self.host.try_run(&format!("tc filter show dev {link} parent ffff:")).unwrap_or_default();
        let (eth0, lo) = (of("eth0"), of("lo"));
        // The one on lo that belongs to the host.
        let is_filter = |line: &&str| line.contains("fh ") && !line.contains("ht divisor");
        let is_lead = |line: &&str| line.to_lowercase().contains("redirect") || line.to_lowercase().contains("mirror");
        left.extend(lo.lines().filter(is_filter).skip(1).map(|line| format!("filter on lo: {line}")));
        left.extend(lo.lines().filter(is_lead).map(|line| format!("filter on lo: {line}")));
        // Nor an empty table, which a priority keeps.
        left.extend(eth0.lines().filter(|line| line.contains("pref")).map(|line| format!("filter on eth0: {line}")));
        left
    }

    /// Nothing of any container is on the host.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert_eq!(self.left(), Vec::<String>::new(), "{}", self.filters_or_nothing());
        let eth0 = self.host.run("tc filter show dev eth0 parent ffff:");
        assert!(!eth0.contains("pref"), "{eth0}");
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        // Of containers that were killed with their agent.
        for id in ids(&fs::read(self.registry().join("registry")).unwrap_or_default()) {
            let by_id = by_id(&id);
            if let Ok(by_pid) = fs::read_link(&by_id) {
                let _ = fs::remove_file(by_pid);
            }
            let _ = fs::remove_file(by_id);
        }
        let _ = fs::remove_dir_all(self.registry());
    }
}

/// By which operators find a container's network.
pub fn by_id(id: &str) -> PathBuf {
    format!("/run/mesos/netns/{id}").into()
}

/// The container ids in a registry: what looks like one.
fn ids(registry: &[u8]) -> Vec<String> {
    let is_id = |text: &[u8]| {
        text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    let found = registry.windows(36).filter(|text| is_id(text));
    found.map(|text| String::from_utf8_lossy(text).into_owned()).collect()
}

/// A host of this test's own, or the end of the test.
macro_rules! bed {
    () => {{
        $crate::agent::need_root!();
        match $crate::network::bed::Bed::new() {
            Some(bed) => bed,
            None => $crate::agent::skip!("network namespaces cannot be made"),
        }
    }};
}
pub(crate) use bed;

/// A `Resource` of ports.
pub fn ports(ranges: &[(u64, u64)]) -> Message {
    let each = ranges
        .iter()
        .fold(Message::new(), |all, (first, last)| all.message(1, &Message::new().varint(1, *first).varint(2, *last)));
    Message::new().bytes(1, "ports").varint(2, 1).message(4, &each).bytes(6, "*")
}

/// The usual ones and ports.
pub fn resources(ranges: &[(u64, u64)]) -> Vec<Message> {
    let mut all = vec![scalar("cpus", 0.6), scalar("mem", 96.0)];
    if !ranges.is_empty() {
        all.push(ports(ranges));
    }
    all
}

/// Launches one that lasts, with these ports.
pub fn lasting<'a>(agent: &'a Agent, ranges: &[(u64, u64)]) -> Container<'a> {
    agent.task("exec sleep 1000").resources(resources(ranges)).launch()
}

/// Gives it other ports.
pub fn change(container: &Container<'_>, ranges: &[(u64, u64)]) -> Output {
    container.invoke("update").record(update(&container.id, &resources(ranges)).record()).run()
}

/// Its range of ephemeral ports.
pub fn ephemeral(net: &Net) -> (u16, u16) {
    let text = net.setting("ipv4/ip_local_port_range");
    let numbers: Vec<u16> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    (numbers[0], numbers[1])
}

/// Tries again for a while: what another test is just about to execute may still hold a descriptor of ours.
pub fn bound<T>(mut bind: impl FnMut() -> std::io::Result<T>) -> T {
    let end = Instant::now() + patient(PATIENCE);
    loop {
        match bind() {
            Err(e) if e.raw_os_error() == Some(libc::EADDRINUSE) && Instant::now() < end => {
                thread::sleep(Duration::from_millis(5));
            }
            result => return result.unwrap(),
        }
    }
}

fn at(address: Ipv4Addr, port: u16) -> SocketAddr {
    SocketAddrV4::new(address, port).into()
}

/// Whether a TCP connection from one to a port that the other one listens on can be made and used; who it is from, as the other one
/// sees it.
pub fn tcp(from: &Net, to: &Net, address: Ipv4Addr, port: u16, expected: bool) -> Option<SocketAddr> {
    let patience = if expected { patient(PATIENCE) } else { DOUBT };
    let listener = to.within(|| bound(|| TcpListener::bind(at(Ipv4Addr::UNSPECIFIED, port))));
    listener.set_nonblocking(true).unwrap();
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let end = Instant::now() + patience;
            while Instant::now() < end {
                if let Ok((mut stream, who)) = listener.accept() {
                    stream.set_nonblocking(false).unwrap();
                    stream.set_read_timeout(Some(patience)).unwrap();
                    let mut said = [0; 4];
                    stream.read_exact(&mut said).ok()?;
                    stream.write_all(&said).ok()?;
                    return Some(who);
                }
                thread::sleep(Duration::from_millis(2));
            }
            None
        });
        let said = from.within(|| {
            let mut stream = TcpStream::connect_timeout(&at(address, port), patience).ok()?;
            stream.set_read_timeout(Some(patience)).unwrap();
            stream.write_all(b"ping").ok()?;
            let mut said = [0; 4];
            stream.read_exact(&mut said).ok()?;
            Some(said)
        });
        let who = server.join().unwrap();
        said.filter(|said| said == b"ping").and(who)
    })
}

/// The same for a UDP packet and its answer.
pub fn udp(from: &Net, to: &Net, address: Ipv4Addr, port: u16, expected: bool) -> Option<SocketAddr> {
    udp_of(from, to, address, port, 4, expected)
}

/// The same for one of this length.
pub fn udp_of(from: &Net, to: &Net, address: Ipv4Addr, port: u16, length: usize, expected: bool) -> Option<SocketAddr> {
    let patience = if expected { patient(PATIENCE) } else { DOUBT };
    let server = to.within(|| bound(|| UdpSocket::bind(at(Ipv4Addr::UNSPECIFIED, port))));
    let client = from.within(|| UdpSocket::bind(at(Ipv4Addr::UNSPECIFIED, 0)).unwrap());
    server.set_read_timeout(Some(patience)).unwrap();
    client.set_read_timeout(Some(patience)).unwrap();
    // Where they are taken for ports they are 31000, and so no port where they are cut off.
    let payload: Vec<u8> = [0x79, 0x18].into_iter().cycle().take(length).collect();
    client.send_to(&payload, at(address, port)).ok()?;
    let mut said = vec![0; 65536];
    let (count, who) = server.recv_from(&mut said).ok()?;
    server.send_to(&said[..count], who).ok()?;
    let (count, _) = client.recv_from(&mut said).ok()?;
    (count == length).then_some(who)
}
