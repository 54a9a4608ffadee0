//! What all agents of a host have made in one network namespace, and the lock for it.
//!
//! It is a directory below [`ROOT`], which is as short-lived as what the kernel has: named after the namespace, so that a host within a
//! network namespace has its own. One file says everything and is replaced as a whole, before anything that it tells of is
//! made and after it is gone.
#![forbid(unsafe_code)]

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use prost::Message;

use super::handles::Handles;
use super::ranges::Ports;
use crate::cgroup::lock;
use crate::error::{Error, Result};
use crate::netlink::Mac;
use crate::step::step;
use crate::sys::network_cookie;

/// Not below an agent's runtime directory: there may be several.
const ROOT: &str = "/run/mesos-ecp-network";
const LOCK: &str = "lock";
const FILE: &str = "registry";
const NEXT: &str = ".registry";

/// How often it may be removed by a teardown while we wait for it.
const TRIES: u32 = 1000;

/// Fields may only be added.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Registry {
    /// None: the host is as it was.
    #[prost(message, optional, tag = "1")]
    pub(super) host: Option<Before>,
    #[prost(message, repeated, tag = "2")]
    pub(super) containers: Vec<Entry>,
}

/// How the host was before anything was changed.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Before {
    #[prost(string, required, tag = "1")]
    pub(super) eth0: String,
    #[prost(string, required, tag = "2")]
    pub(super) lo: String,
    /// There was none on eth0: it is ours to be deleted.
    #[prost(bool, required, tag = "3")]
    pub(super) eth0_ingress_made: bool,
    #[prost(bool, required, tag = "4")]
    pub(super) lo_ingress_made: bool,
    /// Of lo.
    #[prost(bytes = "vec", required, tag = "5")]
    pub(super) mac: Vec<u8>,
    /// Of lo.
    #[prost(uint32, required, tag = "6")]
    pub(super) mtu: u32,
    #[prost(message, repeated, tag = "7")]
    pub(super) settings: Vec<Setting>,
    /// eth0 sent by what the kernel gave it: what is there by now is ours to be deleted.
    #[prost(bool, tag = "8")]
    pub(super) flows_made: bool,
    /// Somebody has removed filters of containers that are there, and they have not been made again yet.
    #[prost(bool, tag = "9")]
    pub(super) attach_again: bool,
}

/// A value below /proc/sys/net.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Setting {
    #[prost(string, required, tag = "1")]
    pub(super) name: String,
    #[prost(string, required, tag = "2")]
    pub(super) value: String,
}

/// A container.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Entry {
    #[prost(string, required, tag = "1")]
    pub(super) container: String,
    /// Its state directory, which goes when the container has ended and all is undone.
    #[prost(string, required, tag = "2")]
    pub(super) state: String,
    /// Its link on the host.
    #[prost(string, required, tag = "3")]
    pub(super) link: String,
    /// In the shared filters.
    #[prost(uint32, required, tag = "4")]
    pub(super) place: u32,
    #[prost(message, required, tag = "5")]
    pub(super) ephemeral: Range,
    /// Those that it was given, and while they change those of before and after.
    #[prost(message, repeated, tag = "6")]
    pub(super) ports: Vec<Range>,
    /// The host's when it was launched, which its filters ask for.
    #[prost(fixed32, required, tag = "7")]
    pub(super) address: u32,
    /// The same of eth0.
    #[prost(bytes = "vec", required, tag = "8")]
    pub(super) mac: Vec<u8>,
    /// Its flow of what eth0 sends. None: that of the host.
    #[prost(uint32, optional, tag = "9")]
    pub(super) flow: Option<u32>,
    /// Its first process, by which operators find its network. None before there is one.
    #[prost(uint32, optional, tag = "10")]
    pub(super) pid: Option<u32>,
    /// The host's links when it was launched.
    #[prost(string, required, tag = "11")]
    pub(super) eth0: String,
    #[prost(string, required, tag = "12")]
    pub(super) lo: String,
    /// When it was written down: seconds since 1970 by the host's clock.
    #[prost(uint64, required, tag = "13")]
    pub(super) since: u64,
}

/// Of ports.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct Range {
    #[prost(uint32, required, tag = "1")]
    first: u32,
    #[prost(uint32, required, tag = "2")]
    last: u32,
}

impl Range {
    pub(super) fn new(ports: &Ports) -> Range {
        Range { first: (*ports.start()).into(), last: (*ports.end()).into() }
    }

    /// Numbers that are no ports make an empty range.
    pub(super) fn ports(&self) -> Ports {
        match (u16::try_from(self.first), u16::try_from(self.last)) {
            (Ok(first), Ok(last)) => first..=last,
            #[allow(clippy::reversed_empty_ranges)]
            _ => 1..=0,
        }
    }
}

impl Entry {
    /// Without the ephemeral ones.
    pub(super) fn ports(&self) -> Vec<Ports> {
        self.ports.iter().map(Range::ports).collect()
    }

