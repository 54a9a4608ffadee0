//! One round: two agents that share a runtime directory, some tens of random deeds, then the end of everything and a look at what is
//! left.
//!
//! What must hold: `recover` and `containers` exit with 0; so do `launch`, `usage`, `update` and `destroy`, unless we killed them;
//! every verb ends in time; a container that runs is listed; `wait` answers once for each launched container, with the true status if
//! nobody of ours was killed; at the end no process, no state and no cgroup is left.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::agent::processes::{self, Process};
use crate::agent::{Agent, Call, messages, patient};

use super::life::{Kind, Life, task};
use super::random::Random;

/// How many containers one agent has at the most.
const MOST: usize = 6;
const DEEDS: usize = 40;
/// A verb and its container's whole end, however often its owner died.
const BOUND: Duration = Duration::from_secs(40);

#[derive(Clone, Copy, Debug)]
enum Deed {
    Launch,
    LaunchCutShort,
    Go,
    Shoot,
    Usage,
    Update,
    Destroy,
    CutShort,
    KillSupervisors,
    Wait,
    KillWait,
    Restart,
    Forget,
    List,
}

const DEEDS_AS_LIKELY: [(u32, Deed); 14] = [
    (24, Deed::Launch),
    (6, Deed::LaunchCutShort),
    (10, Deed::Go),
    (3, Deed::Shoot),
    (6, Deed::Usage),
    (6, Deed::Update),
    (8, Deed::Destroy),
    (8, Deed::CutShort),
    (5, Deed::KillSupervisors),
    (8, Deed::Wait),
    (4, Deed::KillWait),
    (3, Deed::Restart),
    (1, Deed::Forget),
    (4, Deed::List),
];

#[derive(Default)]
pub struct Done {
    pub lives: u64,
    pub calls: u64,
    pub kills: u64,
    /// Statuses that died with a supervisor.
    pub lost: u64,
}

pub struct Round {
    name: String,
    random: Random,
    done: Done,
}

struct Side<'a> {
    agent: &'a Agent,
    has_init: bool,
    lives: Vec<Life<'a>>,
}

/// How the containers of a round are kept.
#[derive(Clone, Copy)]
struct Way {
    flags: &'static [&'static str],
    /// Then no status is ever lost.
    has_init: bool,
}

/// Each with how often it is taken.
fn ways() -> Vec<(u32, Way)> {
    let way = |flags, has_init| Way { flags, has_init };
    let mut ways = vec![(3, way(&[][..], false))];
    if nix::unistd::Uid::effective().is_root() {
        ways.push((2, way(&["--isolation=cgroups/cpu,cgroups/mem,cgroups/pids,hooks", "--on_exit=true"], false)));
        ways.push((1, way(&["--isolation=namespaces/pid,posix/cpu,posix/mem"], false)));
        ways.push((2, way(&["--isolation=namespaces/pid,namespaces/ipc,cgroups/mem", "--pid1=init"], true)));
        const DISK: &str = "--isolation=filesystem/linux,namespaces/uts,posix/disk,network/ports,cgroups/cpu";
        ways.push((2, way(&[DISK, "--container_disk_watch_interval=300ms"], false)));
    }
    ways
}

impl Round {
    pub fn new(name: String, random: Random) -> Round {
        Round { name, random, done: Done::default() }
    }

