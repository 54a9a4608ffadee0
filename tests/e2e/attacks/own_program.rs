//! A container that overwrites the program itself, which root will run the next time, through /proc/PID/exe: it is not
//! reached by its path from a root directory of one's own, but by that link it is.

use std::fs;

use super::prevented;
use crate::agent::{Builder, eventually, need_root};

/// Holds the parent's program open for reading, and writes to it as soon as the kernel lets it: when nobody executes it any more.
const ATTACK: &str = "exec 9< /proc/$PPID/exe || exit 1; touch holds;
    i=0; while [ $i -lt 200 ]; do
        if (echo overwritten > /proc/self/fd/9) 2> /dev/null; then touch done; exit 0; fi
        i=$((i + 1)); sleep 0.01
    done; touch done; sleep 1000";

fn overwrites(builder: Builder) -> bool {
    // A copy that nothing else runs.
    let agent = builder.own_fetcher(true).build();
    let program = agent.path("bin/mesos-ecp");
    let before = fs::metadata(&program).unwrap().len();
    let container = agent.task(ATTACK).launch();
    eventually("the attack has been tried", || container.path("done").exists());
    assert!(container.path("holds").exists());
    fs::metadata(&program).unwrap().len() != before
}

/// The supervisor runs for as long as anything of its container does, and while a program runs the kernel lets nobody write to
/// it. Without that safeguard the supervisor does not stay.
#[test]
fn the_program_is_not_overwritten_from_inside() {
    need_root!();
    prevented("stay", overwrites);
}
