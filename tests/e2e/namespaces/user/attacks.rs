//! What root inside tries to do to the host.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use nix::sys::signal::Signal;

use super::bed::{self, bed};
use super::status;
use crate::agent::container::AWAIT_GO;
use crate::agent::{Container, Task, cgroups, processes};

/// Tries shell commands in the container; gives those that succeed.
#[track_caller]
fn succeed<'a>(task: impl FnOnce(&str) -> Task<'a>, attempts: &[String]) -> (Container<'a>, Vec<String>) {
    let each: Vec<String> = attempts
        .iter()
        .enumerate()
        .map(|(n, attempt)| format!("( {attempt} ) >/dev/null 2>err-{n} && echo {n}"))
        .collect();
    let container = task(&format!("{}; true", each.join("\n"))).launch();
    container.complete().assert_status(0);
    let done = container.file("stdout").lines().map(|n| attempts[n.parse::<usize>().unwrap()].clone()).collect();
    (container, done)
}

#[test]
fn root_inside_is_nobody_outside() {
    let bed = bed!();
    let mine = bed.path("of-root");
    fs::write(&mine, "untouched").unwrap();
    let secret = bed.path("secret");
    fs::write(&secret, "secret").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let mut victim = Command::new("sleep").arg("1000").spawn().unwrap();
    let pid = victim.id();
    let attempts = [
        "cat /etc/shadow".to_owned(),
        format!("cat {}", secret.display()),
        format!("echo x >> {}", mine.display()),
        format!(
            "chmod 777 {0} || chown 0 {0} || rm -f {0}; ! [ -s {0} ] || [ $(stat -c %a {0}) = 777 ]",
            mine.display()
        ),
        format!("echo > {}/made", bed.path("").display()),
        format!("mkdir {}/escape", bed.work_dir.display()),
        "echo > /made-by-a-container".to_owned(),
        format!("kill -0 {pid} || kill -9 {pid}"),
        "kill -0 1".to_owned(),
        format!("cat /proc/{pid}/environ || ls -l /proc/{pid}/root/ || ls /proc/{pid}/fd"),
        "mknod dev b 8 0 || mknod null c 1 3".to_owned(),
        "echo 1 > /proc/sys/kernel/sysrq || echo x > /proc/sysrq-trigger".to_owned(),
        "hostname other".to_owned(),
        "chown 65536 stderr".to_owned(),
        "mount -t ext4 /dev/vda /mnt || mount -t overlay none /mnt -o lowerdir=/etc,upperdir=/usr,workdir=/usr"
            .to_owned(),
        "ulimit -Hn 10000000".to_owned(),
        "echo -1000 > /proc/self/oom_score_adj".to_owned(),
        "nsenter -t 1 -m true || nsenter -t 1 -p true || nsenter -t 1 -U true".to_owned(),
        "chroot /proc/1/root true".to_owned(),
    ];
    let (_container, done) = succeed(|script| bed.task(script), &attempts);
    let killed = victim.try_wait().unwrap();
    processes::signal(pid as i32, Signal::SIGKILL);
    victim.wait().unwrap();
    assert_eq!(done, Vec::<String>::new());
    assert_eq!((killed, fs::read_to_string(&mine).unwrap().as_str()), (None, "untouched"));

    // The same succeed where root is root, so the attempts are good ones.
    let bare = crate::agent::Agent::new();
    let harmless = [
        attempts[0].clone(),
        attempts[1].clone(),
        attempts[7].clone().replace(&pid.to_string(), "1"),
        attempts[8].clone(),
    ];
    let (_container, done) = succeed(|script| bare.task(script), &harmless);
    assert_eq!(done, harmless);
}

