//! The program is replaced by a later one while containers run: what the older one has written is read by the next, and who looks after
//! the containers may still be the older one.
//!
//! tests/fixtures/state has what programs of different age have written, a directory for each, named by the layout's version and
//! what was new in it. `ECP_OLDER=PROGRAM` has the tests begin with that program and not with the same one, `ECP_OLDER_ISOLATION` says what it
//! knows, and `ECP_SAMPLE=NAME` keeps what it has written.

use std::fs;
use std::path::{Path, PathBuf};

use crate::agent::wire::Message;
use crate::agent::{Agent, Builder, Container, need_root};
use crate::recovery::{assert_seven_or_unknown, lasting};

/// Isolators that leave something in the state or in the kernel, and that a host without networks and quotas has.
const ISOLATION: &str =
    "cgroups/cpu,cgroups/mem,cgroups/pids,posix/rlimits,disk/du,namespaces/pid,filesystem/linux,linux/capabilities";
/// Fields of `Checkpoint` in proto/state.proto.
const ISOLATORS: u32 = 5;
/// Of those the ones that say where on this host it all is: owner, first process, sandbox, account, the agent's own record,
/// hierarchies, the root of cgroups.
const PLACES: [u32; 7] = [2, 4, 6, 7, 8, 11, 12];

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/state")
}

/// An agent that begins with the older program.
fn older() -> Builder {
    let isolation = std::env::var("ECP_OLDER_ISOLATION").unwrap_or_else(|_| ISOLATION.to_owned());
    let program = std::env::var_os("ECP_OLDER").map_or_else(|| env!("CARGO_BIN_EXE_mesos-ecp").into(), PathBuf::from);
    Agent::builder().replaceable(program).flag(&format!("--isolation={isolation}"))
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in files(from) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

/// What is kept of one that has ended, beside this one's state.
fn record(state: &Path, ended: &Container) -> PathBuf {
    state.parent().and_then(Path::parent).unwrap().join("ended").join(&ended.id)
}

fn is_checkpoint(path: &Path) -> bool {
    path.file_name().unwrap().to_string_lossy().starts_with("checkpoint-")
}

/// One that has ended, and of which nobody has asked yet.
fn ended(agent: &Agent) -> Container<'_> {
    let container = lasting(agent);
    container.go();
    crate::agent::eventually("it has ended", || !agent.live().contains(&container.id));
    container
}

/// Everything that can be asked about these two works.
#[track_caller]
fn assert_goes_on(agent: &Agent, running: &Container, ended: &Container) {
    let mut recovered = agent.restart_with_memory();
    let mut ids = [running.id.as_str(), ended.id.as_str()];
    ids.sort_unstable();
    assert_eq!(recovered.listed, ids);
    running.usage().assert_measured();
    running.update(&[("cpus", 0.5), ("mem", 96.0)]);
    assert_eq!(running.usage().mem_limit_bytes(), Some(96 << 20));
    let wait = recovered.wait(running);
    running.go();
    assert_seven_or_unknown(&wait.finish().termination());
    recovered.wait(ended).finish().termination().assert_status(7 << 8);
    [running, ended].iter().for_each(|container| container.note_end());
}

#[test]
fn a_program_that_is_replaced_leaves_its_supervisors_to_the_next() {
    need_root!();
    let agent = older().build();
    let (running, unwanted) = (lasting(&agent), lasting(&agent));
    let ended = ended(&agent);
    agent.replace(Path::new(env!("CARGO_BIN_EXE_mesos-ecp")));
    unwanted.destroy();
    unwanted.wait();
    assert_goes_on(&agent, &running, &ended);
    agent.assert_nothing_left();
    assert_eq!(agent.left(), Vec::<String>::new());
}

#[test]
fn a_program_that_is_replaced_leaves_its_containers_to_the_next() {
    need_root!();
    let agent = older().build();
    let running = lasting(&agent);
    let ended = ended(&agent);
    agent.kill_supervisors();
    if let Ok(name) = std::env::var("ECP_SAMPLE") {
        let state = agent.state(&running.id).unwrap();
        copy(&state, &samples().join(&name).join("live"));
        copy(&record(&state, &ended), &samples().join(&name).join("ended"));
    }
    agent.replace(Path::new(env!("CARGO_BIN_EXE_mesos-ecp")));
    assert_goes_on(&agent, &running, &ended);
    agent.assert_nothing_left();
    assert_eq!(agent.left(), Vec::<String>::new());
}

/// The sample's checkpoint, of a container that is here.
fn moved(sample: &Message, here: &Message) -> Message {
    let mut moved = sample.clone();
    moved.0.retain(|(number, _)| !PLACES.contains(number));
    moved.0.extend(here.0.iter().filter(|(number, _)| PLACES.contains(number)).cloned());
    moved
}

/// A container like that of the sample runs, and what is known of it is what the older program wrote.
fn go_on_from(sample: &Path) {
    let written = files(&sample.join("live"));
    let checkpoint = |path: &PathBuf| Message::decode(&fs::read(path).unwrap());
    let sampled = written.iter().rfind(|path| is_checkpoint(path)).expect("a checkpoint");
    let isolators = checkpoint(sampled).texts(ISOLATORS).join(",");
    let agent = Agent::builder().flag(&format!("--isolation={isolators}")).build();
    let (running, ended) = (lasting(&agent), ended(&agent));
    agent.kill_supervisors();

    let state = agent.state(&running.id).unwrap();
    let here = files(&state).into_iter().rfind(|path| is_checkpoint(path)).expect("a checkpoint");
    let here = checkpoint(&here);
    files(&state).iter().for_each(|path| fs::remove_file(path).unwrap());
    copy(&sample.join("live"), &state);
    for path in files(&state).iter().filter(|path| is_checkpoint(path)) {
        fs::write(path, moved(&checkpoint(path), &here).encode()).unwrap();
    }
    let record = record(&state, &ended);
    files(&record).iter().for_each(|path| fs::remove_file(path).unwrap());
    copy(&sample.join("ended"), &record);
    assert_goes_on(&agent, &running, &ended);
    agent.assert_nothing_left();
    assert_eq!(agent.left(), Vec::<String>::new());
}

#[test]
fn what_older_programs_have_written_is_read() {
    need_root!();
    let all = files(&samples());
    assert!(!all.is_empty());
    all.iter().for_each(|sample| {
        println!("{}", sample.display());
        go_on_from(sample);
    });
}
