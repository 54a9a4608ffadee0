//! What must be so in every container, whatever its isolators.

use super::Report;

/// Fails the test if anything of the agent, of the program or of the host's session is left in the process.
#[track_caller]
pub fn assert_clean(report: &Report) {
    assert_clean_but_for_ambient(report);
    let sets = report.capabilities();
    assert_eq!((sets.inheritable, sets.ambient), (0, 0), "{sets:?}");
}

/// The same where capabilities are given to a user.
#[track_caller]
pub fn assert_clean_but_for_ambient(report: &Report) {
    let sets = report.capabilities();
    assert_eq!(sets.effective, sets.permitted, "{sets:?}");
    assert_eq!((report.number("securebits"), report.number("parent_death_signal")), (0, 0));
    // Of a user's own process, as usual: tools of its own may look at it.
    assert_eq!(report.number("dumpable"), 1);

    let open = report.descriptors();
    assert_eq!(open.keys().copied().collect::<Vec<_>>(), [0, 1, 2], "{open:?}");
    assert!(report.text("cwd").starts_with('/'), "a directory outside of the root: {}", report.text("cwd"));
    let names: Vec<_> = report.lines("environment").into_iter().filter_map(|entry| entry.split('=').next()).collect();
    assert!(!names.iter().any(|name| name.starts_with("MESOS_ECP_")), "{names:?}");

    for which in ["ignored", "caught", "blocked"] {
        assert_eq!(report.signals(which), 0, "{which}");
    }
    assert_eq!(report.number("umask"), 0o022);
    if nix::unistd::Uid::effective().is_root() {
        assert_eq!(report.nice(), 0);
    }
    assert!(!report.has_terminal());
    let pid = report.number("pid");
    assert_eq!((report.number("pgid"), report.number("sid")), (pid, pid), "it leads a session of its own");
    assert_eq!(report.status("TracerPid"), "0");
}
