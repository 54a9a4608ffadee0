//! Agents of 0.19 to 0.22 ask for the usage of each container every second, from about one second after its launch to once
//! after its end, whatever else goes on. Each of these calls must be answered, or the test fails.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::container::Known;
use super::{Agent, DEADLINE, patient};

/// Between two calls about a container, and before the first.
const INTERVAL: Duration = Duration::from_secs(1);
/// How soon it is noticed that a call or a container has ended.
const TICK: Duration = Duration::from_millis(10);

/// The containers that are asked about.
#[derive(Default)]
pub struct Polls(Mutex<BTreeMap<String, Poll>>);

/// The questions about one of them.
struct Poll {
    shared: Arc<Signals>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Signals {
    /// The container has ended: once more, and that is all.
    ended: AtomicBool,
    /// The agent goes: at once.
    stop: AtomicBool,
    answers: AtomicU32,
}

impl Polls {
    /// Begins to ask about a container, unless that is done already.
    pub fn begin(&self, agent: &Agent, id: &str, known: &Known) {
        let mut all = self.0.lock().unwrap();
        if let Some(old) = all.get(id) {
            if !old.shared.ended.load(Ordering::Relaxed) {
                return;
            }
            // The same id was launched anew.
            all.remove(id).unwrap().finish();
        }
        let shared = Arc::new(Signals::default());
        let poll = Questions {
            agent: agent.another_handle(),
            id: id.to_owned(),
            sandbox: known.sandbox.clone(),
            user: known.user.clone(),
            signals: Arc::clone(&shared),
        };
        let named = std::thread::Builder::new().name(format!("usage of {id}"));
        let thread = named.spawn(move || poll.ask()).unwrap();
        all.insert(id.to_owned(), Poll { shared, thread });
    }

    /// Notes that a container has ended.
    pub fn end(&self, id: &str) {
        if let Some(poll) = self.0.lock().unwrap().get(id) {
            poll.shared.ended.store(true, Ordering::Relaxed);
        }
    }

    /// How often it was asked and answered about a container.
    pub fn answers(&self, id: &str) -> u32 {
        self.0.lock().unwrap().get(id).map_or(0, |poll| poll.shared.answers.load(Ordering::Relaxed))
    }

    /// Ends all of it; gives the names of the containers with an unanswered question.
    pub fn finish(&self) -> Vec<String> {
        let all = std::mem::take(&mut *self.0.lock().unwrap());
        all.values().for_each(|poll| poll.shared.stop.store(true, Ordering::Relaxed));
        let failed = all.into_iter().filter_map(|(id, poll)| poll.finish().then_some(id));
        failed.collect()
    }
}

impl Poll {
    /// Whether a call has failed.
    fn finish(self) -> bool {
        self.thread.join().is_err()
    }
}

struct Questions {
    agent: Agent,
    id: String,
    sandbox: PathBuf,
    user: Option<String>,
    signals: Arc<Signals>,
}

impl Questions {
    fn ask(&self) {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        loop {
            let next = Instant::now() + INTERVAL;
            while Instant::now() < next && !is(&self.signals.ended) && !is(&self.signals.stop) {
                std::thread::sleep(TICK);
            }
            let is_last = is(&self.signals.ended);
            if is(&self.signals.stop) && !is_last {
                return;
            }
            if !self.ask_once(is_last) {
                return;
            }
            self.signals.answers.fetch_add(1, Ordering::Relaxed);
            if is_last {
                return;
            }
        }
    }

    /// False if the agent went before the answer. After the container's end it stays for it.
    fn ask_once(&self, is_last: bool) -> bool {
        let invocation = self.agent.about("usage", &self.id).sandbox(&self.sandbox, self.user.as_deref());
        let mut call = invocation.spawn();
        let end = Instant::now() + patient(DEADLINE);
        while call.is_running() && Instant::now() < end {
            if self.signals.stop.load(Ordering::Relaxed) && !is_last {
                return false;
            }
            std::thread::sleep(TICK);
        }
        let _ = call.finish().statistics();
        true
    }
}