    /// The host's address of IPv4 and of Ethernet that its filters ask for.
    pub(super) fn addresses(&self) -> (Ipv4Addr, Mac) {
        (Ipv4Addr::from_bits(self.address), Mac(self.mac.as_slice().try_into().unwrap_or_default()))
    }

    /// Where operators find its network.
    pub(super) fn handles(&self) -> Option<Handles> {
        self.pid.map(|pid| Handles::of(&self.container, pid))
    }

    /// The ephemeral ones, too.
    pub(super) fn all_ports(&self) -> Vec<Ports> {
        self.ports.iter().chain([&self.ephemeral]).map(Range::ports).collect()
    }
}

impl Registry {
    pub(super) fn of(&self, container: &str, state: &str) -> Option<&Entry> {
        self.containers.iter().find(|entry| entry.container == container && entry.state == state)
    }

    pub(super) fn of_mut(&mut self, container: &str, state: &str) -> Option<&mut Entry> {
        self.containers.iter_mut().find(|entry| entry.container == container && entry.state == state)
    }
}

/// The registry, and the right to change it and what it tells of. Others wait until it is dropped.
#[derive(Debug)]
pub(super) struct Locked {
    directory: PathBuf,
    _lock: File,
    pub(super) registry: Registry,
}

impl Locked {
    /// That of this thread's network namespace; made if there is none.
    ///
    /// # Errors
    /// It cannot be had, read or made, or stays locked.
    pub(super) fn take() -> Result<Locked> {
        Locked::take_at(Path::new(ROOT), &namespace()?)
    }

    /// The same where there is one.
    ///
    /// # Errors
    /// As [`Locked::take`].
    pub(super) fn take_existing() -> Result<Option<Locked>> {
        let name = namespace()?;
        if Path::new(ROOT).join(&name).is_dir() { Locked::take_at(Path::new(ROOT), &name).map(Some) } else { Ok(None) }
    }

    /// The same, for who can do without what is in it: nothing where it cannot be understood.
    ///
    /// # Errors
    /// It cannot be had or read, or stays locked.
    pub(super) fn take_even_damaged() -> Result<Locked> {
        let (directory, lock) = Locked::lock_at(Path::new(ROOT), &namespace()?)?;
        let registry = match read(&directory.join(FILE)) {
            Err(Error::Refused(_)) => Registry::default(),
            registry => registry?,
        };
        Ok(Locked { directory, _lock: lock, registry })
    }

    fn take_at(root: &Path, name: &str) -> Result<Locked> {
        let (directory, lock) = Locked::lock_at(root, name)?;
        let registry = read(&directory.join(FILE))?;
        Ok(Locked { directory, _lock: lock, registry })
    }

    fn lock_at(root: &Path, name: &str) -> Result<(PathBuf, File)> {
        let directory = root.join(name);
        let path = directory.join(LOCK);
        for _ in 0..TRIES {
            for directory in [root, &directory] {
                own_directory(directory)?;
            }
            let file = match OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path) {
                // Somebody has just removed it all.
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                file => file.map_err(Error::path("open", &path))?,
            };
            lock(&file, &path)?;
            let identity = |found: fs::Metadata| (found.dev(), found.ino());
            let same = fs::metadata(&path).map(identity).ok() == file.metadata().map(identity).ok();
            if same {
                return Ok((directory, file));
            }
        }
        Err(Error::Refused(format!("{} cannot be made, or somebody keeps removing it", directory.display())))
    }

    /// Writes what has been changed.
    ///
    /// # Errors
    /// Those of writing. What was written before stands.
    pub(super) fn save(&self) -> Result<()> {
        let (next, path) = (self.directory.join(NEXT), self.directory.join(FILE));
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&next)?;
            file.write_all(&self.registry.encode_to_vec())
        };
        write().map_err(Error::path("write", &next))?;
        step("network save", || fs::rename(&next, &path)).map_err(Error::path("replace", &path))
    }

    /// Removes it, when nothing is left that it tells of.
    ///
    /// # Errors
    /// Those of removing.
    pub(super) fn remove(self) -> Result<()> {
        for name in [FILE, NEXT, LOCK] {
            let path = self.directory.join(name);
            match step("network lose", || fs::remove_file(&path)) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(Error::path("remove", &path)(e)),
                _ => {}
            }
        }
        // Somebody who waited for the lock may have begun a new one.
        let _ = fs::remove_dir(&self.directory);
        Ok(())
    }
}

fn namespace() -> Result<String> {
    match network_cookie() {
        Ok(cookie) => Ok(cookie.to_string()),
        Err(e) if e.raw_os_error() == Some(libc::ENOPROTOOPT) => {
            let path = "/proc/thread-self/ns/net";
            fs::metadata(path).map(|found| format!("inode-{}", found.ino())).map_err(Error::path("look at", path))
        }
        Err(e) => Err(Error::system("ask for the network namespace's number")(e)),
    }
}

