//! disk/xfs: on XFS file systems of the tests' own, as the kernel and `xfs_quota` see it.

mod mounted;
mod refused;

use std::fs;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::agent::messages::scalar;
use crate::agent::wire::Message;
use crate::agent::{Agent, Builder, Container, eventually};

/// One mebibyte.
pub const MB: u64 = 1 << 20;

/// What tasks' scripts begin with: `put FILE N` writes N mebibytes more, in pieces, so that what fits is written; `mark` and `say` tell
/// the test something outside of the sandbox, where there may be no room; `await` waits for it.
pub fn script(host: &Host, text: &str) -> String {
    format!(
        "M={}/$MESOS_CONTAINER_ID; say() {{ cat >> $M-said; }}; mark() {{ : > $M-$1; }}
        put() {{ dd if=/dev/zero bs=64k count=$(($2 * 16)) oflag=append conv=notrunc of=$1 2>&1 | say; }}
        await() {{ while [ ! -e $M-$1 ]; do sleep 0.02; done; }}
        {text}",
        host.marks().display()
    )
}

/// An XFS file system at a directory, as long as this lives.
pub struct Disk(PathBuf);

impl Disk {
    /// With these options of mount(8), or the reason why there is none.
    pub fn mount(image: &Path, at: &Path, options: &str) -> Result<Disk, String> {
        if !nix::unistd::Uid::effective().is_root() {
            return Err("needs root".to_owned());
        }
        let _ = run("modprobe", &["-a", "loop", "xfs"]);
        fs::create_dir_all(at).unwrap();
        let (image, place) = (image.to_str().unwrap(), at.to_str().unwrap());
        fs::File::create(image).unwrap().set_len(320 * MB).unwrap();
        run("mkfs.xfs", &["-q", image]).map_err(|said| format!("cannot make an XFS file system: {said}"))?;
        let options = format!("loop,{options}");
        run("mount", &["-o", &options, image, place])
            .map_err(|_| format!("cannot mount XFS with -o {options} (does the kernel have its quotas?)"))?;
        Ok(Disk(at.to_owned()))
    }

    /// What `xfs_quota` reports of a project, in bytes: used, soft and hard limit. None: nothing.
    pub fn report(&self, id: u32) -> Option<[u64; 3]> {
        let text = run("xfs_quota", &["-x", "-c", "report -p -N -n -b", self.0.to_str().unwrap()]).unwrap();
        let name = format!("#{id}");
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(&name))?;
        let figures: Vec<u64> =
            line.split_whitespace().skip(1).take(3).map(|word| word.parse::<u64>().unwrap() << 10).collect();
        Some([figures[0], figures[1], figures[2]])
    }

    /// Changes limits by `xfs_quota`.
    pub fn command(&self, command: &str) {
        run("xfs_quota", &["-x", "-c", command, self.0.to_str().unwrap()]).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(arguments).env("PATH", crate::agent::PATH);
    let output = command.output().map_err(|e| format!("{program}: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout).unwrap());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// The project id of a file or directory, as `xfs_io` says it.
pub fn project(path: &Path) -> u32 {
    let text = run("xfs_io", &["-r", "-c", "lsproj", path.to_str().unwrap()]).unwrap();
    text.trim().strip_prefix("projid = ").unwrap().parse().unwrap()
}

/// An agent whose work directory is an XFS file system of its own.
pub struct Host {
    // Unmounted before the agent removes its directory.
    pub disk: Disk,
    agent: Agent,
}

impl Deref for Host {
    type Target = Agent;

    fn deref(&self) -> &Agent {
        &self.agent
    }
}

impl Host {
    fn marks(&self) -> PathBuf {
        self.agent.path("marks")
    }

    fn mark(&self, container: &Container<'_>, name: &str) -> PathBuf {
        self.marks().join(format!("{}-{name}", container.id))
    }

    /// Tells a task to go on that waits for this.
    pub fn tell(&self, container: &Container<'_>, name: &str) {
        fs::write(self.mark(container, name), "").unwrap();
    }

    /// Waits until the task has said this.
    #[track_caller]
    pub fn told(&self, container: &Container<'_>, name: &str) {
        eventually(&format!("{name} is there"), || self.mark(container, name).exists());
    }

    /// All that the task has said.
    pub fn said(&self, container: &Container<'_>) -> String {
        fs::read_to_string(self.mark(container, "said")).unwrap_or_default()
    }
}

/// An agent with the isolator.
pub fn builder(flags: &[&str]) -> Builder {
    builder_with("disk/xfs", flags)
}

/// An agent with these isolators beside posix/cpu and posix/mem.
pub fn builder_with(isolators: &str, flags: &[&str]) -> Builder {
    let builder = Agent::builder().flag(&format!("--isolation=posix/cpu,posix/mem,{isolators}"));
    flags.iter().fold(builder, |builder, flag| builder.flag(flag))
}

/// Or why it cannot be had.
pub fn set_up(builder: Builder, options: &str) -> Result<Host, String> {
    let agent = builder.build();
    let disk = Disk::mount(&agent.path("image"), &agent.work_dir, options)?;
    let host = Host { disk, agent };
    fs::create_dir(host.marks()).unwrap();
    fs::set_permissions(host.marks(), fs::Permissions::from_mode(0o777)).unwrap();
    Ok(host)
}

/// The agent of a test with these flags, or the end of the test.
macro_rules! host {
    ($($flag:expr),*) => {
        match $crate::disk_xfs::set_up($crate::disk_xfs::builder(&[$($flag),*]), "prjquota") {
            Ok(host) => host,
            Err(reason) => $crate::agent::skip!(&reason),
        }
    };
}
pub(crate) use host;

pub const ENFORCE: &str = "--enforce_container_disk_quota";
pub const KILL: &str = "--xfs_kill_containers";

/// The usual resources with so many mebibytes of disk.
pub fn resources(disk: f64) -> Vec<Message> {
    vec![scalar("cpus", 0.6), scalar("mem", 96.0), scalar("disk", disk)]
}

/// The project of a container's sandbox.
pub fn id(container: &Container<'_>) -> u32 {
    project(&container.path("."))
}

/// Ends it, and deletes its sandbox, as the agent does some time later; then its id is free.
pub fn collect(host: &Host, container: &Container<'_>) {
    let id = id(container);
    container.destroy();
    fs::remove_dir_all(container.path("")).unwrap();
    // The kernel deletes in the background.
    eventually("the id is free", || host.disk.report(id).is_none_or(|report| report[0] == 0) && is_unused(host, id));
}

fn is_unused(host: &Host, id: u32) -> bool {
    let text = run("xfs_quota", &["-x", "-c", "report -p -N -n -i", host.disk.0.to_str().unwrap()]).unwrap();
    let mut line = text.lines().filter(|line| line.split_whitespace().next() == Some(&format!("#{id}")));
    line.next().is_none_or(|line| line.split_whitespace().nth(1) == Some("0"))
}

/// What `du` says of a directory, in bytes.
pub fn du(path: &Path) -> u64 {
    let text = run("du", &["-s", "-B1", path.to_str().unwrap()]).unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

/// disk_limit_bytes and disk_used_bytes of its usage.
pub fn usage(container: &Container<'_>) -> (Option<u64>, Option<u64>) {
    let message = container.usage().message;
    (message.get_varint(26), message.get_varint(27))
}
