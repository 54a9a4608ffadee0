//! Where cgroups are, and what is already there.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, TryLockError};

use super::inside::{place, run_in};
use super::survivors::{Own, own_cgroups, tracking};
use crate::agent::container::AWAIT_GO;
use crate::agent::processes::Process;
use crate::agent::{Agent, NOBODY, cgroups, need_root, skip};
use crate::refusals::assert_says;

fn roots(agent: &Agent) -> Vec<PathBuf> {
    tracking().iter().map(|mount| mount.join(&agent.cgroups_root)).collect()
}

#[test]
fn a_root_that_is_missing_is_made_as_often_as_it_is_removed() {
    need_root!();
    let agent = Agent::new();
    for _ in 0..3 {
        assert!(roots(&agent).iter().all(|root| !root.exists()));
        agent.task("exit 3").launch().complete().assert_status(3 << 8);
        roots(&agent).iter().for_each(|root| fs::remove_dir(root).unwrap());
    }
}

/// Launches while a thread removes all that is empty above the container's cgroups and its supervisor's.
fn launch_while_all_above_comes_and_goes(agent: &Agent) {
    let name = agent.cgroups_root.split('/').next().unwrap();
    let above = [
        format!("{}/supervisors", agent.cgroups_root),
        agent.cgroups_root.clone(),
        name.to_owned(),
        format!("{name}.slice"),
    ];
    let going_on = Mutex::new(());
    std::thread::scope(|scope| {
        // Let go of by a failure as well.
        let held = going_on.lock().unwrap();
        scope.spawn(|| {
            while matches!(going_on.try_lock(), Err(TryLockError::WouldBlock)) {
                for (point, _) in cgroups::mounts() {
                    above.iter().for_each(|path| drop(fs::remove_dir(point.join(path))));
                }
            }
        });
        for _ in 0..20 {
            agent.task("exit 3").launch().complete().assert_status(3 << 8);
        }
        drop(held);
    });
    agent.assert_nothing_left();
}

#[test]
fn launches_do_not_mind_a_root_that_comes_and_goes() {
    need_root!();
    // With controllers that v2 enables from the top down.
    let agent = || Agent::builder().flag("--isolation=cgroups/cpu,cgroups/pids");
    launch_while_all_above_comes_and_goes(&agent().build());
    launch_while_all_above_comes_and_goes(&agent().unit("agent.service").build());
}

#[test]
fn a_root_may_be_deep_and_is_that_of_the_launch() {
    need_root!();
    let other = Agent::new();
    // Removed with the other's.
    let root = format!("{}/one/two", other.cgroups_root);
    let agent = Agent::builder().flag(&format!("--cgroups_root=/{root}")).same_as(&other, &other.work_dir).build();
    let container = agent.task(AWAIT_GO).launch();
    let own: Vec<_> = tracking().iter().map(|m| m.join(&root).join(&container.id)).collect();
    assert!(own.iter().all(|path| !fs::read_to_string(path.join("cgroup.procs")).unwrap().is_empty()));
    agent.kill_supervisors();
    // By a verb that says another root.
    other.about("destroy", &container.id).run().ok();
    assert!(own.iter().all(|path| !path.exists() && path.parent().unwrap().exists()));
    assert!(agent.containers().is_empty());
}

#[test]
fn a_root_outside_is_refused() {
    need_root!();
    for wrong in ["", "/", ".", "..", "../a", "a/../../b", "a/..", "///"] {
        let agent = Agent::builder().flag(&format!("--cgroups_root={wrong}")).build();
        let (_, output) = agent.task("true").try_launch();
        assert!(!output.status.success() && output.stderr.contains("--cgroups_root"), "{wrong:?}: {output:?}");
    }
}