#[test]
fn the_supervisor_its_state_and_the_cgroups_are_out_of_reach() {
    let bed = bed!(
        bed::builder().flag("--isolation=namespaces/user,cgroups/mem,cgroups/pids").flag("--cgroups_pids_max=100")
    );
    let id = crate::agent::new_id();
    let state = bed.runtime_dir.display().to_string();
    let memory = cgroups::mount_point("memory").join(&bed.cgroups_root);
    let own = memory.join(&id).display().to_string();
    let mut attempts = vec![
        format!("ls {state} || cat {state}/*/*/live/*/* || echo x > {state}/x"),
        "kill -9 $PPID || kill -USR1 $PPID".to_owned(),
        "cat /proc/$PPID/environ || cat /proc/$PPID/maps || ls -l /proc/$PPID/fd || dd if=/proc/$PPID/mem bs=1 count=1"
            .to_owned(),
        "echo x > /proc/$PPID/oom_score_adj || echo x > /proc/$PPID/exe".to_owned(),
        format!("echo $$ > {}/cgroup.procs", cgroups::mount_point("memory").display()),
        format!("echo $$ > {}/cgroup.procs", memory.display()),
        format!("mkdir {}/other", memory.display()),
    ];
    for file in ["memory.limit_in_bytes", "memory.max", "memory.high", "memory.oom_control", "tasks.none"] {
        attempts.push(format!("[ -e {own}/{file} ] && echo 1000000000 > {own}/{file}"));
    }
    let pids = cgroups::mount_point("pids").join(&bed.cgroups_root).join(&id).display().to_string();
    attempts.push(format!("echo max > {pids}/pids.max"));
    let (_container, done) = succeed(|script| bed.task(script).id(&id), &attempts);
    assert_eq!(done, Vec::<String>::new());
    bed.assert_nothing_left();
}

#[test]
fn nobody_inside_undoes_what_was_mounted() {
    let attempts =
        ["umount $MESOS_SANDBOX || umount -l .".to_owned(), "mount -o remount,bind,suid $MESOS_SANDBOX".to_owned()];
    // First against a build without the defence, where there is one.
    if cfg!(feature = "weakened") {
        let weak = bed!(bed::builder().flag("--isolation=namespaces/user").env("ECP_WEAKEN", "fast-mounts"));
        let (_container, done) = succeed(|script| weak.task(script), &attempts[1..]);
        assert_eq!(done, attempts[1..]);
    }
    let bed = bed!();
    let (_container, done) = succeed(|script| bed.task(script), &attempts);
    assert_eq!(done, Vec::<String>::new());
    // Mounts of its own it may make; the host does not see them.
    let own =
        "mount -t tmpfs none /mnt && echo x > /mnt/x && umount /mnt && mkdir m && mount --bind /etc m && ls m/passwd"
            .to_owned();
    let (container, done) = succeed(|script| bed.task(script), std::slice::from_ref(&own));
    assert_eq!(done, [own], "{}", container.file("err-0"));
    assert_eq!(fs::read_dir(container.path("m")).unwrap().count(), 0);
}

#[test]
fn the_held_first_process_is_nobody_already_and_cannot_be_looked_into() {
    let bed = bed!();
    bed.fetcher("exec sleep 1000");
    // Of the same user: the ids are the same, the namespaces are not.
    let spy = bed.task("while [ ! -e pid ]; do sleep 0.02; done; p=$(cat pid); cat /proc/$p/environ || ls -l /proc/$p/fd || cat /proc/$p/maps");
    let spy = spy.launch();
    let task = bed.task("exit 0").uri(crate::agent::messages::uri("hdfs://nowhere/x"));
    let (container, call) = task.spawn();
    let held = crate::agent::patient(crate::agent::DEADLINE);
    let end = std::time::Instant::now() + held;
    let pid = loop {
        let found = processes::Process::all().into_iter().find(|process| {
            process.name == "mesos-ecp"
                && fs::metadata(format!("/proc/{}/cwd/", process.pid)).is_ok_and(|cwd| {
                    use std::os::unix::fs::MetadataExt;
                    fs::metadata(container.path("")).is_ok_and(|own| (own.dev(), own.ino()) == (cwd.dev(), cwd.ino()))
                })
                && status(process.pid, "Uid") == [bed::FIRST; 4]
        });
        if let Some(found) = found {
            break found.pid;
        }
        assert!(std::time::Instant::now() < end, "no held process");
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    fs::write(spy.path("pid.new"), pid.to_string()).unwrap();
    fs::rename(spy.path("pid.new"), spy.path("pid")).unwrap();
    let said = spy.complete();
    assert!(said.status.is_some_and(|status| status != 0), "{} {said:?}", spy.file("stdout"));
    container.invoke("destroy").run();
    call.finish();
    bed.assert_nothing_left();
}

#[test]
fn containers_of_the_same_user_are_apart_where_namespaces_are() {
    let bed = bed!();
    let victim = bed.task(&format!("echo $$ > pid; {AWAIT_GO}")).launch();
    let pid = victim.pid("pid");
    let attempts = [
        format!("cat /proc/{pid}/environ || ls -l /proc/{pid}/fd"),
        format!("nsenter -t {pid} -U true || nsenter -t {pid} -m true"),
    ];
    let (_container, done) = succeed(|script| bed.task(script), &attempts);
    assert_eq!(done, Vec::<String>::new());
    victim.go();
    victim.complete().assert_status(0);
}
