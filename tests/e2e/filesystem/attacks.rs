//! Somebody swaps a directory of a sandbox for a symbolic link and back in a loop, from a container of the same user, while
//! another container is launched there. A build without the defence falls for it; the real one never.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::{RW, linux, open_directory, volume, volumes};
use crate::agent::wire::Message;
use crate::agent::{Agent, need_root};

/// What the attacker is after.
#[derive(Clone, Copy, Debug)]
enum Aim {
    /// A mount point made in a directory of root's, by a relative container_path.
    Make,
    /// A directory of root's covered with the attacker's own, for programs of root in the container.
    Cover,
    /// A way into a directory that is closed to the user, by a relative host_path.
    Read,
}

struct Attack {
    agent: Agent,
    aim: Aim,
}

impl Attack {
    fn new(aim: Aim) -> Attack {
        let agent = linux().build();
        open_directory(&agent, "mine", "evil");
        open_directory(&agent, "shown", "harmless");
        fs::create_dir_all(agent.path("victim/inner")).unwrap();
        fs::write(agent.path("victim/inner/content"), "secret\n").unwrap();
        let mode = if matches!(aim, Aim::Read) { 0o700 } else { 0o755 };
        fs::set_permissions(agent.path("victim"), fs::Permissions::from_mode(mode)).unwrap();
        Attack { agent, aim }
    }

    fn path(&self, name: &str) -> String {
        self.agent.path(name).to_str().unwrap().to_owned()
    }

    fn volume(&self) -> Message {
        match self.aim {
            Aim::Make => volume(&self.path("mine"), "data/made", RW),
            Aim::Cover => volume(&self.path("mine"), "data", RW),
            Aim::Read => volume("data/inner", &self.path("shown"), RW),
        }
    }

    /// Says yes in the container if it succeeded.
    fn look(&self) -> String {
        match self.aim {
            Aim::Make => "true".to_owned(),
            Aim::Cover => format!("grep evil {}/content", self.path("victim")),
            Aim::Read => format!("grep secret {}/content", self.path("shown")),
        }
    }

    /// Launches until it succeeds, this often at most; says whether it did.
    fn try_for(&self, launches: usize, weaken: &str) -> bool {
        for _ in 0..launches {
            let task = self.agent.task(&self.look()).user("nobody").agent_env("ECP_WEAKEN", weaken);
            let sandbox = task.sandbox();
            fs::create_dir_all(sandbox.join("data/inner")).unwrap();
            symlink(self.path("victim"), sandbox.join("link")).unwrap();
            let swap = "chdir shift; while (1) { rename 'data', 'kept'; rename 'link', 'data'; \
                        rename 'data', 'link'; rename 'kept', 'data' }";
            // The sandbox is the user's by the time it starts.
            let words = ["perl", "-e", swap, sandbox.to_str().unwrap()];
            let chown = std::process::Command::new("chown").args(["-hR", "nobody"]).arg(&sandbox).status().unwrap();
            assert!(chown.success());
            let attacker = self.agent.program("perl", &words).user("nobody").launch();
            let (container, output) = task.edit(volumes(&[self.volume()])).try_launch();
            let hit = match self.aim {
                Aim::Make => fs::read_dir(self.agent.path("victim")).unwrap().count() > 1,
                _ if output.status.success() => {
                    container.remember();
                    container.complete().status == Some(0)
                }
                _ => false,
            };
            attacker.destroy();
            if hit {
                return true;
            }
        }
        false
    }
}

#[test]
fn swapped_links_lead_nowhere() {
    need_root!();
    for aim in [Aim::Make, Aim::Cover, Aim::Read] {
        let attack = Attack::new(aim);
        assert!(!attack.try_for(12, ""), "{aim:?} succeeded");
        let victim: Vec<_> =
            fs::read_dir(attack.agent.path("victim")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(victim, ["inner"]);
    }
}

/// Else the test above would not show anything.
#[cfg(feature = "weakened")]
#[test]
fn swapped_links_lead_there_without_the_defence() {
    need_root!();
    for aim in [Aim::Make, Aim::Cover, Aim::Read] {
        assert!(Attack::new(aim).try_for(200, "symlinks"), "{aim:?} never succeeded");
    }
}

/// Whether a volume at `../planted` made that directory beside the sandbox.
fn leaves_the_sandbox(weaken: &str) -> bool {
    let agent = linux().build();
    let mine = open_directory(&agent, "mine", "evil");
    let task = agent.task("true").user("nobody").agent_env("ECP_WEAKEN", weaken);
    let planted = task.sandbox().parent().unwrap().join("planted");
    let (container, output) = task.edit(volumes(&[volume(&mine, "../planted", RW)])).try_launch();
    if output.status.success() {
        container.remember();
        container.complete();
    }
    planted.exists()
}

/// Whether a volume went over /proc, so that a program of root's in the container would believe what is in it.
fn covers_proc(weaken: &str) -> bool {
    let agent = linux().build();
    let mine = open_directory(&agent, "mine", "evil");
    let task = agent.task("grep evil /proc/content").user("nobody").agent_env("ECP_WEAKEN", weaken);
    let (container, output) = task.edit(volumes(&[volume(&mine, "/proc", RW)])).try_launch();
    if !output.status.success() {
        return false;
    }
    container.remember();
    container.complete().status == Some(0)
}

#[test]
fn no_volume_leaves_the_sandbox_or_covers_proc() {
    need_root!();
    assert!(!leaves_the_sandbox(""));
    assert!(!covers_proc(""));
}

/// Else the test above would not show anything.
#[cfg(feature = "weakened")]
#[test]
fn volumes_leave_the_sandbox_and_cover_proc_without_the_checks() {
    need_root!();
    assert!(leaves_the_sandbox("volume-paths"));
    assert!(covers_proc("volume-paths"));
}
