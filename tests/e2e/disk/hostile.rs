//! Containers that mean no good.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{DISK_USED_BYTES, agent, assert_exceeded, du, enforcing, resources, settles, used, volume};
use crate::agent::container::AWAIT_GO;
use crate::agent::{eventually, need_root, patient};
use crate::persistent;

/// Changes the tree as fast as it can, in several processes.
const STIR: &str = r#"
    stir() { perl -e '
        my $n = 0; my $me = shift;
        while (1) {
            $n = ($n + 1) % 500;
            mkdir "t/$me"; mkdir "t/$me/$n"; mkdir "t/$me/$n/deep"; mkdir "t/$me/$n/deep/deeper";
            open my $f, ">", "t/$me/$n/f"; print $f "x" x 5000; close $f;
            link "t/$me/$n/f", "t/$me/$n/deep/g";
            rename "t/$me/$n", "t/$me/" . (($n * 7) % 500);
            rename "t/$me/" . (($n * 3) % 500), "t/$me/" . (($n * 5) % 500) . "/deep/in";
            unlink glob "t/$me/" . (($n + 250) % 500) . "/*";
            rmdir "t/$me/" . (($n + 250) % 500) . "/deep/deeper"; rmdir "t/$me/" . (($n + 250) % 500) . "/deep";
            rmdir "t/$me/" . (($n + 250) % 500);
        }' $1 & }
    mkdir t; stir a; stir b; touch begun;"#;

#[test]
fn who_stirs_is_measured_and_ended() {
    let agent = enforcing().build();
    let script = format!("{STIR} {AWAIT_GO}; head -c 300M /dev/zero > big; wait");
    let container = agent.task(&script).resources(resources(256.0)).launch();
    eventually("it stirs", || container.path("begun").exists());
    let mut seen = Vec::new();
    // Without the agent's chown of the sandbox, which does not get through there.
    let usage = || agent.about("usage", &container.id).run().statistics().message.get_varint(DISK_USED_BYTES);
    eventually("walks go on and end", || {
        seen.extend(usage());
        seen.dedup();
        seen.len() > 3
    });
    container.go();
    assert_exceeded(&agent.about("wait", &container.id).run().termination(), "256MB");
    container.note_end();
    agent.assert_nothing_left();
}

#[test]
fn who_moves_a_result_to_its_place_again_and_again_is_not_ended() {
    let agent = enforcing().build();
    // Among many others, so that moves meet a walk under way.
    let script = "perl -e '
        for my $d (0..9) { mkdir \"d$d\"; for (1..3000) { open my $f, \">\", \"d$d/$_\" } }
        mkdir \"d0/m\"; open my $f, \">\", \"d0/m/big\"; print $f \"x\" x (6 << 20); close $f;
        open $f, \">\", \"done\"; close $f;
        for (my $at = 0; ; $at = ($at + 3) % 10) { rename \"d$at/m\", \"d\" . (($at + 3) % 10) . \"/m\"; select undef, undef, undef, 0.005 }'";
    let container = agent.task(script).resources(resources(11.0)).launch();
    eventually("it is at it", || container.path("done").exists());
    std::thread::sleep(Duration::from_secs(4));
    assert!(!container.processes().is_empty(), "{}", container.file("stderr"));
    container.destroy();
}

#[test]
fn a_hundred_thousand_hard_links_count_once() {
    let agent = agent().build();
    let script = "head -c 1M /dev/zero > a; head -c 1M /dev/zero > b; mkdir l; \
                  perl -e 'for (1..50000) { link \"a\", \"l/a$_\"; link \"b\", \"l/b$_\" }'; touch done; sleep 100";
    let container = agent.task(script).resources(resources(64.0)).launch();
    eventually("they are made", || container.path("done").exists());
    settles(&container);
    let used = used(&container).unwrap();
    assert!(used < 12 << 20, "{used}");
    container.destroy();
}

#[test]
fn what_takes_the_place_of_a_volume_counts() {
    let agent = enforcing().build();
    persistent::make(&agent, "v1");
    let mut all = resources(3.0);
    all.push(volume("v1", "data", 64.0));
    // The built-in containerizer leaves out whatever is at the volume's path.
    let script = "rm data; mkdir data; head -c 4M /dev/zero > data/big; sleep 100";
    let container = agent.task(script).resources(all).launch();
    assert_exceeded(&container.complete(), "3MB");
}

#[test]
fn a_link_to_elsewhere_is_not_followed() {
    let agent = enforcing().build();
    let script = "ln -s / all; mkdir d; ln -s .. d/up; touch done; sleep 100";
    let container = agent.task(script).resources(resources(8.0)).launch();
    eventually("they are made", || container.path("done").exists());
    settles(&container);
    container.destroy();
}

/// A small file system of the test's own in a file.
struct Loop(PathBuf);

impl Loop {
    fn mount(image: &Path, at: &Path) -> Loop {
        let run = |command: &mut Command| {
            let out = command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output().unwrap();
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        };
        run(Command::new("truncate").args(["-s", "24M"]).arg(image));
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(image));
        run(Command::new("mount").args(["-o", "loop"]).arg(image).arg(at));
        Loop(at.to_owned())
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_disk_filled_to_the_last_block() {
    need_root!();
    // Filled by a container whose quota is larger than the disk, and then by one that is ended for it.
    let agent = enforcing().build();
    let _disk = Loop::mount(&agent.path("image"), &agent.work_dir);
    let fill =
        "cat /dev/zero > big 2> /dev/null; while echo x > small.$i 2> /dev/null; do i=$((i+1)); done; rm small.1";
    let full = agent.task(&format!("{fill}; touch done; {AWAIT_GO}; exit 3"));
    let full = full.resources(resources(64.0)).launch();
    eventually("the disk is full", || full.path("done").exists());
    eventually("it is measured", || used(&full) == Some(du(&full.path(""))));
    full.go();
    full.complete().assert_status(3 << 8);
    fs::remove_file(full.path("big")).unwrap();
    let over = agent.task("cat /dev/zero > big 2> /dev/null; sleep 100").resources(resources(3.0)).launch();
    assert_exceeded(&over.complete(), "3MB");
    agent.assert_nothing_left();
}

#[test]
fn who_keeps_the_processors_busy_is_looked_at_nevertheless() {
    let agent = enforcing().build();
    let busy = "for i in 1 2 3 4; do (while :; do :; done) & done; ";
    let script = format!("{busy} head -c 4M /dev/zero > big; wait");
    let container = agent.task(&script).resources(resources(3.0)).launch();
    let begin = std::time::Instant::now();
    assert_exceeded(&container.complete(), "3MB");
    assert!(begin.elapsed() < patient(Duration::from_secs(20)), "{:?}", begin.elapsed());
}
