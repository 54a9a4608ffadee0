//! An agent whose sandboxes are where a user namespace can have them.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::statfs::statfs;

use crate::agent::{Agent, Builder};

/// What containers are outside from 0 on.
pub const FIRST: u32 = 524_288;

/// An agent with the isolator, in whose work directory set-user-id means nothing.
pub struct Bed {
    // Unmounted before the agent removes its directory.
    _mount: Mount,
    agent: Agent,
}

struct Mount(PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

impl Deref for Bed {
    type Target = Agent;

    fn deref(&self) -> &Agent {
        &self.agent
    }
}

/// An agent that gives its containers user namespaces; more flags may follow.
pub fn builder() -> Builder {
    Agent::builder().flag(&format!("--userns_range={FIRST}-{}", FIRST + 65535))
}

/// Why it cannot be done here, if so.
pub fn lay(builder: Builder) -> Result<Bed, &'static str> {
    if !nix::unistd::Uid::effective().is_root() {
        return Err("needs root");
    }
    if !Command::new("unshare").args(["--user", "true"]).status().is_ok_and(|status| status.success()) {
        return Err("there are no user namespaces");
    }
    let agent = builder.build();
    let dir = agent.work_dir.clone();
    let quiet = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    let mounted = if maps_owners(&dir) {
        quiet(Command::new("mount").arg("--bind").args([&dir, &dir]))
            && quiet(Command::new("mount").args(["-o", "remount,bind,nosuid"]).arg(&dir))
    } else {
        let image = agent.path("image");
        let made = quiet(Command::new("truncate").args(["-s", "24M"]).arg(&image))
            && quiet(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image));
        let _ = quiet(Command::new("modprobe").args(["-a", "loop", "ext4"]));
        made && quiet(Command::new("mount").args(["-o", "loop,nosuid"]).args([&image, &dir]))
    };
    let mount = Mount(dir);
    if !mounted {
        return Err("neither does /tmp know idmapped mounts nor can an ext4 image be mounted");
    }
    Ok(Bed { _mount: mount, agent })
}

/// Whether the file system is one of those that all kernels can map that the program is for.
fn maps_owners(path: &Path) -> bool {
    use nix::sys::statfs::{BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC};
    [BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC].contains(&statfs(path).unwrap().filesystem_type())
}

/// The agent of a test, or the end of the test.
macro_rules! bed {
    ($builder:expr) => {
        match $crate::namespaces::user::bed::lay($builder) {
            Ok(bed) => bed,
            Err(reason) => $crate::agent::skip!(reason),
        }
    };
    () => {
        bed!($crate::namespaces::user::bed::builder().flag("--isolation=namespaces/user,process"))
    };
}
pub(super) use bed;