    pub fn run(mut self) -> Done {
        let ways = ways();
        let way = self.random.weighted(&ways);
        let one = way.flags.iter().fold(Agent::builder(), |agent, flag| agent.flag(flag)).build();
        let two = way.flags.iter().fold(Agent::builder(), |agent, flag| agent.flag(flag)).beside(&one).build();
        let mut sides = [&one, &two].map(|agent| Side { agent, has_init: way.has_init, lives: Vec::new() });
        for step in 0..DEEDS {
            let deed = self.random.weighted(&DEEDS_AS_LIKELY);
            let what = format!("{}, step {step}, {deed:?}", self.name);
            if let Deed::KillSupervisors = deed {
                self.kill_supervisors(&mut sides);
                continue;
            }
            let side = &mut sides[self.random.below(2)];
            self.act(side, deed, &what);
        }
        for side in &mut sides {
            self.finish(side);
        }
        drop(sides);
        let until = Instant::now() + patient(Duration::from_secs(10));
        loop {
            let left = [one.left(), two.left()].concat();
            if left.is_empty() {
                return self.done;
            }
            assert!(Instant::now() < until, "{}: left behind: {left:#?}", self.name);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn act(&mut self, side: &mut Side<'_>, deed: Deed, what: &str) {
        self.done.calls += 1;
        match deed {
            Deed::Launch => self.launch(side),
            Deed::LaunchCutShort => self.launch_cut_short(side, what),
            Deed::Restart => self.restart(side, true, what),
            Deed::Forget => self.restart(side, false, what),
            Deed::List => Self::list(side, what),
            _ if side.lives.is_empty() => {}
            deed => {
                let at = self.random.below(side.lives.len());
                self.about(side, at, deed, what);
            }
        }
    }

    fn about(&mut self, side: &mut Side<'_>, at: usize, deed: Deed, what: &str) {
        let life = &mut side.lives[at];
        match deed {
            Deed::Go if life.kind == Kind::Waits => {
                life.container.go();
                life.told = true;
            }
            Deed::Shoot => {
                // It may have ended by now. While it executes something it has no environment to be known by: then the lowest is
                // another, a child of a shell.
                let is_shell = |process: &Process| process.name == "sh";
                let all = life.container.processes();
                let first = all.iter().find(|process| is_shell(process));
                if let Some(first) = first.filter(|first| !Process::find(first.parent).is_some_and(|p| is_shell(&p))) {
                    processes::signal(first.pid, Signal::SIGKILL);
                    life.shot = true;
                }
            }
            Deed::Usage => drop(life.container.invoke("usage").run().statistics()),
            Deed::Update => {
                let cpus = 0.1 + self.random.below(9) as f64 / 10.0;
                let record = messages::update(&life.container.id, &[messages::scalar("cpus", cpus)]).record();
                life.container.invoke("update").record(record).run().ok();
            }
            Deed::Destroy => {
                self.destroy(life, what);
                let life = side.lives.remove(at);
                self.end(life, what);
            }
            Deed::CutShort => {
                let verb = self.random.weighted(&[(2, "destroy"), (1, "usage"), (1, "update")]);
                life.perhaps_destroyed |= verb == "destroy";
                let mut call = life.container.invoke(verb);
                if verb == "update" {
                    call = call.record(messages::update(&life.container.id, &[messages::scalar("cpus", 0.5)]).record());
                }
                // A destroy that finds the owner dead becomes the parent of the next one, no more.
                self.cut(call.spawn());
            }
            Deed::Wait if life.wait.is_none() => life.wait = Some(life.container.spawn_wait()),
            Deed::KillWait => {
                if let Some(wait) = life.wait.take() {
                    self.done.kills += 1;
                    wait.kill_alone();
                }
            }
            _ => {}
        }
    }

    fn launch<'a>(&mut self, side: &mut Side<'a>) {
        if side.lives.len() == MOST {
            return;
        }
        let (task, kind, code) = task(side.agent, &mut self.random);
        let container = task.launch();
        self.done.lives += 1;
        let wait = (self.random.below(3) > 0).then(|| container.spawn_wait());
        side.lives.push(Life {
            container,
            kind,
            code,
            wait,
            has_init: side.has_init,
            told: false,
            shot: false,
            orphaned: false,
            destroyed: false,
            perhaps_destroyed: false,
        });
    }

    /// Whether it was launched depends on the moment. The agent takes it for failed and knows nothing of it, and a container that runs
    /// all the same is found by the next recover.
    fn launch_cut_short(&mut self, side: &mut Side<'_>, what: &str) {
        let (task, ..) = task(side.agent, &mut self.random);
        let (container, call) = task.spawn();
        self.done.lives += 1;
        self.cut(call);
        let destroy = container.invoke("destroy").spawn().finish_within(BOUND);
        assert_eq!(destroy.status.code(), Some(0), "{what}: {}", destroy.stderr);
        assert!(container.processes().is_empty(), "{what}: what a dead launch had begun goes on");
    }

    /// Kills a call somewhere on its way.
    fn cut(&mut self, call: Call<'_>) {
        self.done.kills += 1;
        std::thread::sleep(Duration::from_micros(self.random.below(8000) as u64));
        call.kill_alone();
    }

    fn kill_supervisors(&mut self, sides: &mut [Side<'_>; 2]) {
        // Each knows the calls of its own only, and takes the other's for supervisors.
        let others: Vec<_> = sides[1].agent.supervisors().iter().map(|process| process.pid).collect();
        for process in sides[0].agent.supervisors().iter().filter(|process| others.contains(&process.pid)) {
            if self.random.below(2) == 0 {
                let owned =
                    |side: &Side<'_>, life: &Life<'_>| side.agent.owner(&life.container.id) == Some(process.pid);
                let whose = sides
                    .iter()
                    .enumerate()
                    .find_map(|(at, side)| side.lives.iter().position(|life| owned(side, life)).map(|life| (at, life)));
                processes::signal(process.pid, Signal::SIGKILL);
                self.done.kills += 1;
                match whose {
                    Some((side, life)) => sides[side].lives[life].orphaned = true,
                    // One that is about to become an owner, perhaps.
                    None => sides.iter_mut().flat_map(|side| &mut side.lives).for_each(|life| life.orphaned = true),
                }
            }
        }
    }

    fn list(side: &Side<'_>, what: &str) {
        let listed = side.agent.containers();
        for life in side.lives.iter().filter(|life| !life.may_end()) {
            assert!(listed.contains(&life.container.id), "{what}: not listed: {}", life.describe());
        }
    }

    /// The agent dies, with the waits that it has, and comes back.
    fn restart<'a>(&mut self, side: &mut Side<'a>, remembers: bool, what: &str) {
        let mut orphans = Vec::new();
        for life in &mut side.lives {
            orphans.extend(life.wait.take().map(Call::orphan));
        }
        let mut recovered =
            if remembers { side.agent.restart_with_memory() } else { side.agent.restart_without_memory() };
        for orphan in orphans {
            let code = orphan.exit_code(BOUND);
            assert!(code.is_some(), "{what}: a wait of a dead agent was killed by a signal");
        }
        if !remembers {
            // All that was listed was destroyed.
            assert!(recovered.waits.is_empty(), "{what}");
            side.lives.clear();
            return;
        }
        for life in &mut side.lives {
            life.wait = recovered.waits.remove(&life.container.id);
            // One that has ended and was answered is still known to whoever asks.
            let known = life.wait.is_some() || life.may_end();
            assert!(known, "{what}: not listed: {}", life.describe());
        }
    }

    fn destroy(&mut self, life: &mut Life<'_>, what: &str) {
        life.destroyed = true;
        // An agent has several workers.
        let update = (self.random.below(4) == 0).then(|| {
            let record = messages::update(&life.container.id, &[messages::scalar("cpus", 0.3)]).record();
            (life.container.invoke("update").record(record).spawn(), life.container.invoke("destroy").spawn())
        });
        life.container.invoke("destroy").spawn().finish_within(BOUND).ok();
        let left = life.container.processes();
        assert!(left.is_empty(), "{what}: destroy has returned, and yet: {}", life.describe());
        if let Some((update, another)) = update {
            update.finish_within(BOUND).ok();
            another.finish_within(BOUND).ok();
        }
    }

    /// What `wait` says of one that has ended, or is about to.
    fn end(&mut self, mut life: Life<'_>, what: &str) {
        let mut wait = life.wait.take().unwrap_or_else(|| life.container.spawn_wait());
        let end = Instant::now() + patient(BOUND);
        while wait.is_running() {
            assert!(Instant::now() < end, "{what}: wait does not end: {}", life.describe());
            std::thread::sleep(Duration::from_millis(5));
        }
        let end = wait.finish().termination();
        self.done.lost += u64::from(end.status.is_none());
        life.judge(&end, what);
        if self.random.below(4) == 0 {
            let again = life.container.spawn_wait().finish_within(BOUND).termination();
            assert_eq!(
                (again.status, again.killed),
                (end.status, end.killed),
                "{what}: another answer: {}",
                life.describe()
            );
        }
        life.container.note_end();
    }

    fn finish(&mut self, side: &mut Side<'_>) {
        let what = format!("{}, at the end", self.name);
        for mut life in side.lives.drain(..) {
            if !life.ends() || self.random.below(3) == 0 {
                self.destroy(&mut life, &what);
            }
            self.end(life, &what);
        }
        // Launches that were cut short, perhaps behind their commit.
        side.agent.restart_without_memory();
        assert!(side.agent.containers().is_empty(), "{what}: listed after all is done");
    }
}