#[test]
fn a_cgroup_that_exists_is_left_alone_with_what_is_in_it() {
    need_root!();
    for mount in tracking() {
        let agent = Agent::new();
        let task = agent.task("true").id("taken");
        let path = mount.join(&agent.cgroups_root).join("taken");
        fs::create_dir_all(&path).unwrap();
        let mut other = Command::new("sleep").arg("1000").spawn().unwrap();
        fs::write(path.join("cgroup.procs"), other.id().to_string()).unwrap();
        let (_, output) = task.try_launch();
        let runs = Process::is_running(other.id() as i32);
        let _ = other.kill();
        let _ = other.wait();
        assert_says(&output.refused(), &[path.to_str().unwrap(), "exists already"]);
        assert!(runs && path.is_dir());
        assert!(agent.containers().is_empty());
        assert!(tracking().iter().all(|m| *m == mount || !m.join(&agent.cgroups_root).join("taken").exists()));
    }
}

#[test]
fn the_directory_is_the_users_and_its_limits_are_not() {
    need_root!();
    let agent = Agent::new();
    let container = agent.task(AWAIT_GO).user("nobody").launch();
    for path in own_cgroups(&agent, &container) {
        let uid = |file: &str| fs::metadata(path.join(file)).ok().map(|m| m.uid());
        assert_eq!(uid("."), Some(NOBODY.0), "{}", path.display());
        for file in ["freezer.state", "tasks", "cgroup.freeze", "cgroup.kill", "cgroup.type", "cgroup.max.descendants"]
        {
            assert!(uid(file).is_none_or(|uid| uid == 0), "{file} is not root's");
        }
        let unified = path.join("cgroup.kill").exists();
        for file in ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
            let delegated = if unified { NOBODY.0 } else { 0 };
            assert!(uid(file).is_none_or(|uid| uid == delegated), "{file}");
        }
    }
    container.destroy();
    agent.assert_nothing_left();
}

#[test]
fn a_cgroup_that_its_own_root_task_has_removed() {
    need_root!();
    for adopted in [false, true] {
        let agent = Agent::new();
        let script: Vec<_> = tracking()
            .iter()
            .map(|m| {
                let mount = m.display();
                format!("echo $$ > {mount}/cgroup.procs; rmdir {mount}/{}/$MESOS_CONTAINER_ID;", agent.cgroups_root)
            })
            .collect();
        let container = agent.task(&format!("{} echo $$ > pid; while :; do :; done", script.concat())).launch();
        let pid = container.pid("pid");
        assert!(own_cgroups(&agent, &container).iter().all(|path| !path.exists()));
        container.usage();
        if adopted {
            agent.kill_supervisors();
        }
        container.destroy();
        assert!(!Process::is_running(pid));
        agent.assert_nothing_left();
    }
}

#[test]
fn hierarchies_mounted_read_only() {
    need_root!();
    if place().as_deref() != Some("read_only") {
        let mounts: Vec<_> = tracking().iter().map(|m| format!("mount -o remount,bind,ro {};", m.display())).collect();
        assert_eq!(run_in("read_only", &mounts.concat(), "places::hierarchies_mounted_read_only"), 1);
        return;
    }
    let agent = Agent::new();
    let said = agent.task("true").flag("--launcher=linux").refused();
    assert_says(&said, &["mounted writable", "--launcher=posix"]);
    let container = agent.task("cat /proc/self/cgroup > cgroup; exit 3").launch();
    container.complete().assert_status(3 << 8);
    assert_eq!(container.file("cgroup"), fs::read_to_string("/proc/self/cgroup").unwrap());
}

