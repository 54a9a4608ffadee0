// Made from proto/ by tests/generated.rs; not to be edited.

pub(in crate::protocol) static MESSAGES: [MessageEntry; 88] = [
    MessageEntry {
        name: "mesos.CapabilityInfo",
        fields: &[
        ],
    },
    MessageEntry {
        name: "mesos.CommandInfo",
        fields: &[
            FieldEntry { number: 1, name: "uris", label: Label::Repeated, message: Some(3) },
            FieldEntry { number: 2, name: "environment", label: Label::Optional, message: Some(12) },
            FieldEntry { number: 4, name: "container", label: Label::Optional, message: Some(2) },
        ],
    },
    MessageEntry {
        name: "mesos.CommandInfo.ContainerInfo",
        fields: &[
            FieldEntry { number: 1, name: "image", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.CommandInfo.URI",
        fields: &[
            FieldEntry { number: 1, name: "value", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.ContainerID",
        fields: &[
            FieldEntry { number: 1, name: "value", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.ContainerInfo",
        fields: &[
            FieldEntry { number: 1, name: "type", label: Label::Required, message: None },
            FieldEntry { number: 2, name: "volumes", label: Label::Repeated, message: Some(60) },
            FieldEntry { number: 3, name: "docker", label: Label::Optional, message: Some(6) },
            FieldEntry { number: 5, name: "mesos", label: Label::Optional, message: Some(8) },
            FieldEntry { number: 7, name: "network_infos", label: Label::Repeated, message: Some(29) },
            FieldEntry { number: 8, name: "linux_info", label: Label::Optional, message: Some(28) },
            FieldEntry { number: 9, name: "rlimit_info", label: Label::Optional, message: Some(36) },
        ],
    },
    MessageEntry {
        name: "mesos.ContainerInfo.DockerInfo",
        fields: &[
            FieldEntry { number: 1, name: "image", label: Label::Required, message: None },
            FieldEntry { number: 3, name: "port_mappings", label: Label::Repeated, message: Some(7) },
            FieldEntry { number: 5, name: "parameters", label: Label::Repeated, message: Some(31) },
        ],
    },
    MessageEntry {
        name: "mesos.ContainerInfo.DockerInfo.PortMapping",
        fields: &[
            FieldEntry { number: 1, name: "host_port", label: Label::Required, message: None },
            FieldEntry { number: 2, name: "container_port", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.ContainerInfo.MesosInfo",
        fields: &[
            FieldEntry { number: 1, name: "image", label: Label::Optional, message: Some(20) },
        ],
    },
    MessageEntry {
        name: "mesos.Credential",
        fields: &[
            FieldEntry { number: 1, name: "principal", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.DiscoveryInfo",
        fields: &[
            FieldEntry { number: 1, name: "visibility", label: Label::Required, message: None },
            FieldEntry { number: 6, name: "ports", label: Label::Optional, message: Some(35) },
            FieldEntry { number: 7, name: "labels", label: Label::Optional, message: Some(27) },
        ],
    },
    MessageEntry {
        name: "mesos.DurationInfo",
        fields: &[
            FieldEntry { number: 1, name: "nanoseconds", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.Environment",
        fields: &[
            FieldEntry { number: 1, name: "variables", label: Label::Repeated, message: Some(13) },
        ],
    },
    MessageEntry {
        name: "mesos.Environment.Variable",
        fields: &[
            FieldEntry { number: 1, name: "name", label: Label::Required, message: None },
            FieldEntry { number: 2, name: "value", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.ExecutorID",
        fields: &[
            FieldEntry { number: 1, name: "value", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.ExecutorInfo",
        fields: &[
            FieldEntry { number: 1, name: "executor_id", label: Label::Required, message: Some(14) },
            FieldEntry { number: 5, name: "resources", label: Label::Repeated, message: Some(38) },
            FieldEntry { number: 7, name: "command", label: Label::Required, message: Some(1) },
            FieldEntry { number: 8, name: "framework_id", label: Label::Optional, message: Some(16) },
            FieldEntry { number: 11, name: "container", label: Label::Optional, message: Some(5) },
            FieldEntry { number: 12, name: "discovery", label: Label::Optional, message: Some(10) },
            FieldEntry { number: 13, name: "shutdown_grace_period", label: Label::Optional, message: Some(11) },
            FieldEntry { number: 14, name: "labels", label: Label::Optional, message: Some(27) },
        ],
    },
    MessageEntry {
        name: "mesos.FrameworkID",
        fields: &[
            FieldEntry { number: 1, name: "value", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.HealthCheck",
        fields: &[
            FieldEntry { number: 1, name: "http", label: Label::Optional, message: Some(18) },
            FieldEntry { number: 7, name: "command", label: Label::Optional, message: Some(1) },
        ],
    },
    MessageEntry {
        name: "mesos.HealthCheck.HTTP",
        fields: &[
            FieldEntry { number: 1, name: "port", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.IcmpStatistics",
        fields: &[
        ],
    },
    MessageEntry {
        name: "mesos.Image",
        fields: &[
            FieldEntry { number: 1, name: "type", label: Label::Required, message: None },
            FieldEntry { number: 2, name: "appc", label: Label::Optional, message: Some(22) },
            FieldEntry { number: 3, name: "docker", label: Label::Optional, message: Some(23) },
        ],
    },
    MessageEntry {
        name: "mesos.Image.AppC",
        fields: &[
            FieldEntry { number: 1, name: "name", label: Label::Required, message: None },
            FieldEntry { number: 3, name: "labels", label: Label::Optional, message: Some(27) },
        ],
    },
    MessageEntry {
        name: "mesos.Image.Appc",
        fields: &[
            FieldEntry { number: 1, name: "name", label: Label::Required, message: None },
            FieldEntry { number: 3, name: "labels", label: Label::Optional, message: Some(27) },
        ],
    },
    MessageEntry {
        name: "mesos.Image.Docker",
        fields: &[
            FieldEntry { number: 1, name: "name", label: Label::Required, message: None },
            FieldEntry { number: 2, name: "credential", label: Label::Optional, message: Some(9) },
        ],
    },
    MessageEntry {
        name: "mesos.IpStatistics",
        fields: &[
        ],
    },
    MessageEntry {
        name: "mesos.KillPolicy",
        fields: &[
            FieldEntry { number: 1, name: "grace_period", label: Label::Optional, message: Some(11) },
        ],
    },
    MessageEntry {
        name: "mesos.Label",
        fields: &[
            FieldEntry { number: 1, name: "key", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.Labels",
        fields: &[
            FieldEntry { number: 1, name: "labels", label: Label::Repeated, message: Some(26) },
        ],
    },
    MessageEntry {
        name: "mesos.LinuxInfo",
        fields: &[
            FieldEntry { number: 1, name: "capability_info", label: Label::Optional, message: Some(0) },
            FieldEntry { number: 2, name: "bounding_capabilities", label: Label::Optional, message: Some(0) },
            FieldEntry { number: 3, name: "effective_capabilities", label: Label::Optional, message: Some(0) },
        ],
    },
    MessageEntry {
        name: "mesos.NetworkInfo",
        fields: &[
            FieldEntry { number: 4, name: "labels", label: Label::Optional, message: Some(27) },
            FieldEntry { number: 5, name: "ip_addresses", label: Label::Repeated, message: Some(30) },
        ],
    },
    MessageEntry {
        name: "mesos.NetworkInfo.IPAddress",
        fields: &[
        ],
    },
    MessageEntry {
        name: "mesos.Parameter",
        fields: &[
            FieldEntry { number: 1, name: "key", label: Label::Required, message: None },
            FieldEntry { number: 2, name: "value", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.Parameters",
        fields: &[
            FieldEntry { number: 1, name: "parameter", label: Label::Repeated, message: Some(31) },
        ],
    },
    MessageEntry {
        name: "mesos.PerfStatistics",
        fields: &[
            FieldEntry { number: 1, name: "timestamp", label: Label::Required, message: None },
            FieldEntry { number: 2, name: "duration", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.Port",
        fields: &[
            FieldEntry { number: 1, name: "number", label: Label::Required, message: None },
            FieldEntry { number: 5, name: "labels", label: Label::Optional, message: Some(27) },
        ],
    },
    MessageEntry {
        name: "mesos.Ports",
        fields: &[
            FieldEntry { number: 1, name: "ports", label: Label::Repeated, message: Some(34) },
        ],
    },
    MessageEntry {
        name: "mesos.RLimitInfo",
        fields: &[
            FieldEntry { number: 1, name: "rlimits", label: Label::Repeated, message: Some(37) },
        ],
    },
    MessageEntry {
        name: "mesos.RLimitInfo.RLimit",
        fields: &[
        ],
    },
    MessageEntry {
        name: "mesos.Resource",
        fields: &[
            FieldEntry { number: 1, name: "name", label: Label::Required, message: None },
            FieldEntry { number: 2, name: "type", label: Label::Required, message: None },
            FieldEntry { number: 3, name: "scalar", label: Label::Optional, message: Some(58) },
            FieldEntry { number: 4, name: "ranges", label: Label::Optional, message: Some(57) },
            FieldEntry { number: 5, name: "set", label: Label::Optional, message: Some(59) },
            FieldEntry { number: 7, name: "disk", label: Label::Optional, message: Some(39) },
            FieldEntry { number: 8, name: "reservation", label: Label::Optional, message: Some(44) },
            FieldEntry { number: 9, name: "revocable", label: Label::Optional, message: Some(45) },
        ],
    },
    MessageEntry {
        name: "mesos.Resource.DiskInfo",
        fields: &[
            FieldEntry { number: 1, name: "persistence", label: Label::Optional, message: Some(40) },
            FieldEntry { number: 2, name: "volume", label: Label::Optional, message: Some(60) },
            FieldEntry { number: 3, name: "source", label: Label::Optional, message: Some(41) },
        ],
    },
    MessageEntry {
        name: "mesos.Resource.DiskInfo.Persistence",
        fields: &[
            FieldEntry { number: 1, name: "id", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.Resource.DiskInfo.Source",
        fields: &[
            FieldEntry { number: 1, name: "type", label: Label::Required, message: None },
            FieldEntry { number: 2, name: "path", label: Label::Optional, message: Some(43) },
            FieldEntry { number: 3, name: "mount", label: Label::Optional, message: Some(42) },
        ],
    },
    MessageEntry {
        name: "mesos.Resource.DiskInfo.Source.Mount",
        fields: &[
            FieldEntry { number: 1, name: "root", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.Resource.DiskInfo.Source.Path",
        fields: &[
            FieldEntry { number: 1, name: "root", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.Resource.ReservationInfo",
        fields: &[
            FieldEntry { number: 2, name: "labels", label: Label::Optional, message: Some(27) },
        ],
    },
    MessageEntry {
        name: "mesos.Resource.RevocableInfo",
        fields: &[
        ],
    },
    MessageEntry {
        name: "mesos.ResourceStatistics",
        fields: &[
            FieldEntry { number: 1, name: "timestamp", label: Label::Required, message: None },
            FieldEntry { number: 13, name: "perf", label: Label::Optional, message: Some(33) },
            FieldEntry { number: 35, name: "net_traffic_control_statistics", label: Label::Repeated, message: Some(53) },
            FieldEntry { number: 42, name: "net_snmp_statistics", label: Label::Optional, message: Some(47) },
        ],
    },
    MessageEntry {
        name: "mesos.SNMPStatistics",
        fields: &[
            FieldEntry { number: 1, name: "ip_stats", label: Label::Optional, message: Some(24) },
            FieldEntry { number: 2, name: "icmp_stats", label: Label::Optional, message: Some(19) },
            FieldEntry { number: 3, name: "tcp_stats", label: Label::Optional, message: Some(52) },
            FieldEntry { number: 4, name: "udp_stats", label: Label::Optional, message: Some(54) },
        ],
    },
    MessageEntry {
        name: "mesos.SlaveID",
        fields: &[
            FieldEntry { number: 1, name: "value", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.TaskID",
        fields: &[
            FieldEntry { number: 1, name: "value", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.TaskInfo",
        fields: &[
            FieldEntry { number: 1, name: "name", label: Label::Required, message: None },
            FieldEntry { number: 2, name: "task_id", label: Label::Required, message: Some(49) },
            FieldEntry { number: 3, name: "slave_id", label: Label::Required, message: Some(48) },
            FieldEntry { number: 4, name: "resources", label: Label::Repeated, message: Some(38) },
            FieldEntry { number: 5, name: "executor", label: Label::Optional, message: Some(15) },
            FieldEntry { number: 7, name: "command", label: Label::Optional, message: Some(1) },
            FieldEntry { number: 8, name: "health_check", label: Label::Optional, message: Some(17) },
            FieldEntry { number: 9, name: "container", label: Label::Optional, message: Some(5) },
            FieldEntry { number: 10, name: "labels", label: Label::Optional, message: Some(27) },
            FieldEntry { number: 11, name: "discovery", label: Label::Optional, message: Some(10) },
            FieldEntry { number: 12, name: "kill_policy", label: Label::Optional, message: Some(25) },
        ],
    },
    MessageEntry {
        name: "mesos.TaskStatus",
        fields: &[
        ],
    },
    MessageEntry {
        name: "mesos.TcpStatistics",
        fields: &[
        ],
    },
    MessageEntry {
        name: "mesos.TrafficControlStatistics",
        fields: &[
            FieldEntry { number: 1, name: "id", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.UdpStatistics",
        fields: &[
        ],
    },
    MessageEntry {
        name: "mesos.Value",
        fields: &[
        ],
    },
    MessageEntry {
        name: "mesos.Value.Range",
        fields: &[
            FieldEntry { number: 1, name: "begin", label: Label::Required, message: None },
            FieldEntry { number: 2, name: "end", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.Value.Ranges",
        fields: &[
            FieldEntry { number: 1, name: "range", label: Label::Repeated, message: Some(56) },
        ],
    },
    MessageEntry {
        name: "mesos.Value.Scalar",
        fields: &[
            FieldEntry { number: 1, name: "value", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.Value.Set",
        fields: &[
        ],
    },
    MessageEntry {
        name: "mesos.Volume",
        fields: &[
            FieldEntry { number: 1, name: "container_path", label: Label::Required, message: None },
            FieldEntry { number: 3, name: "mode", label: Label::Required, message: None },
            FieldEntry { number: 4, name: "image", label: Label::Optional, message: Some(20) },
            FieldEntry { number: 5, name: "source", label: Label::Optional, message: Some(61) },
        ],
    },
    MessageEntry {
        name: "mesos.Volume.Source",
        fields: &[
            FieldEntry { number: 2, name: "docker_volume", label: Label::Optional, message: Some(62) },
        ],
    },
    MessageEntry {
        name: "mesos.Volume.Source.DockerVolume",
        fields: &[
            FieldEntry { number: 2, name: "name", label: Label::Required, message: None },
            FieldEntry { number: 3, name: "driver_options", label: Label::Optional, message: Some(32) },
        ],
    },
    MessageEntry {
        name: "mesos.containerizer.Containers",
        fields: &[
            FieldEntry { number: 1, name: "containers", label: Label::Repeated, message: Some(4) },
        ],
    },
    MessageEntry {
        name: "mesos.containerizer.Destroy",
        fields: &[
            FieldEntry { number: 1, name: "container_id", label: Label::Required, message: Some(4) },
        ],
    },
    MessageEntry {
        name: "mesos.containerizer.Launch",
        fields: &[
            FieldEntry { number: 1, name: "container_id", label: Label::Required, message: Some(4) },
            FieldEntry { number: 2, name: "task_info", label: Label::Optional, message: Some(50) },
            FieldEntry { number: 3, name: "executor_info", label: Label::Optional, message: Some(15) },
            FieldEntry { number: 6, name: "slave_id", label: Label::Optional, message: Some(48) },
        ],
    },
    MessageEntry {
        name: "mesos.containerizer.Termination",
        fields: &[
            FieldEntry { number: 1, name: "killed", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.containerizer.Update",
        fields: &[
            FieldEntry { number: 1, name: "container_id", label: Label::Required, message: Some(4) },
            FieldEntry { number: 2, name: "resources", label: Label::Repeated, message: Some(38) },
        ],
    },
    MessageEntry {
        name: "mesos.containerizer.Usage",
        fields: &[
            FieldEntry { number: 1, name: "container_id", label: Label::Required, message: Some(4) },
        ],
    },
    MessageEntry {
        name: "mesos.containerizer.Wait",
        fields: &[
            FieldEntry { number: 1, name: "container_id", label: Label::Required, message: Some(4) },
        ],
    },
    MessageEntry {
        name: "mesos.fetcher.FetcherInfo",
        fields: &[
            FieldEntry { number: 1, name: "sandbox_directory", label: Label::Required, message: None },
            FieldEntry { number: 3, name: "items", label: Label::Repeated, message: Some(71) },
        ],
    },
    MessageEntry {
        name: "mesos.fetcher.FetcherInfo.Item",
        fields: &[
            FieldEntry { number: 1, name: "uri", label: Label::Required, message: Some(3) },
            FieldEntry { number: 2, name: "action", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos.fetcher.LegacyFetcherInfo",
        fields: &[
            FieldEntry { number: 1, name: "command_info", label: Label::Required, message: Some(1) },
            FieldEntry { number: 2, name: "work_directory", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos_ecp.fetch.Cache",
        fields: &[
            FieldEntry { number: 1, name: "directory", label: Label::Required, message: None },
            FieldEntry { number: 2, name: "size", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos_ecp.fetch.Item",
        fields: &[
        ],
    },
    MessageEntry {
        name: "mesos_ecp.fetch.Owner",
        fields: &[
            FieldEntry { number: 1, name: "uid", label: Label::Required, message: None },
            FieldEntry { number: 2, name: "gid", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos_ecp.fetch.Request",
        fields: &[
            FieldEntry { number: 1, name: "version", label: Label::Required, message: None },
            FieldEntry { number: 2, name: "items", label: Label::Repeated, message: Some(74) },
            FieldEntry { number: 3, name: "sandbox", label: Label::Required, message: None },
            FieldEntry { number: 4, name: "sandbox_path", label: Label::Required, message: None },
            FieldEntry { number: 5, name: "report", label: Label::Required, message: None },
            FieldEntry { number: 6, name: "owner", label: Label::Optional, message: Some(75) },
            FieldEntry { number: 7, name: "connect_timeout_ms", label: Label::Required, message: None },
            FieldEntry { number: 8, name: "stall_timeout_ms", label: Label::Required, message: None },
            FieldEntry { number: 9, name: "size_limit", label: Label::Required, message: None },
            FieldEntry { number: 10, name: "cache", label: Label::Optional, message: Some(73) },
        ],
    },
    MessageEntry {
        name: "mesos_ecp.isolator.Call",
        fields: &[
            FieldEntry { number: 6, name: "resources", label: Label::Repeated, message: Some(38) },
            FieldEntry { number: 7, name: "launch", label: Label::Optional, message: Some(65) },
            FieldEntry { number: 8, name: "cgroups", label: Label::Repeated, message: Some(78) },
            FieldEntry { number: 9, name: "ended", label: Label::Optional, message: Some(66) },
        ],
    },
    MessageEntry {
        name: "mesos_ecp.isolator.Cgroup",
        fields: &[
            FieldEntry { number: 1, name: "controller", label: Label::Required, message: None },
            FieldEntry { number: 2, name: "path", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos_ecp.isolator.Description",
        fields: &[
        ],
    },
    MessageEntry {
        name: "mesos_ecp.isolator.File",
        fields: &[
            FieldEntry { number: 1, name: "path", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos_ecp.isolator.Reply",
        fields: &[
            FieldEntry { number: 2, name: "environment", label: Label::Optional, message: Some(12) },
            FieldEntry { number: 3, name: "statistics", label: Label::Optional, message: Some(46) },
            FieldEntry { number: 5, name: "mounts", label: Label::Repeated, message: Some(60) },
            FieldEntry { number: 9, name: "files", label: Label::Repeated, message: Some(80) },
        ],
    },
    MessageEntry {
        name: "mesos_ecp.state.Checkpoint",
        fields: &[
            FieldEntry { number: 1, name: "version", label: Label::Required, message: None },
            FieldEntry { number: 2, name: "owner", label: Label::Required, message: Some(86) },
            FieldEntry { number: 4, name: "first", label: Label::Optional, message: Some(86) },
            FieldEntry { number: 11, name: "hierarchies", label: Label::Repeated, message: Some(85) },
            FieldEntry { number: 16, name: "described", label: Label::Repeated, message: Some(83) },
        ],
    },
    MessageEntry {
        name: "mesos_ecp.state.Described",
        fields: &[
            FieldEntry { number: 1, name: "isolator", label: Label::Required, message: None },
            FieldEntry { number: 2, name: "description", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos_ecp.state.Ended",
        fields: &[
            FieldEntry { number: 1, name: "version", label: Label::Required, message: None },
            FieldEntry { number: 2, name: "termination", label: Label::Required, message: Some(66) },
        ],
    },
    MessageEntry {
        name: "mesos_ecp.state.Hierarchy",
        fields: &[
            FieldEntry { number: 1, name: "mount_point", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos_ecp.state.Process",
        fields: &[
            FieldEntry { number: 1, name: "pid", label: Label::Required, message: None },
            FieldEntry { number: 2, name: "start_time", label: Label::Required, message: None },
        ],
    },
    MessageEntry {
        name: "mesos_ecp.state.Resources",
        fields: &[
            FieldEntry { number: 1, name: "resources", label: Label::Repeated, message: Some(38) },
        ],
    },
];

impl Described for mesos::ContainerInfo {
    const INDEX: TableIndex = TableIndex(5);
}

impl Described for mesos::ResourceStatistics {
    const INDEX: TableIndex = TableIndex(46);
}

impl Described for mesos::containerizer::Containers {
    const INDEX: TableIndex = TableIndex(63);
}

impl Described for mesos::containerizer::Destroy {
    const INDEX: TableIndex = TableIndex(64);
}

impl Described for mesos::containerizer::Launch {
    const INDEX: TableIndex = TableIndex(65);
}

impl Described for mesos::containerizer::Termination {
    const INDEX: TableIndex = TableIndex(66);
}

impl Described for mesos::containerizer::Update {
    const INDEX: TableIndex = TableIndex(67);
}

impl Described for mesos::containerizer::Usage {
    const INDEX: TableIndex = TableIndex(68);
}

impl Described for mesos::containerizer::Wait {
    const INDEX: TableIndex = TableIndex(69);
}

impl Described for mesos::fetcher::FetcherInfo {
    const INDEX: TableIndex = TableIndex(70);
}

impl Described for mesos::fetcher::LegacyFetcherInfo {
    const INDEX: TableIndex = TableIndex(72);
}

impl Described for fetch::Cache {
    const INDEX: TableIndex = TableIndex(73);
}

impl Described for fetch::Item {
    const INDEX: TableIndex = TableIndex(74);
}

impl Described for fetch::Owner {
    const INDEX: TableIndex = TableIndex(75);
}

impl Described for fetch::Request {
    const INDEX: TableIndex = TableIndex(76);
}

impl Described for isolator::Call {
    const INDEX: TableIndex = TableIndex(77);
}

impl Described for isolator::Cgroup {
    const INDEX: TableIndex = TableIndex(78);
}

impl Described for isolator::Description {
    const INDEX: TableIndex = TableIndex(79);
}

impl Described for isolator::File {
    const INDEX: TableIndex = TableIndex(80);
}

impl Described for isolator::Reply {
    const INDEX: TableIndex = TableIndex(81);
}

impl Described for state::Checkpoint {
    const INDEX: TableIndex = TableIndex(82);
}

impl Described for state::Described {
    const INDEX: TableIndex = TableIndex(83);
}

impl Described for state::Ended {
    const INDEX: TableIndex = TableIndex(84);
}

impl Described for state::Hierarchy {
    const INDEX: TableIndex = TableIndex(85);
}

impl Described for state::Process {
    const INDEX: TableIndex = TableIndex(86);
}

impl Described for state::Resources {
    const INDEX: TableIndex = TableIndex(87);
}
