//! Attacks by way of persistent volumes, with the defence and without.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{make, mounted, task, try_change, volume};
use crate::agent::{Agent, Builder, eventually, need_root};
use crate::attacks::prevented;

fn agent(builder: Builder) -> Agent {
    builder.flag("--isolation=posix/cpu,filesystem/linux").build()
}

/// Unmounts what an attack has mounted on the host.
struct Unmounted<'a>(&'a Path);

impl Drop for Unmounted<'_> {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(self.0, nix::mount::MntFlags::MNT_DETACH);
    }
}

#[test]
fn a_link_in_the_sandbox_covers_no_directory_of_roots() {
    need_root!();
    prevented("symlinks", |builder| {
        let agent = agent(builder);
        fs::write(make(&agent, "data").join("name"), "evil").unwrap();
        let victim = agent.path("victim");
        fs::create_dir(&victim).unwrap();
        let script = format!(
            "ln -s {0} db; touch ready; await changed; grep -q evil {0}/name && touch caught; touch looked; sleep 1000",
            victim.display()
        );
        let container = task(&agent, &script, &[]).user("nobody").launch();
        eventually("the link is there", || container.path("ready").exists());
        try_change(&container, &[volume("data", "db")]);
        fs::write(container.path("changed"), "").unwrap();
        eventually("the task has looked", || container.path("looked").exists());
        let caught = container.path("caught").exists();
        container.destroy();
        caught
    });
}

#[test]
fn who_goes_to_the_host_gets_no_mount_there() {
    need_root!();
    prevented("host-mounts", |builder| {
        let agent = agent(builder);
        make(&agent, "data");
        let ready = agent.path("ready");
        let host = std::process::id();
        let script = format!("exec nsenter --mount=/proc/{host}/ns/mnt sh -c 'touch {}; sleep 1000'", ready.display());
        let container = task(&agent, &script, &[]).launch();
        eventually("the task has gone", || ready.exists());
        let at = container.path("db");
        let _unmounted = Unmounted(&at);
        try_change(&container, &[volume("data", "db")]);
        let caught = !mounted(&agent).is_empty();
        container.destroy();
        caught
    });
}

#[test]
fn a_former_user_makes_root_give_away_nothing_else() {
    need_root!();
    prevented("hard-links", |builder| {
        let agent = agent(builder);
        let data = make(&agent, "data");
        let victim = agent.path("victim");
        fs::write(&victim, "").unwrap();
        // On hosts that let users link what is not theirs (fs.protected_hardlinks=0) the former user does it.
        fs::hard_link(&victim, data.join("link")).unwrap();
        std::os::unix::fs::chown(&data, Some(65533), None).unwrap();
        let container = task(&agent, "true", &[volume("data", "db")]).user("nobody").launch();
        container.complete().assert_status(0);
        fs::metadata(&victim).unwrap().uid() != 0
    });
}
