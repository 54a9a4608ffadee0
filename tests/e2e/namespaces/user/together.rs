//! With what other isolators do.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};

use super::bed::{FIRST, bed, builder};
use crate::agent::wire::{Message, Value};

/// For `Task::edit`: a volume of the host's path at this path.
fn volume(host: &str, container: &str, mode: u64) -> impl Fn(&mut Message) + use<> {
    let volume = Message::new().bytes(1, container).bytes(2, host).varint(3, mode);
    let info = Message::new().varint(1, 2).message(2, &volume).encode();
    move |launch| launch.edit(3, |executor| executor.set(11, Value::Bytes(info.clone())))
}

#[test]
fn all_namespaces_and_rights_at_once() {
    let names = "--isolation=namespaces/user,namespaces/pid,namespaces/ipc,namespaces/uts,cgroups/mem,linux/nnp,\
                 linux/capabilities,posix/rlimits";
    for pid1 in ["executor", "init"] {
        let bed = bed!(
            builder()
                .flag(names)
                .flag(&format!("--pid1={pid1}"))
                .flag("--default_rlimits=CORE=0")
                .flag("--effective_capabilities=CHOWN,KILL")
        );
        for (user, uid) in [("root", 0), ("nobody", 65534)] {
            let script = "id -u; echo $$; ls -d /proc/[0-9]* | wc -l; ulimit -Hc; grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; \
                          echo x > /dev/shm/x && umount /proc; cat /proc/1/environ | wc -c; exit 9";
            let container = bed.task(script).user(user).launch();
            container.complete().assert_status(9 << 8);
            let said = container.file("stdout");
            let lines: Vec<&str> = said.lines().collect();
            let number = if pid1 == "init" { "2" } else { "1" };
            assert_eq!((lines[0], lines[1], lines[3]), (uid.to_string().as_str(), number, "0"), "{said}");
            assert!(lines[2].parse::<u32>().unwrap() <= 5, "{said}");
            assert!(said.contains("CapEff:\t0000000000000021") && said.contains("NoNewPrivs:\t1"), "{said}");
        }
        bed.assert_nothing_left();
    }
}

#[test]
fn volumes_show_the_users_files_and_stay_read_only() {
    let bed = bed!(builder().flag("--isolation=filesystem/linux,namespaces/user"));
    // Where set-user-id means nothing, as it has to be for root.
    let host = bed.work_dir.join("volume");
    for (user, uid) in [("daemon", 1), ("root", 0)] {
        fs::create_dir(&host).unwrap();
        fs::write(host.join("given"), "given\n").unwrap();
        for path in [&host, &host.join("given")] {
            chown(path, Some(uid), Some(uid)).unwrap();
        }
        let script = "stat -c %u:%g v/given; cat v/given; echo > v/made; umount v; mount -o remount,bind,rw $PWD/v; echo > v/again; ls v";
        for (mode, listed) in [(2, "given\n"), (1, "again\ngiven\nmade\n")] {
            let container = bed.task(script).user(user).edit(volume(host.to_str().unwrap(), "v", mode)).launch();
            container.complete().assert_status(0);
            assert_eq!(container.file("stdout"), format!("{uid}:{uid}\ngiven\n{listed}"), "{user} {mode}");
        }
        assert_eq!(fs::metadata(host.join("made")).unwrap().uid(), uid);
        fs::remove_dir_all(&host).unwrap();
    }
}

#[test]
fn roots_volumes_must_be_where_set_user_id_means_nothing() {
    let bed = bed!(builder().flag("--isolation=filesystem/linux,namespaces/user"));
    let host = bed.path("volume");
    fs::create_dir(&host).unwrap();
    let own = volume(host.to_str().unwrap(), "v", 1);
    let reason = bed.task("exit 0").edit(&own).refused();
    assert!(reason.contains("the volume") && reason.contains("nosuid"), "{reason}");
    chown(&host, Some(1), Some(1)).unwrap();
    bed.task("echo > v/x").user("daemon").edit(&own).launch().complete().assert_status(0);
    assert_eq!(fs::metadata(host.join("x")).unwrap().uid(), 1);
    // Of a user that the container is not, it has only what everybody has.
    chown(&host, Some(FIRST), Some(FIRST)).unwrap();
    let container = bed.task("stat -c %u v; echo > v/y").user("daemon").edit(&own).launch();
    assert!(container.complete().status.is_some_and(|status| status != 0));
    assert_eq!(container.file("stdout"), "0\n");
}
