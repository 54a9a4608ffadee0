//! An isolator of one's own, complete: `acme/pinned-cpus` gives each container whole CPUs that no other container has.
//!
//! The program that this becomes takes the place of `mesos-ecp`: it has the same verbs, flags and isolators, and one more.
//!
//! ```sh
//! mesos-slave --containerizers=external \
//!     --containerizer_path="/usr/libexec/acme/pinned_cpus --isolation=posix/cpu,posix/mem,acme/pinned-cpus" ...
//! ```
//!
//! A container gets as many CPUs as it has `cpus`, rounded up and at least one, and finds them in PINNED_CPUS (`0,1`). The CPUs to
//! share out are those of the file `pinned-cpus/cpus` in `--runtime_dir` (such as `2-7,12`); without it, those that the agent may use.
//! A container may change its affinity: this keeps those that mean well apart, `cgroups/cpuset` the others.
//!
//! # What is left by a crash
//! A CPU that is taken is a link in `pinned-cpus/BOOT`, named after the CPU, that leads to the container's id. It is made in one step,
//! which fails if it is there, so no CPU is ever taken by two, or by nobody. `cleanup` removes the links that lead to its container:
//! whatever `prepare` had made when it died, stored facts or not. They are in a directory of this boot: containers do not outlive it either.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use mesos_ecp::nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use mesos_ecp::nix::{errno::Errno, unistd::Pid};
use mesos_ecp::prelude::*;
use mesos_ecp::protocol::mesos::Resource;
use mesos_ecp::protocol::resources::scalar;
use mesos_ecp::step::step;

const NAME: &str = "acme/pinned-cpus";

/// Whoever has the lock lets go of it within milliseconds. No call may wait for ever.
const PATIENCE: Duration = Duration::from_secs(5);

/// A thread that is made while threads are being pinned is found by the next look; after so many it is a race without end.
const LOOKS: usize = 16;

fn main() -> ExitCode {
    Ecp::builder().isolator(NAME, |_settings| Box::new(PinnedCpus)).run()
}

/// The isolator. It has no fields: every call may be made by another process.
pub struct PinnedCpus;

impl Isolator for PinnedCpus {
    fn name(&self) -> &str {
        NAME
    }

    /// No `plan` before: which CPUs are free is only known under the lock, and `cleanup` finds the links without facts.
    fn prepare(&self, container: &Container<'_>, _facts: &Facts) -> Result<Preparation> {
        let cpus = Slots::of(container)?.take(container.id.as_str(), wanted(container.resources), &[])?;
        let environment = vec![("PINNED_CPUS".into(), show(&cpus).into())];
        Ok(Preparation { facts: Some(show(&cpus).into_bytes()), environment, ..Preparation::default() })
    }

    /// The held first process has one thread; whatever it starts will have its CPUs.
    fn isolate(&self, container: &Container<'_>, facts: &Facts) -> Result<()> {
        let first = container.first.ok_or_else(|| Error::refused("there is no first process"))?;
        pin(first.pid, &set_of(&read_facts(facts)?)?).map(drop)
    }

    fn update(&self, container: &Container<'_>, facts: &Facts) -> Result<Option<Facts>> {
        settle(container, facts, wanted(container.resources)).map(Some)
    }

    /// The facts say it all: this costs no system call.
    fn usage(&self, _container: &Container<'_>, facts: &Facts, statistics: &mut ResourceStatistics) -> Result<()> {
        statistics.cpus_limit = Some(read_facts(facts)?.len() as f64);
        Ok(())
    }

    /// An update may have been under way when its process died, and somebody may have removed the links.
    fn recover(&self, container: &Container<'_>, facts: &Facts) -> Result<Option<Facts>> {
        settle(container, facts, wanted(container.resources()?)).map(Some)
    }

    fn cleanup(&self, container: &Container<'_>, _facts: &Facts) -> Result<()> {
        Slots::of(container)?.free_all_but(container.id.as_str(), &[])
    }
}

/// How many CPUs a container with these resources gets. (0.1 + 0.2 is a little more than 0.3.)
fn wanted(resources: &[Resource]) -> usize {
    (scalar(resources, "cpus").unwrap_or(0.0) - 1e-6).ceil().max(1.0) as usize
}

