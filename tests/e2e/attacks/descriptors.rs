//! What is open in the agent and would be open in the container.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::prevented;
use crate::agent::{eventually, need_root};

const SECRET: &str = "for root only";

#[test]
fn a_file_that_the_agent_has_open_is_not_read() {
    need_root!();
    prevented("descriptors", |builder| {
        let scratch = tempfile::Builder::new().prefix("ecp-e2e-").tempdir_in("/tmp").unwrap();
        let secret = scratch.path().join("secret");
        fs::write(&secret, SECRET).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        // Not closed by the exec of the program.
        let agent = builder.through(&format!("9< {}", secret.display())).build();
        let script = format!("cat <&9; cat {}; touch done", secret.display());
        let (container, call) = agent.task(&script).user("nobody").spawn();
        eventually("the attack has been tried", || container.path("done").exists());
        // It may not end: without the safeguard its own pipes are held, too.
        call.kill();
        container.file("stdout").contains(SECRET)
    });
}
