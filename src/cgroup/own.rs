//! Where a process is in each hierarchy: proc_pid_cgroup, cgroups(7).
#![forbid(unsafe_code)]

/// The path of the process whose /proc/PID/cgroup this is in the v1 hierarchy of `controller` (also `name=...`), or, for the
/// empty name, in v2. It is relative to the root of the reader's cgroup namespace.
pub fn own_path<'a>(proc_cgroup: &'a str, controller: &str) -> Option<&'a str> {
    proc_cgroup.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_id, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        controllers.split(',').any(|c| c == controller).then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hierarchy_has_its_own_path() {
        let text = "9:name=systemd:/system.slice/x.service\n4:memory:/a:b\n1:cpu,cpuacct:/\n0::/init.scope\n";
        assert_eq!(own_path(text, "memory"), Some("/a:b"));
        assert_eq!(own_path(text, "cpuacct"), Some("/"));
        assert_eq!(own_path(text, "name=systemd"), Some("/system.slice/x.service"));
        assert_eq!(own_path(text, ""), Some("/init.scope"));
        assert_eq!(own_path(text, "pids"), None);
    }
}
