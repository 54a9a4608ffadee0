//! Attacks, each done twice: against a program whose safeguard is taken away, where it must succeed, for an attack that never
//! does shows nothing; and against the real one. Needs the feature `weakened`; see src/weaken.rs.

mod descriptors;
mod ids;
mod interfaces;
mod keyring;
mod own_program;
mod state;
mod streams;
mod trace;

use crate::agent::{Agent, Builder};

/// The same where the safeguard is an isolator, which nobody needs to take away.
#[track_caller]
fn prevented_by(isolation: &str, attack: impl Fn(Builder) -> bool) {
    assert!(attack(Agent::builder()), "without {isolation} the attack must succeed, or it shows nothing");
    let isolated = Agent::builder().flag(&format!("--isolation={isolation}"));
    assert!(!attack(isolated), "the attack has succeeded in spite of {isolation}");
}

/// Fails the test unless the attack succeeds (true) without the safeguard and does not with it. It is given an agent to begin
/// with.
#[track_caller]
pub fn prevented(safeguard: &str, attack: impl Fn(Builder) -> bool) {
    let weakened = Agent::builder().env("ECP_WEAKEN", safeguard);
    assert!(attack(weakened), "without the safeguard `{safeguard}` the attack must succeed, or it shows nothing");
    assert!(!attack(Agent::builder()), "the attack has succeeded in spite of the safeguard `{safeguard}`");
}
