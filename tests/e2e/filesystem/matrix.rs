//! Every combination of what a volume can be, with filesystem/linux, without and with a root directory of the container's own:
//! the tables in docs/isolators/filesystem-linux.md.

use std::fs;
use std::path::PathBuf;

use super::root::system;
use super::{RO, RW, linux, volume, volumes};
use crate::agent::{Agent, eventually, need_root};
use crate::refusals::assert_says;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Directory,
    File,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Missing {
    Nothing,
    Source,
    Target,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    absolute_host: bool,
    absolute_container: bool,
    mode: u64,
    kind: Kind,
    missing: Missing,
    /// With a root directory of the container's own.
    root: bool,
}

/// What must come of it: an error with these words, or the volume with its content, or empty.
enum Outcome {
    Refused(&'static [&'static str]),
    Mounted,
    MountedEmpty,
}

impl Case {
    fn all(root: bool) -> Vec<Case> {
        let mut all = Vec::new();
        for absolute_host in [true, false] {
            for absolute_container in [true, false] {
                for mode in [RW, RO] {
                    for kind in [Kind::Directory, Kind::File] {
                        for missing in [Missing::Nothing, Missing::Source, Missing::Target] {
                            all.push(Case { absolute_host, absolute_container, mode, kind, missing, root });
                        }
                    }
                }
            }
        }
        all
    }

    fn outcome(&self) -> Outcome {
        match (self.absolute_host, self.absolute_container, self.missing) {
            (false, false, _) => Outcome::Refused(&["both are relative"]),
            (true, _, Missing::Source) => {
                Outcome::Refused(&["the host_path ", "/source does not exist on this host", "make it on all hosts"])
            }
            (_, true, Missing::Target) if !self.root => Outcome::Refused(&[
                "the container_path ",
                "/target does not exist on this host",
                "or use a relative one, which is made in the sandbox",
            ]),
            (false, true, Missing::Source) => Outcome::MountedEmpty,
            _ => Outcome::Mounted,
        }
    }

    fn make(&self, path: &PathBuf, content: &str) {
        match self.kind {
            Kind::Directory => {
                fs::create_dir(path).unwrap();
                fs::write(path.join("content"), content).unwrap();
            }
            Kind::File => fs::write(path, content).unwrap(),
        }
    }

    /// What is in the file that this case is about.
    fn read(&self, path: &PathBuf) -> String {
        let file = if self.kind == Kind::File { path.clone() } else { path.join("content") };
        fs::read_to_string(file).unwrap_or_default()
    }

    fn check(&self) {
        let system = self.root.then(system);
        let agent = match &system {
            Some(system) => linux().flag(&format!("--default_rootfs={}", system.path().display())).build(),
            None => linux().build(),
        };
        let place = agent.path("place");
        fs::create_dir(&place).unwrap();
        // Where the container's absolute path is on the host, and what the container calls it.
        let (container_place, inside) = match &system {
            Some(system) => (system.path().join("place"), PathBuf::from("/place")),
            None => (place.clone(), place.clone()),
        };
        fs::create_dir_all(&container_place).unwrap();
        let file = if self.kind == Kind::File { "" } else { "/content" };
        let (mut task, script);
        {
            let target =
                if self.absolute_container { inside.join("target").display().to_string() } else { "target".into() };
            script = format!("cat {target}{file} && {{ echo written > {target}{file}; }} 2>/dev/null; echo $?");
            task = agent.task(&script);
            let sandbox = task.sandbox();
            let at =
                |absolute: bool, place: &PathBuf, name| if absolute { place.join(name) } else { sandbox.join(name) };
            if self.missing != Missing::Source {
                self.make(&at(self.absolute_host, &place, "source"), "of the source\n");
            }
            if self.missing != Missing::Target {
                self.make(&at(self.absolute_container, &container_place, "target"), "of the target\n");
            }
            let host = if self.absolute_host { place.join("source").display().to_string() } else { "source".into() };
            task = task.edit(volumes(&[volume(&host, &target, self.mode)]));
        }
        let outcome = self.outcome();
        if let Outcome::Refused(says) = outcome {
            let reason = task.refused();
            assert_says(&reason, says);
            assert_says(&reason, &["filesystem/linux", "container_path \"", "target\""]);
            return;
        }
        let container = task.launch();
        container.complete().assert_status(0);
        let source = if self.absolute_host { place.join("source") } else { container.path("source") };
        let target = if self.absolute_container { container_place.join("target") } else { container.path("target") };
        let said = container.file("stdout");
        // An empty directory has no file to be read, and one cannot be made in one that is read-only.
        let empty = matches!(outcome, Outcome::MountedEmpty);
        let expected = match (empty, self.mode, self.kind) {
            (true, _, Kind::Directory) => "1\n",
            (true, RO, Kind::File) => "2\n",
            (true, _, Kind::File) => "0\n",
            (false, RO, _) => "of the source\n2\n",
            (false, ..) => "of the source\n0\n",
        };
        assert_eq!(said, expected, "{}", container.file("stderr"));
        let written = match (empty, self.mode, self.kind) {
            (true, _, Kind::Directory) | (true, RO, _) => "",
            (false, RO, _) => "of the source\n",
            _ => "written\n",
        };
        assert_eq!(self.read(&source), written);
        // What it went over is as it was, or was made.
        assert_eq!(self.read(&target), if self.missing == Missing::Target { "" } else { "of the target\n" });
        if self.root && self.absolute_container && self.missing == Missing::Target {
            assert!(!target.exists(), "the root directory stays as it is");
        } else {
            assert_eq!(target.is_dir(), self.kind == Kind::Directory);
        }
        assert!(super::mounts_of_the_host(&agent).is_empty());
    }
}

#[test]
fn every_volume_has_its_outcome() {
    need_root!();
    for case in Case::all(false) {
        println!("{case:?}");
        case.check();
    }
}

#[test]
fn every_volume_has_its_outcome_in_a_root_directory() {
    need_root!();
    for case in Case::all(true) {
        println!("{case:?}");
        case.check();
    }
}

#[test]
fn what_is_made_in_the_sandbox_belongs_to_the_user() {
    need_root!();
    let agent = linux().build();
    let (source, over) = (super::open_directory(&agent, "source", "x"), agent.path("over"));
    fs::create_dir(&over).unwrap();
    fs::set_permissions(&over, std::os::unix::fs::PermissionsExt::from_mode(0o1777)).unwrap();
    let list = [volume(&source, "deep/data", RW), volume("private/over", over.to_str().unwrap(), RW)];
    let script = format!("stat -c '%U %a' deep private private/over {}; touch {}/mine", over.display(), over.display());
    let container = agent.task(&script).user("nobody").edit(volumes(&list)).launch();
    // The agent's next call gives the sandbox, and this in it, to the user.
    eventually("all four lines", || container.file("stdout").lines().count() == 4);
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout"), "nobody 755\nnobody 755\nroot 1777\nroot 1777\n");
    assert!(container.path("private/over/mine").exists() && !over.join("mine").exists());
    assert!(Agent::containers(&agent).is_empty());
}
