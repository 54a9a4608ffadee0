//! --default_container_info: a ContainerInfo for those that bring none.

use super::{RO, linux, open_directory, volume, volumes};
use crate::agent::{Agent, need_root};
use crate::refusals::assert_says;

fn json(source: &str) -> String {
    format!(r#"{{"type":"MESOS","volumes":[{{"host_path":"{source}","container_path":"data","mode":"RO"}}]}}"#)
}

#[test]
fn it_stands_in_where_there_is_none() {
    need_root!();
    let agent = linux().build();
    let (source, other) = (open_directory(&agent, "source", "default"), open_directory(&agent, "other", "own"));
    let file = agent.path("info.json");
    std::fs::write(&file, json(&source) + "\n").unwrap();
    for value in [format!("'{}'", json(&source)), file.display().to_string(), format!("file://{}", file.display())] {
        let flag = format!("--default_container_info={value}");
        let container = agent.task("cat data/content").flag(&flag).launch();
        container.complete().assert_status(0);
        assert_eq!(container.file("stdout"), "default\n");
        let list = [volume(&other, "data", RO)];
        let container = agent.task("cat data/content").flag(&flag).edit(volumes(&list)).launch();
        container.complete().assert_status(0);
        assert_eq!(container.file("stdout"), "own\n");
    }
}

#[test]
fn a_bad_one_is_named() {
    need_root!();
    let agent = linux().build();
    for (value, says) in [
        ("'{}'", "--default_container_info: "),
        ("'{\"type\":\"MESOS\",\"volume\":[]}'", "volume"),
        ("/no/such/file", "cannot read /no/such/file"),
        (
            "'{\"type\":\"DOCKER\",\"docker\":{\"image\":\"busybox\"}}'",
            "a docker container (--default_container_info.type",
        ),
    ] {
        let reason = agent.task("touch ran").flag(&format!("--default_container_info={value}")).refused();
        assert_says(&reason, &["--default_container_info", says]);
    }
    let agent = Agent::new();
    let flag = format!("--default_container_info='{}'", json("/usr"));
    let reason = agent.task("touch ran").flag(&flag).refused();
    assert_says(&reason, &["a volume (--default_container_info.volumes", "filesystem/linux"]);
}
