//! What the program inside has said.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// One report.
#[derive(Clone, Debug)]
pub struct Report(Value);

/// A line of mountinfo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What of the file system is mounted.
    pub root: String,
    /// Where.
    pub point: String,
    /// Of this mount: `rw`, `nosuid` and so on.
    pub options: Vec<String>,
    /// Such as `shared:1`.
    pub propagation: Vec<String>,
    /// The file system's type.
    pub kind: String,
    /// The file system's own.
    pub super_options: Vec<String>,
}

/// Sets of capabilities, capability n as bit n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    pub effective: u64,
    pub permitted: u64,
    pub inheritable: u64,
    pub bounding: u64,
    pub ambient: u64,
}

impl Report {
    #[track_caller]
    pub fn parse(text: &str) -> Report {
        Report(serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}")))
    }

    #[track_caller]
    fn at(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or_else(|| panic!("{name} is not in {}", self.0))
    }

    /// A number that is one member by itself, such as `pid`, `umask`, `dumpable`; see `program.c`.
    #[track_caller]
    pub fn number(&self, name: &str) -> u64 {
        self.at(name).as_u64().unwrap_or_else(|| panic!("{name} is {}", self.at(name)))
    }

    /// A text that is one member by itself: `cwd`, `hostname`.
    #[track_caller]
    pub fn text(&self, name: &str) -> &str {
        self.at(name).as_str().unwrap()
    }

    #[track_caller]
    fn numbers(&self, name: &str) -> Vec<u64> {
        let list = self.at(name).as_array().unwrap_or_else(|| panic!("{name} is {}", self.at(name)));
        list.iter().map(|value| value.as_u64().unwrap()).collect()
    }

    /// The lines of a file of /proc: `cgroup`, `status`, `oom_score_adj`.
    #[track_caller]
    pub fn lines(&self, name: &str) -> Vec<&str> {
        let list = self.at(name).as_array().unwrap_or_else(|| panic!("{name} is {}", self.at(name)));
        list.iter().map(|value| value.as_str().unwrap()).collect()
    }

    /// A line of /proc/self/status.
    #[track_caller]
    pub fn status(&self, name: &str) -> &str {
        let line = self.lines("status").into_iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("{name} is not in status")).trim()
    }

    /// What is open, by number, and where it leads (empty without a /proc).
    pub fn descriptors(&self) -> BTreeMap<i32, &str> {
        let all = self.at("descriptors").as_object().unwrap();
        all.iter().map(|(number, path)| (number.parse().unwrap(), path.as_str().unwrap())).collect()
    }

    pub fn environment(&self) -> BTreeSet<&str> {
        self.lines("environment").into_iter().collect()
    }

    /// Real, effective and saved.
    pub fn uids(&self) -> [u64; 3] {
        self.numbers("uids").try_into().unwrap()
    }

    /// Real, effective and saved.
    pub fn gids(&self) -> [u64; 3] {
        self.numbers("gids").try_into().unwrap()
    }

    /// Sorted.
    pub fn groups(&self) -> Vec<u64> {
        let mut groups = self.numbers("groups");
        groups.sort();
        groups
    }

    pub fn capabilities(&self) -> Capabilities {
        let set = |name: &str| self.at("capabilities")[name].as_u64().unwrap();
        Capabilities {
            effective: set("effective"),
            permitted: set("permitted"),
            inheritable: set("inheritable"),
            bounding: set("bounding"),
            ambient: set("ambient"),
        }
    }

    /// The signals that are `ignored`, `caught` or `blocked`, signal n as bit n - 1.
    #[track_caller]
    pub fn signals(&self, which: &str) -> u64 {
        self.at("signals")[which].as_u64().unwrap()
    }

    /// Soft and hard, by name in small letters.
    pub fn rlimits(&self) -> BTreeMap<&str, (u64, u64)> {
        let pair = |value: &Value| (value[0].as_u64().unwrap(), value[1].as_u64().unwrap());
        self.at("rlimits").as_object().unwrap().iter().map(|(name, value)| (name.as_str(), pair(value))).collect()
    }

    pub fn nice(&self) -> i64 {
        20 - self.number("priority") as i64
    }

    /// Whether it has a controlling terminal.
    pub fn has_terminal(&self) -> bool {
        self.at("terminal").as_bool().unwrap()
    }

    /// The inode of a namespace, by its name in /proc/PID/ns.
    #[track_caller]
    pub fn namespace(&self, name: &str) -> u64 {
        self.at("namespaces")[name].as_u64().unwrap()
    }

    /// The pids that /proc lists. None: there is no /proc.
    pub fn processes(&self) -> Option<Vec<u64>> {
        self.at("processes").is_array().then(|| self.numbers("processes"))
    }

    /// The entries of a directory that it was asked to list, sorted, or the name of the error.
    #[track_caller]
    pub fn directory(&self, path: &str) -> Result<Vec<String>, String> {
        match self.at("directories").get(path).unwrap_or_else(|| panic!("{path} was not asked for")) {
            Value::Array(list) => {
                let mut names: Vec<_> = list.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
                names.sort();
                Ok(names)
            }
            error => Err(error.as_str().unwrap().to_owned()),
        }
    }

    /// All mounts, in the order of mountinfo.
    pub fn mounts(&self) -> Vec<Mount> {
        self.lines("mountinfo").into_iter().map(Mount::parse).collect()
    }

    /// The mount that is seen at this path.
    pub fn mount(&self, point: &str) -> Option<Mount> {
        self.mounts().into_iter().rfind(|mount| mount.point == point)
    }
}

impl Mount {
    #[track_caller]
    pub fn parse(line: &str) -> Mount {
        let words = |text: &str| text.split(',').map(str::to_owned).collect();
        let (mount, system) = line.split_once(" - ").unwrap_or_else(|| panic!("no line of mountinfo: {line}"));
        let mut mount = mount.split(' ').skip(3);
        let mut next = || mount.next().unwrap().to_owned();
        let (root, point, options) = (next(), next(), next());
        let propagation = mount.map(str::to_owned).collect();
        let system: Vec<_> = system.split(' ').collect();
        Mount {
            root,
            point,
            options: words(&options),
            propagation,
            kind: system[0].to_owned(),
            super_options: words(system[2]),
        }
    }

    pub fn is(&self, option: &str) -> bool {
        self.options.iter().any(|o| o == option)
    }
}
