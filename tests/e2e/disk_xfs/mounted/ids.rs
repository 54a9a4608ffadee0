//! Who gets which project id.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

use crate::agent::container::AWAIT_GO;
use crate::agent::{Container, patient};
use crate::disk_xfs::{ENFORCE, MB, collect, host, id, project, resources, script};
use crate::refusals::assert_says;

#[test]
fn twenty_at_once_get_twenty_ids() {
    let host = host!(ENFORCE);
    let calls: Vec<_> = (0..20).map(|_| host.task("sleep 1000").resources(resources(4.0)).spawn()).collect();
    let containers: Vec<Container<'_>> = calls
        .into_iter()
        .map(|(container, call)| {
            call.finish_within(patient(crate::agent::DEADLINE)).ok();
            container.remember();
            container
        })
        .collect();
    let ids: BTreeSet<u32> = containers.iter().map(id).collect();
    assert_eq!(ids, (5000..5020).collect());
    for id in ids {
        assert_eq!(host.disk.report(id).unwrap()[1..], [4 * MB, 4 * MB]);
    }
    containers.iter().for_each(|container| drop(container.destroy()));
    host.assert_nothing_left();
}

#[test]
fn an_id_is_free_again_when_the_sandbox_is_deleted() {
    let host = host!(ENFORCE);
    let launch = || host.task(AWAIT_GO).resources(resources(4.0)).launch();
    let first = launch();
    let second = launch();
    assert_eq!((id(&first), id(&second)), (5000, 5001));
    first.destroy();
    assert_eq!(id(&first), 5000, "the sandbox is still there, and counted");
    let third = launch();
    assert_eq!(id(&third), 5002);
    collect(&host, &first);
    // Left behind by a crash, and less than what is there before the launch.
    host.disk.command("limit -p bsoft=64k bhard=64k 5000");
    let script = script(&host, "put a 3");
    let task = host.task(&script);
    let sandbox = task.sandbox();
    fs::create_dir_all(sandbox.join("fetched")).unwrap();
    for n in 0..4 {
        fs::write(sandbox.join(format!("fetched/{n}")), vec![1; MB as usize]).unwrap();
    }
    let next = task.launch();
    assert_eq!([sandbox.clone(), sandbox.join("fetched/3")].map(|path| project(&path)), [5000; 2]);
    next.complete().assert_status(0);
    assert_eq!(fs::metadata(next.path("a")).unwrap().len(), 3 * MB, "the limit is nobody's");
    second.destroy();
    third.destroy();
    host.assert_nothing_left();
}

#[test]
fn a_late_clean_up_leaves_the_next_owners_limit_alone() {
    let host = host!(ENFORCE);
    let first = host.task(AWAIT_GO).resources(resources(4.0)).launch();
    assert_eq!(id(&first), 5000);
    // Its sandbox is deleted under it, and somebody else gets the id before it ends.
    host.kill_supervisors();
    let away = host.path("away");
    fs::create_dir(&away).unwrap();
    for process in first.processes() {
        crate::agent::processes::signal(process.pid, nix::sys::signal::Signal::SIGKILL);
    }
    crate::agent::eventually("it has ended", || first.processes().is_empty());
    let sandbox = first.path("");
    fs::remove_dir_all(&sandbox).unwrap();
    crate::agent::eventually("its id is free", || crate::disk_xfs::is_unused(&host, 5000));
    fs::create_dir(&sandbox).unwrap();
    let second = host.task(AWAIT_GO).resources(resources(8.0)).launch();
    assert_eq!(id(&second), 5000);
    first.invoke("destroy").run();
    assert_eq!(host.disk.report(5000).unwrap()[1..], [8 * MB, 8 * MB]);
    second.destroy();
    host.assert_nothing_left();
}

#[test]
fn an_exhausted_range_is_refused_and_leaves_nothing() {
    let host = host!(ENFORCE, "--xfs_project_range=[7000-7000,9000-9000]");
    let launch = || host.task(AWAIT_GO).resources(resources(4.0)).launch();
    let (first, second) = (launch(), launch());
    assert_eq!((id(&first), id(&second)), (7000, 9000));
    let (third, output) = host.task("touch ran").resources(resources(4.0)).try_launch();
    assert_says(
        &output.refused(),
        &["no project id is free: all 2 of --xfs_project_range=[7000-7000,9000-9000]", "report -p -n -i"],
    );
    assert_eq!((id(&third), third.path("ran").exists()), (0, false));
    collect(&host, &first);
    assert_eq!(id(&launch()), 7000);
    second.destroy();
}

/// The VM has Linux 6.1; what it does not allow, later ones may.
fn is_newer_than_the_vms() -> bool {
    !fs::read_to_string("/proc/sys/kernel/osrelease").unwrap().starts_with("6.1.")
}

#[test]
fn what_is_in_the_sandbox_already_is_counted_and_nothing_else_touched() {
    let host = host!();
    let outside = host.work_dir.join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "").unwrap();
    let task = host.task(AWAIT_GO);
    let sandbox = task.sandbox();
    fs::create_dir_all(sandbox.join("a/b")).unwrap();
    fs::write(sandbox.join("a/b/file"), vec![1; MB as usize]).unwrap();
    symlink(&outside, sandbox.join("a/link")).unwrap();
    symlink(outside.join("file"), sandbox.join("file")).unwrap();
    fs::hard_link(outside.join("file"), sandbox.join("a/hard")).unwrap();
    nix::unistd::mkfifo(&sandbox.join("a/fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let elsewhere = crate::disk_xfs::Disk::mount(&host.path("other"), &sandbox.join("a/mounted"), "prjquota").unwrap();
    fs::write(sandbox.join("a/mounted/file"), "").unwrap();
    let container = task.launch();
    for name in ["", "a", "a/b", "a/b/file", "stdout", "a/hard"] {
        assert_eq!(project(&sandbox.join(name)), 5000, "{name}");
    }
    // What is neither file nor directory has no id, which the kernel takes for another project.
    for name in ["file", "a/fifo"] {
        match fs::rename(sandbox.join(name), sandbox.join(format!("{name}2"))) {
            Err(e) => assert_eq!(e.raw_os_error(), Some(libc::EXDEV), "{name}"),
            Ok(()) => assert!(is_newer_than_the_vms(), "the documentation says that it fails"),
        }
    }
    for path in [outside.clone(), sandbox.join("a/mounted"), sandbox.join("a/mounted/file"), host.work_dir.clone()] {
        assert_eq!(project(&path), 0, "{}", path.display());
    }
    fs::write(sandbox.join("a/b/new"), "").unwrap();
    assert_eq!(project(&sandbox.join("a/b/new")), 5000);
    drop(elsewhere);
    container.destroy();
}
