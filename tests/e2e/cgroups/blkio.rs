//! cgroups/blkio: throttling and weight of block devices.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::agent::container::AWAIT_GO;
use crate::agent::{Agent, cgroups, need_root, skip};
use crate::refusals::assert_says;

/// A block device of the test's own.
struct Loop {
    device: PathBuf,
}

impl Loop {
    /// Over a file of so many bytes in a directory; None where there are no loop devices.
    fn new(directory: &Path, size: u64) -> Option<Loop> {
        let file = directory.join("image");
        fs::File::create(&file).unwrap().set_len(size).unwrap();
        let output = Command::new("losetup").args(["--find", "--show", "--read-only"]).arg(&file).output().ok()?;
        let device = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
        (output.status.success() && fs::metadata(&device).is_ok_and(|m| m.file_type().is_block_device()))
            .then_some(Loop { device })
    }

    /// As MAJOR:MINOR.
    fn number(&self) -> String {
        let device = fs::metadata(&self.device).unwrap().rdev();
        format!("{}:{}", libc::major(device), libc::minor(device))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.device).status();
    }
}

fn agent(flag: &str) -> Agent {
    Agent::builder().flag("--isolation=cgroups/blkio").flag(flag).build()
}

fn has_throttling() -> bool {
    match cgroups::is_v1("blkio") {
        true => cgroups::mount_point("blkio").join("blkio.throttle.read_bps_device").exists(),
        // The topmost cgroup has no limits.
        false => cgroups::unified().is_some_and(|point| {
            fs::read_to_string(point.join("cgroup.controllers")).unwrap().split_whitespace().any(|c| c == "io")
        }),
    }
}

#[test]
fn reading_is_held_to_the_limit() {
    need_root!();
    let directory = tempfile::tempdir().unwrap();
    let device = Loop::new(directory.path(), 4 << 20);
    let Some(device) = device.filter(|_| has_throttling()) else {
        skip!("there is no loop device, or no throttling");
    };
    let number = device.number();
    let agent = agent(&format!("'--cgroups_blkio_throttle={number} rbps=1MB wiops=50'"));
    let read = format!(
        "a=$(date +%s%N); dd if={} of=/dev/null bs=64k count=24 iflag=direct 2> dd || exit 1; b=$(date +%s%N); \
         echo $(((b - a) / 1000000)) > ms; {AWAIT_GO}",
        device.device.display()
    );
    let container = agent.task(&read).launch();
    let milliseconds: u64 = container.line("ms").parse().unwrap();
    assert!(milliseconds > 1000, "1.5 MB at 1 MB/s took {milliseconds} ms");
    if cgroups::is_v1("blkio") {
        assert_eq!(container.control("blkio", "blkio.throttle.read_bps_device"), format!("{number} 1048576"));
        assert_eq!(container.control("blkio", "blkio.throttle.write_iops_device"), format!("{number} 50"));
    } else {
        let expected = format!("{number} rbps=1048576 wbps=max riops=max wiops=50");
        assert_eq!(container.control("blkio", "io.max"), expected);
    }
    container.go();
    container.complete().assert_status(0);
    agent.assert_nothing_left();
}

#[test]
fn a_device_that_does_not_exist_is_refused() {
    need_root!();
    if !has_throttling() {
        skip!("there is no throttling");
    }
    let reason = agent("'--cgroups_blkio_throttle=4095:7 wbps=1MB'").task("true").refused();
    let file = if cgroups::is_v1("blkio") { "blkio.throttle.write_bps_device" } else { "io.max" };
    assert_says(&reason, &["cgroups/blkio", "4095:7", file]);
}

#[test]
fn a_weight_is_set_where_the_kernel_has_them() {
    need_root!();
    if !has_throttling() {
        skip!("there is no blkio and no io controller");
    }
    let plain = agent("");
    let container = plain.task(AWAIT_GO).launch();
    let files = match cgroups::is_v1("blkio") {
        true => ["blkio.weight", "blkio.bfq.weight"],
        false => ["io.weight", "io.bfq.weight"],
    };
    let has = files.map(|file| container.cgroup("blkio").join(file).exists());
    container.go();
    container.complete();

    let agent = agent("--cgroups_blkio_weight=321");
    if has == [false, false] {
        assert_says(&agent.task("true").refused(), &["--cgroups_blkio_weight", files[0], files[1]]);
        return;
    }
    let container = agent.task(AWAIT_GO).launch();
    for file in files.iter().zip(has).filter(|(_, has)| *has).map(|(file, _)| file) {
        let weight = container.control("blkio", file);
        assert!(weight == "321" || weight == "default 321", "{file}: {weight}");
    }
    container.go();
    container.complete().assert_status(0);
}

#[test]
fn wrong_limits_are_refused_before_anything_is_made() {
    for (flag, words) in [
        ("'--cgroups_blkio_throttle=sda rbps=1MB'", ["--cgroups_blkio_throttle", "\"sda\""]),
        ("'--cgroups_blkio_throttle=8:0 rbps=1000'", ["\"rbps=1000\"", "a size is"]),
        ("--cgroups_blkio_weight=5", ["--cgroups_blkio_weight=5", "10 to 1000"]),
    ] {
        assert_says(&agent(flag).task("true").refused(), &words);
    }
}
