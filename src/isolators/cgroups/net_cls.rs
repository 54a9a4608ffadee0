//! `cgroups/net_cls`: class ids of network traffic.
//!
//! Which class ids are taken is read off the cgroups themselves, those next to the container's: an id is free again when its
//! cgroup is gone, and there is nothing to be remembered, lost or recovered.
#![forbid(unsafe_code)]

mod handles;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::fcntl::OFlag;

use crate::cgroup::{self, Cgroup};
use crate::error::{Error, Result};
use crate::isolator::{Container, Facts, Isolator, Preparation};
use crate::isolators::Settings;
use crate::step::step;
use handles::Handles;

/// The control file with the class id, as a decimal number; 0 for none.
const CLASSID: &str = "net_cls.classid";
/// What an open or read answers when the cgroup is removed meanwhile.
const GONE: [i32; 2] = [libc::ENOENT, libc::ENODEV];

/// See the module.
#[derive(Debug)]
pub struct NetCls {
    /// None: containers get a cgroup and no class id. The error is for `probe`.
    handles: std::result::Result<Option<Handles>, String>,
}

impl NetCls {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> NetCls {
        NetCls { handles: Handles::of(&settings.cgroups) }
    }

    fn handles(&self) -> Result<Option<Handles>> {
        self.handles.clone().map_err(Error::Refused)
    }
}

impl Isolator for NetCls {
    fn name(&self) -> &str {
        "cgroups/net_cls"
    }

    fn controllers(&self) -> &'static [&'static str] {
        &["net_cls"]
    }

    fn probe(&self) -> Result<()> {
        self.handles().map(drop)
    }

    fn prepare(&self, container: &Container<'_>, _facts: &Facts) -> Result<Preparation> {
        if let Some(handles) = self.handles()? {
            assign(handles, &container.cgroups.open("net_cls")?)?;
        }
        Ok(Preparation::default())
    }
}

/// Gives the cgroup a class id that no other one next to it has.
fn assign(handles: Handles, cgroup: &Cgroup) -> Result<()> {
    let root = Cgroup::open(cgroup.path().parent().unwrap_or(Path::new("/")))?;
    // From reading to writing, only one launch at a time.
    let lock = root.file(CLASSID, OFlag::O_RDONLY)?;
    let path = root.path().join(CLASSID);
    if lock.metadata().is_ok_and(|m| m.permissions().mode() & 0o077 != 0) {
        // Whoever can open it can hold the lock and keep all launches waiting. Where this cannot be changed, the lock still
        // does its work.
        let _ = step("close class ids", || lock.set_permissions(fs::Permissions::from_mode(0o600)));
    }
    cgroup::lock(&lock, &path)?;
    let Some(id) = handles.lowest_free(used(root.path())?) else {
        return Err(Error::Refused(format!(
            "no class id is free: all of {} are in use in {}; widen --cgroups_net_cls_secondary_handles or end containers",
            handles.describe(),
            root.path().display()
        )));
    };
    cgroup.write(CLASSID, &id.to_string())
}

/// The class ids of all cgroups right below this one. What is removed meanwhile is not in use.
fn used(root: &Path) -> Result<Vec<u32>> {
    let mut used = Vec::new();
    for entry in fs::read_dir(root).map_err(Error::path("list", root))? {
        let entry = entry.map_err(Error::path("list", root))?;
        if !entry.file_type().is_ok_and(|t| t.is_dir()) {
            continue;
        }
        let path = entry.path().join(CLASSID);
        match fs::read_to_string(&path) {
            Ok(text) => {
                let id = text.trim().parse().map_err(|_| {
                    let why = format!("\"{}\" is no class id", text.trim().escape_default());
                    Error::path("make sense of", &path)(std::io::Error::new(ErrorKind::InvalidData, why))
                })?;
                used.push(id);
            }
            Err(e) if e.raw_os_error().is_some_and(|errno| GONE.contains(&errno)) => {}
            Err(e) => return Err(Error::path("read", &path)(e)),
        }
    }
    Ok(used)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::{Config, Settings as Flags, Untrusted};

    fn handles(range: &str) -> Handles {
        let (config, _) = Config::resolve(&Flags::default(), std::iter::empty(), &Untrusted::default()).unwrap();
        let mut flags = config.cgroups;
        flags.cgroups_net_cls_primary_handle = Some("0x0012".into());
        flags.cgroups_net_cls_secondary_handles = Some(range.into());
        Handles::of(&flags).unwrap().unwrap()
    }

    /// A root cgroup with these below it, by name and class id.
    fn tree(cgroups: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(CLASSID), "0\n").unwrap();
        fs::write(dir.path().join("tasks"), "").unwrap();
        for (name, id) in cgroups {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join(CLASSID), id).unwrap();
        }
        dir
    }

    fn id_of(dir: &tempfile::TempDir, name: &str) -> String {
        fs::read_to_string(dir.path().join(name).join(CLASSID)).unwrap()
    }

    #[test]
    fn the_lowest_free_class_id_is_written() {
        let dir = tree(&[("slave", "0\n"), ("a", "1179649\n"), ("b", "1179651\n"), ("c", "0\n"), ("d", "0\n")]);
        // Half made, or half removed.
        fs::create_dir(dir.path().join("without")).unwrap();
        for (name, expected) in [("c", "1179650"), ("d", "1179652")] {
            assign(handles("1,9"), &Cgroup::open(dir.path().join(name)).unwrap()).unwrap();
            assert_eq!(id_of(&dir, name), expected);
        }
        let mode = fs::metadata(dir.path().join(CLASSID)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else can lock it");
    }

    #[test]
    fn at_the_same_moment_no_two_get_the_same() {
        const THREADS: usize = 8;
        const EACH: usize = 12;
        let names: Vec<String> = (0..THREADS * EACH).map(|number| format!("c{number}")).collect();
        let dir = tree(&names.iter().map(|name| (name.as_str(), "0\n")).collect::<Vec<_>>());
        let barrier = std::sync::Barrier::new(THREADS);
        std::thread::scope(|scope| {
            for names in names.chunks(EACH) {
                let (dir, barrier) = (&dir, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    for name in names {
                        assign(handles("1,0xffff"), &Cgroup::open(dir.path().join(name)).unwrap()).unwrap();
                    }
                });
            }
        });
        let mut ids: Vec<u32> = names.iter().map(|name| id_of(&dir, name).parse().unwrap()).collect();
        ids.sort_unstable();
        assert_eq!(ids, (0x12_0001..=0x12_0060).collect::<Vec<u32>>());
    }

    #[test]
    fn an_exhausted_range_and_nonsense_are_refused() {
        let dir = tree(&[("a", "1179649\n"), ("b", "1179650\n"), ("c", "0\n")]);
        let cgroup = Cgroup::open(dir.path().join("c")).unwrap();
        let error = assign(handles("1,2"), &cgroup).unwrap_err().to_string();
        assert!(error.contains("0x0001 to 0x0002 of primary handle 0x0012"), "{error}");
        assert_eq!(id_of(&dir, "c"), "0\n");
        fs::write(dir.path().join("a").join(CLASSID), "x\n").unwrap();
        assert!(assign(handles("1,3"), &cgroup).unwrap_err().to_string().contains("\"x\" is no class id"));
    }
}
