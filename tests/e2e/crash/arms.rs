//! Calls that die at a point, or that note which points they pass.

use std::fs;
use std::path::{Path, PathBuf};

use crate::agent::{Invocation, Task};

/// A point to die at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// `STEP:SIDE`.
    pub name: String,
    /// Which time it is passed.
    pub at: u32,
}

impl Point {
    pub fn step(&self) -> &str {
        self.name.rsplit_once(':').unwrap().0
    }
}

/// What some of the calls of a life carry.
pub enum Arms {
    /// They note their points in this file.
    Notes(PathBuf),
    /// One of them dies at a point.
    Death {
        point: Point,
        /// Made by whoever dies.
        mark: PathBuf,
        /// Where all who are to die with it enter themselves; None: it dies alone.
        all: Option<PathBuf>,
        /// A defence that is taken away from the calls that clean up.
        weakened: Option<&'static str>,
    },
}

impl Arms {
    fn carried(&self) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        match self {
            Arms::Notes(list) => vec![("ECP_STEPS", text(list))],
            Arms::Death { point, mark, .. } => {
                let own = vec![
                    ("ECP_CRASH", point.name.clone()),
                    ("ECP_CRASH_AT", point.at.to_string()),
                    ("ECP_CRASH_ONCE", text(mark)),
                ];
                own.into_iter().chain(self.beside()).collect()
            }
        }
    }

    /// What those have who may have to die with another one.
    fn beside(&self) -> Vec<(&'static str, String)> {
        let Arms::Death { all, weakened, .. } = self else { return Vec::new() };
        let all = all.iter().map(|all| ("ECP_CRASH_ALL", all.to_str().unwrap().to_owned()));
        all.chain(weakened.iter().map(|weak| ("ECP_WEAKEN", (*weak).to_owned()))).collect()
    }

    pub fn on<'a>(&self, call: Invocation<'a>) -> Invocation<'a> {
        self.carried().iter().fold(call, |call, (name, value)| call.env(name, value))
    }

    pub fn on_task<'a>(&self, task: Task<'a>) -> Task<'a> {
        self.carried().iter().fold(task, |task, (name, value)| task.agent_env(name, value))
    }

    pub fn near<'a>(&self, call: Invocation<'a>) -> Invocation<'a> {
        self.beside().iter().fold(call, |call, (name, value)| call.env(name, value))
    }

    pub fn near_task<'a>(&self, task: Task<'a>) -> Task<'a> {
        self.beside().iter().fold(task, |task, (name, value)| task.agent_env(name, value))
    }

    /// Whether somebody has died at the point.
    pub fn is_spent(&self) -> bool {
        matches!(self, Arms::Death { mark, .. } if mark.exists())
    }

    /// Whether all die together.
    pub fn kills_all(&self) -> bool {
        matches!(self, Arms::Death { all: Some(_), .. })
    }
}

/// The points noted so far, each with which time it is passed.
pub fn noted(list: &Path) -> Vec<Point> {
    let text = fs::read_to_string(list).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let at = |number: usize| lines[..=number].iter().filter(|line| **line == lines[number]).count() as u32;
    lines.iter().enumerate().map(|(number, line)| Point { name: (*line).to_owned(), at: at(number) }).collect()
}