fn own_directory(path: &Path) -> Result<()> {
    match step("network directory", || DirBuilder::new().mode(0o700).create(path)) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists && e.kind() != ErrorKind::NotFound => {
            return Err(Error::path("make", path)(e));
        }
        _ => {}
    }
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_dir() || found.uid() != nix::unistd::geteuid().as_raw() => {
            Err(Error::Refused(format!("{} is not a directory of root's own: remove it", path.display())))
        }
        _ => Ok(()),
    }
}

pub(super) fn read(path: &Path) -> Result<Registry> {
    let damaged = |why: &str| {
        Error::Refused(format!(
            "{} cannot be understood ({why}): remove it, and destroy all containers with network/port_mapping; until they are gone \
             no other can be launched",
            path.display()
        ))
    };
    match fs::read(path) {
        // There is always the host in it.
        Ok(bytes) if bytes.is_empty() => Err(damaged("it is empty")),
        Ok(bytes) => Registry::decode(bytes.as_slice()).map_err(|e| damaged(&e.to_string())),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Registry::default()),
        Err(e) => Err(Error::path("read", path)(e)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn entry(number: u32) -> Entry {
        Entry {
            container: number.to_string(),
            state: "/s".into(),
            link: format!("mesos{number}"),
            place: number,
            ephemeral: Range::new(&(32768..=33791)),
            ports: vec![Range::new(&(31000..=31009))],
            address: 0x0a01_0203,
            mac: vec![2, 0, 0, 0, 0, 1],
            flow: Some(number),
            pid: None,
            eth0: "eth0".into(),
            lo: "lo".into(),
            since: 0,
        }
    }

    #[test]
    fn what_is_saved_is_read_by_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        let mut locked = Locked::take_at(&root, "1").unwrap();
        assert_eq!(locked.registry, Registry::default());
        locked.registry.containers.push(entry(1));
        drop(locked);
        assert!(Locked::take_at(&root, "1").unwrap().registry.containers.is_empty(), "not saved");
        let mut locked = Locked::take_at(&root, "1").unwrap();
        locked.registry.containers.push(entry(1));
        locked.save().unwrap();
        drop(locked);
        let locked = Locked::take_at(&root, "1").unwrap();
        assert_eq!(locked.registry.containers, [entry(1)]);
        assert_eq!(locked.registry.containers[0].all_ports(), [31000..=31009, 32768..=33791]);
        assert!(locked.registry.of("1", "/s").is_some() && locked.registry.of("1", "/other").is_none());
        locked.remove().unwrap();
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
        fs::create_dir_all(root.join("1")).unwrap();
        fs::write(root.join("1").join(FILE), "x").unwrap();
        assert!(Locked::take_at(&root, "1").unwrap_err().to_string().contains("cannot be understood"));
        fs::write(root.join("1").join(FILE), "").unwrap();
        assert!(Locked::take_at(&root, "1").unwrap_err().to_string().contains("it is empty"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(50) })]

        #[test]
        fn any_registry_is_read_as_it_was_saved(
            texts: [String; 5],
            (place, first, last, address, since) in any::<(u32, u32, u32, u32, u64)>(),
            (mac, flow, pid, made) in any::<(Vec<u8>, Option<u32>, Option<u32>, bool)>(),
        ) {
            let range = Range { first, last };
            let [container, state, link, eth0, lo] = texts;
            let setting = Setting { name: container.clone(), value: state.clone() };
            let host = Before {
                eth0: eth0.clone(),
                lo: lo.clone(),
                eth0_ingress_made: made,
                lo_ingress_made: !made,
                mac: mac.clone(),
                mtu: first,
                settings: vec![setting],
                flows_made: made,
                attach_again: !made,
            };
            let entry = Entry {
                container, state, link, place, ephemeral: range, ports: vec![range; 2], address, mac, flow, pid, eth0, lo, since,
            };
            let dir = tempfile::tempdir().unwrap();
            let mut locked = Locked::take_at(dir.path(), "1").unwrap();
            locked.registry = Registry { host: Some(host), containers: vec![entry; 3] };
            locked.save().unwrap();
            let saved = locked.registry.clone();
            drop(locked);
            prop_assert_eq!(Locked::take_at(dir.path(), "1").unwrap().registry, saved);
            prop_assert!(range.ports().is_empty() || u32::from(*range.ports().end()) == last);
        }
    }

    #[test]
    fn one_at_a_time_even_while_it_is_removed() {
        const THREADS: u32 = 6;
        const EACH: u32 = 20;
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let root = dir.path();
                scope.spawn(move || {
                    for number in 0..EACH {
                        let mut locked = Locked::take_at(root, "1").unwrap();
                        locked.registry.containers.push(entry(thread * EACH + number));
                        locked.save().unwrap();
                        if locked.registry.containers.len() >= 7 {
                            locked.remove().unwrap();
                        }
                    }
                });
            }
        });
        // 120 were added, and 7 at a time removed.
        let left = Locked::take_at(dir.path(), "1").unwrap().registry.containers.len();
        assert_eq!(left as u32, THREADS * EACH % 7);
    }
}
