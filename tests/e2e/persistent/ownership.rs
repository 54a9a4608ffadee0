//! Volumes belong to who uses them.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};

use super::{agent, change, make, task, volume};
use crate::agent::{NOBODY, eventually, need_root};

/// The owner: of the sandbox, too, the agent changes only that.
fn owner(path: &std::path::Path) -> u32 {
    fs::symlink_metadata(path).unwrap().uid()
}

#[test]
fn a_volume_is_given_to_the_user() {
    need_root!();
    for isolator in ["filesystem/posix", "filesystem/linux"] {
        let agent = agent(isolator);
        let data = make(&agent, "data");
        let victim = agent.path("victim");
        fs::write(&victim, "").unwrap();
        fs::create_dir(data.join("deep")).unwrap();
        fs::write(data.join("deep/file"), "").unwrap();
        symlink(&victim, data.join("deep/link")).unwrap();
        fs::hard_link(&victim, data.join("deep/hard")).unwrap();
        let script = "echo x > db/new && echo y > db/deep/file && touch ready; await end";
        let container = task(&agent, script, &[volume("data", "db")]).user("nobody").launch();
        eventually("the task has written", || container.path("ready").exists());
        for path in ["", "deep", "deep/file", "deep/link", "new"] {
            assert_eq!(owner(&data.join(path)), NOBODY.0, "{isolator}: {path}");
        }
        assert_eq!(owner(&victim), 0, "{isolator}");

        let other = make(&agent, "other");
        fs::write(other.join("file"), "").unwrap();
        change(&container, &[volume("data", "db"), volume("other", "a/b")]);
        assert_eq!((owner(&other), owner(&other.join("file"))), (NOBODY.0, NOBODY.0), "{isolator}");
        assert_eq!(owner(&container.path("a")), NOBODY.0, "{isolator}");
        container.destroy();
    }
}

#[test]
fn what_is_the_users_already_is_not_gone_through() {
    need_root!();
    let agent = agent("filesystem/linux");
    let data = make(&agent, "data");
    fs::write(data.join("file"), "").unwrap();
    chown(&data, Some(NOBODY.0), Some(NOBODY.1)).unwrap();
    task(&agent, "true", &[volume("data", "db")]).user("nobody").launch().complete().assert_status(0);
    assert_eq!(owner(&data.join("file")), 0);
    // Who may only read it does not get it.
    let other = make(&agent, "other");
    task(&agent, "true", &[volume("other", "db").read_only()]).user("nobody").launch().complete().assert_status(0);
    assert_eq!(owner(&other), 0);
}