/// Makes the CPUs of a running container as many as are wanted, and has its threads use them. The new facts.
fn settle(container: &Container<'_>, facts: &Facts, wanted: usize) -> Result<Facts> {
    let (slots, before) = (Slots::of(container)?, read_facts(facts)?);
    let cpus = slots.take(container.id.as_str(), wanted, &before)?;
    pin_all(container, &set_of(&before)?, &set_of(&cpus)?)?;
    // Not earlier: nobody of this container may be on a CPU that another one can take.
    slots.free_all_but(container.id.as_str(), &cpus)?;
    Ok(show(&cpus).into_bytes())
}

/// Which CPU is whose.
struct Slots {
    /// Where the links are.
    taken: PathBuf,
    /// What there is to share out, if the operator says so.
    list: PathBuf,
}

impl Slots {
    fn of(container: &Container<'_>) -> Result<Slots> {
        let list = container.runtime_dir()?.join("pinned-cpus/cpus");
        Ok(Slots { taken: container.shared_dir("pinned-cpus")?, list })
    }

    /// The CPUs that are taken, each with the container that has it.
    fn taken(&self) -> Result<BTreeMap<usize, String>> {
        let entries = match fs::read_dir(&self.taken) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
            entries => entries.map_err(Error::path("list", &self.taken))?,
        };
        // The lock and the list are no links. What is freed meanwhile is not taken.
        let link = |entry: fs::DirEntry| {
            let holder = fs::read_link(entry.path()).ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, holder.to_string_lossy().into_owned()))
        };
        Ok(entries.flatten().filter_map(link).collect())
    }

    /// The CPUs that there are to share out.
    fn all(&self) -> Result<Vec<usize>> {
        let list = &self.list;
        match fs::read_to_string(list) {
            Ok(text) => parse(&text).ok_or_else(|| Error::refused(format!("{}: not a list of CPUs", list.display()))),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let own = sched_getaffinity(Pid::from_raw(0)).map_err(Error::system("ask for the agent's own CPUs"))?;
                Ok(members(&own).collect())
            }
            Err(e) => Err(Error::path("read", list)(e)),
        }
    }

    /// Takes CPUs until the container has as many as are wanted: those that it has, those that it had `before`, any others that
    /// are free. Returns these; if it has more, the others stay taken.
    fn take(&self, id: &str, wanted: usize, before: &[usize]) -> Result<Vec<usize>> {
        DirBuilder::new().mode(0o700).recursive(true).create(&self.taken).map_err(Error::path("make", &self.taken))?;
        // So that of two who want two of the last three one gets them.
        let _lock = self.lock()?;
        let (taken, all) = (self.taken()?, self.all()?);
        let mut cpus: Vec<usize> = taken.iter().filter(|(_, holder)| *holder == id).map(|(cpu, _)| *cpu).collect();
        cpus.truncate(wanted);
        let others = all.iter().filter(|cpu| !before.contains(cpu));
        let free = before.iter().chain(others).filter(|cpu| !taken.contains_key(cpu));
        let more: Vec<usize> = free.copied().take(wanted - cpus.len()).collect();
        if cpus.len() + more.len() < wanted {
            let held: Vec<String> = taken.iter().map(|(cpu, holder)| format!("CPU {cpu} is {holder}'s")).collect();
            return Err(Error::refused(format!(
                "container {id} needs {wanted} of the CPUs {} for itself and can have {}: {}",
                show(&all),
                cpus.len() + more.len(),
                if held.is_empty() { "none is taken".to_owned() } else { held.join(", ") }
            )));
        }
        for cpu in more {
            let link = self.taken.join(cpu.to_string());
            step("take a CPU", || symlink(id, &link)).map_err(Error::path("take", &link))?;
            cpus.push(cpu);
        }
        cpus.sort_unstable();
        Ok(cpus)
    }

    /// Takes all but these from the container. Without the lock: nobody else touches its links, and an end must not wait.
    fn free_all_but(&self, id: &str, keep: &[usize]) -> Result<()> {
        for (cpu, _) in self.taken()?.iter().filter(|(cpu, holder)| *holder == id && !keep.contains(cpu)) {
            let link = self.taken.join(cpu.to_string());
            step("free a CPU", || fs::remove_file(&link)).map_err(Error::path("free", &link))?;
        }
        Ok(())
    }

    /// Until the file is closed, which a crash does as well.
    fn lock(&self) -> Result<File> {
        let path = self.taken.join("lock");
        let file = File::options().append(true).create(true).open(&path).map_err(Error::path("open", &path))?;
        let end = Instant::now() + PATIENCE;
        while let Err(why) = file.try_lock() {
            if Instant::now() > end {
                return Err(Error::path("lock", &path)(why.into()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(file)
    }
}

/// Has the threads of a running container use the CPUs `now`. One that chose some of them for itself may keep those.
fn pin_all(container: &Container<'_>, before: &CpuSet, now: &CpuSet) -> Result<()> {
    for _ in 0..LOOKS {
        let mut pinned = false;
        for process in container.members_by_now().processes {
            for thread in container.proc.threads(process.pid) {
                let Ok(used) = sched_getaffinity(Pid::from_raw(thread)) else { continue };
                let is_right = used == *now || (used != *before && members(&used).all(|cpu| is_in(now, cpu)));
                pinned |= !is_right && pin(thread, now)?;
            }
        }
        if !pinned {
            break;
        }
    }
    Ok(())
}

/// Whether the thread was still there.
fn pin(thread: i32, cpus: &CpuSet) -> Result<bool> {
    match sched_setaffinity(Pid::from_raw(thread), cpus) {
        Err(Errno::ESRCH) => Ok(false),
        Err(Errno::EINVAL) => {
            let cpus: Vec<usize> = members(cpus).collect();
            Err(Error::refused(format!("none of the CPUs {} can be used: is it there, and online?", show(&cpus))))
        }
        done => done.map(|()| true).map_err(Error::system("pin a thread to its CPUs")),
    }
}

fn set_of(cpus: &[usize]) -> Result<CpuSet> {
    let mut set = CpuSet::new();
    cpus.iter().try_for_each(|cpu| set.set(*cpu)).map_err(Error::system("name so many CPUs"))?;
    Ok(set)
}

fn is_in(set: &CpuSet, cpu: usize) -> bool {
    set.is_set(cpu).unwrap_or(false)
}

fn members(set: &CpuSet) -> impl Iterator<Item = usize> {
    (0..CpuSet::count()).filter(move |cpu| is_in(set, *cpu))
}

fn show(cpus: &[usize]) -> String {
    cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

/// Facts are bytes that were on a disk: they are read as something that may be wrong.
fn read_facts(facts: &Facts) -> Result<Vec<usize>> {
    let text = std::str::from_utf8(facts).ok();
    text.and_then(parse).ok_or_else(|| Error::refused("the facts are not those of this isolator"))
}

/// `0-3,8`: as the kernel writes it.
fn parse(text: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        if last < first || last >= CpuSet::count() {
            return None;
        }
        cpus.extend(first..=last);
    }
    cpus.sort_unstable();
    cpus.dedup();
    Some(cpus)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn slots(cpus: &str) -> (tempfile::TempDir, Slots) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("cpus"), cpus).unwrap();
        let slots = Slots { taken: dir.path().to_path_buf(), list: dir.path().join("cpus") };
        (dir, slots)
    }

    #[test]
    fn keeps_the_contract() {
        mesos_ecp::testing::check(|| Box::new(PinnedCpus)).assert_passed();
    }

    #[test]
    fn each_cpu_has_one_holder_who_is_named_to_others() {
        let (_dir, slots) = slots("2-4\n");
        assert_eq!(slots.take("a", 2, &[]).unwrap(), [2, 3]);
        let error = slots.take("b", 2, &[]).unwrap_err().to_string();
        assert!(
            error.ends_with("b needs 2 of the CPUs 2,3,4 for itself and can have 1: CPU 2 is a's, CPU 3 is a's"),
            "{error}"
        );
        assert_eq!(slots.taken().unwrap().len(), 2, "what does not do is not taken");
        assert_eq!(slots.take("b", 1, &[]).unwrap(), [4]);
        slots.free_all_but("a", &[]).unwrap();
        slots.free_all_but("a", &[]).unwrap();
        assert_eq!(slots.taken().unwrap(), BTreeMap::from([(4, "b".to_owned())]));
        assert_eq!(slots.take("c", 2, &[]).unwrap(), [2, 3]);
    }

    #[test]
    fn who_has_some_keeps_them_and_gets_back_those_of_before() {
        let (dir, slots) = slots("0-7");
        symlink("a", dir.path().join("5")).unwrap();
        assert_eq!(slots.take("a", 3, &[3, 5]).unwrap(), [0, 3, 5], "half made, and one that was removed");
        assert_eq!(slots.take("a", 1, &[0, 3, 5]).unwrap(), [0]);
        assert_eq!(slots.taken().unwrap().len(), 3, "not freed before its threads are elsewhere");
        slots.free_all_but("a", &[0]).unwrap();
        assert_eq!(slots.taken().unwrap(), BTreeMap::from([(0, "a".to_owned())]));
    }

    #[test]
    fn of_many_at_once_as_many_win_as_there_are_pairs() {
        let (_dir, slots) = slots("0-6");
        let slots = &slots;
        let won = std::thread::scope(|scope| {
            let each = |n: usize| scope.spawn(move || slots.take(&format!("c{n}"), 2, &[]).is_ok());
            let all: Vec<_> = (0..8).map(each).collect();
            all.into_iter().filter_map(|thread| thread.join().ok()).filter(|won| *won).count()
        });
        assert_eq!((won, slots.taken().unwrap().len()), (3, 6));
    }

    #[test]
    fn nothing_made_is_nothing_to_undo() {
        let dir = tempfile::tempdir().unwrap();
        let slots = Slots { taken: dir.path().join("missing"), list: dir.path().join("none") };
        slots.free_all_but("a", &[]).unwrap();
        assert!(slots.taken().unwrap().is_empty() && !slots.taken.exists());
        let own = slots.all().unwrap();
        assert!(!own.is_empty(), "those of this process");
        slots.take("a", 1, &[]).unwrap();
        assert_eq!(fs::read_link(slots.taken.join(own[0].to_string())).unwrap().to_str(), Some("a"));
    }

    #[test]
    fn lists_and_facts() {
        assert_eq!(parse("4,0-2,2\n"), Some(vec![0, 1, 2, 4]));
        for wrong in ["", "a", "3-1", "0-", "-1", "1,,2", "0-99999999"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert_eq!(read_facts(&show(&[3, 5]).into_bytes()).unwrap(), [3, 5]);
        read_facts(&vec![0xff]).unwrap_err();
        let (_dir, slots) = slots("all of them");
        assert!(slots.take("a", 1, &[]).unwrap_err().to_string().ends_with("cpus: not a list of CPUs"));
    }

    #[test]
    fn a_part_of_a_cpu_is_a_whole_one() {
        for (cpus, whole) in [("0.1", 1), ("1", 1), ("1.2", 2), ("3.0000000001", 3)] {
            let resources = mesos_ecp::protocol::resources::text::parse(&format!("cpus:{cpus}")).unwrap();
            assert_eq!(wanted(&resources), whole, "{cpus}");
        }
        assert_eq!(wanted(&[]), 1);
    }

    #[test]
    fn a_thread_is_pinned_and_one_that_is_gone_is_no_matter() {
        let before = sched_getaffinity(Pid::from_raw(0)).unwrap();
        let one: Vec<usize> = members(&before).take(1).collect();
        std::thread::spawn(move || {
            assert!(pin(0, &set_of(&one).unwrap()).unwrap());
            assert_eq!(sched_getaffinity(Pid::from_raw(0)).unwrap(), set_of(&one).unwrap());
        })
        .join()
        .unwrap();
        assert!(!pin(i32::MAX, &before).unwrap());
        let error = pin(0, &set_of(&[CpuSet::count() - 1]).unwrap()).unwrap_err().to_string();
        assert!(error.contains("is it there, and online?"), "{error}");
    }
}
