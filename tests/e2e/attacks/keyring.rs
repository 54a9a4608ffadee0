//! The keys of who started the agent.

use super::prevented;
use crate::agent::need_root;
use crate::inside::compiled;

/// Whoever is in the session has its keys, whatever user it has become.
#[test]
fn the_keys_of_the_agents_session_are_not_read() {
    need_root!();
    prevented("keyring", |builder| {
        let program = compiled("keyring", include_str!("keyring.c"), &["-static"]);
        let agent = builder.through(&format!("{} agent", program.display())).build();
        let reader = agent.copy("keyring", &program);
        let container = agent.task(&reader.display().to_string()).user("nobody").launch();
        container.complete().assert_status(0);
        let said = container.file("stdout");
        assert!(said.contains("found: "), "{said}");
        said.contains("for root only")
    });
}