#[test]
fn hierarchies_mounted_elsewhere_by_odd_names() {
    need_root!();
    let v1 = cgroups::is_v1("freezer");
    if place().as_deref() != Some("odd") {
        let mut setup =
            "umount -R /sys/fs/cgroup; d='/tmp/ecp odd'; mkdir -p \"$d\"; mount -t tmpfs none \"$d\";".to_owned();
        if v1 {
            setup += "mkdir \"$d/free zer\"; mount -t cgroup -o freezer none \"$d/free zer\";";
        }
        if cgroups::unified().is_some() {
            setup += "mkdir \"$d/v 2\"; mount -t cgroup2 none \"$d/v 2\";";
        }
        let passed = run_in("odd", &setup, "places::hierarchies_mounted_elsewhere_by_odd_names");
        let _ = fs::remove_dir("/tmp/ecp odd");
        assert_eq!(passed, 1);
        return;
    }
    let agent = Agent::new();
    let container = agent.task(AWAIT_GO).launch();
    let own = own_cgroups(&agent, &container);
    assert!(!own.is_empty() && own.iter().all(|path| path.starts_with("/tmp/ecp odd")), "{own:?}");
    assert!(own.iter().all(|path| !fs::read_to_string(path.join("cgroup.procs")).unwrap().is_empty()));
    container.destroy();
    agent.assert_nothing_left();
}

/// What a container is to be like whose agent is in cgroups itself.
fn launch_from_within() {
    let agent = Agent::new();
    let container = agent.task(&format!("echo $$ > pid; {AWAIT_GO}; exit 3")).launch();
    let pid = container.pid("pid").to_string();
    for path in own_cgroups(&agent, &container) {
        let procs = fs::read_to_string(path.join("cgroup.procs")).unwrap();
        assert!(procs.lines().any(|line| line == pid), "{pid} is not in {}: {procs:?}", path.display());
    }
    if cgroups::is_v1("freezer") {
        assert!(container.control("freezer", "tasks").lines().any(|line| line == pid));
    }
    let own = std::process::id() as i32;
    if cgroups::is_v1("memory") {
        let path = cgroups::of_process(own, "memory");
        assert_eq!(cgroups::of_process(pid.parse().unwrap(), "memory"), path, "nobody asked for it");
    }
    agent.kill_supervisors();
    let wait = container.spawn_wait();
    container.go();
    wait.finish().termination();
    container.note_end();
    agent.assert_nothing_left();
}

/// In a cgroup namespace the agent's own cgroup is called `/`, and is to be left nevertheless.
fn leave_from_within() {
    if cgroups::unified().is_none() {
        return;
    }
    let slice = format!("ecp-e2e-own-{}.slice", crate::agent::new_id());
    let agent = Agent::builder().flag(&format!("--systemd_slice={slice}")).build();
    let container = agent.task(AWAIT_GO).launch();
    let path = cgroups::of_process(agent.supervisors()[0].pid, "");
    container.destroy();
    if cgroups::is_v1("name=systemd") {
        let _ = fs::remove_dir(cgroups::mount_point("name=systemd").join(slice));
    }
    assert!(path.ends_with(&format!("{}/supervisors", agent.cgroups_root)), "{path}");
}

#[test]
fn an_agent_in_cgroups_of_its_own() {
    need_root!();
    if matches!(place().as_deref(), Some("cgroups" | "namespace")) {
        launch_from_within();
        leave_from_within();
        return;
    }
    let mut own = Vec::new();
    for controller in ["freezer", "memory"].into_iter().filter(|controller| cgroups::is_v1(controller)) {
        own.push(Own::make(controller, "agent"));
    }
    if let Some(unified) = cgroups::unified() {
        let path = unified.join(format!("ecp-e2e-own-{}-agent", crate::agent::new_id()));
        fs::create_dir(&path).unwrap();
        own.push(Own(path));
    }
    if own.is_empty() {
        skip!("there are no cgroups");
    }
    let join: String = own.iter().map(|own| format!("echo $$ > {}/cgroup.procs;", own.0.display())).collect();
    let name = "places::an_agent_in_cgroups_of_its_own";
    // `$$` is 1 here, and the file is written in the new pid namespace.
    assert_eq!(run_in("cgroups", &join, name), 1);
    let namespace = format!("{join} if [ -z \"$AGAIN\" ]; then export AGAIN=1; set -- unshare -C \"$@\"; fi;");
    assert_eq!(run_in("namespace", &namespace, name), 1);
}
