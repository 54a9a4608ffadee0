//! Which points a life with these isolators passes, noted by one that nobody disturbs; and the list of them that is checked in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::arms::{Arms, Point, noted};
use super::kit::{Kit, Place};
use super::lives::{BOUND, When, live};
use crate::agent::{Container, eventually};

/// The points of each kind of life, in their order.
pub type Points = BTreeMap<When, Vec<Point>>;

/// Steps that are passed or not as the moment has it.
const SOMETIMES: [&str; 7] =
    ["figures ", "ready ", "network unlink", "netlink delete link", "reap", "control freezer", "control cgroup.kill"];

pub fn is_sometimes(step: &str) -> bool {
    SOMETIMES.iter().any(|start| step.starts_with(start))
}

/// Notes all of them.
pub fn passed(kit: &Kit) -> Points {
    let mut all = Points::new();
    let place = kit.place();
    let list = |name: &str| place.agent.path(name);
    let notes = |name: &str| Arms::Notes(list(name));

    let container = launch(&place, &notes("life"));
    let launched = settled(&list("life"));
    notes("usage").on(container.invoke("usage")).run().ok();
    notes("update").on(place.update(&container)).run().ok();
    let wait = notes("wait").on(container.invoke("wait")).spawn();
    container.go();
    wait.finish_within(BOUND).termination();
    container.note_end();
    ended(&place);
    all.insert(When::End, noted(&list("life")).split_off(launched.len()));
    all.insert(When::Launch, launched);
    for (when, name) in [(When::Usage, "usage"), (When::Update, "update"), (When::Wait, "wait")] {
        all.insert(when, noted(&list(name)));
    }

    let container = launch(&place, &notes("destroyed"));
    let begin = settled(&list("destroyed")).len();
    notes("destroyed").on(container.invoke("destroy")).run().ok();
    container.wait();
    container.note_end();
    ended(&place);
    all.insert(When::Destroy, noted(&list("destroyed")).split_off(begin));

    let (_, call) = notes("failed").on_task(place.failing()).spawn();
    assert!(!call.finish_within(BOUND).status.success());
    ended(&place);
    let failed = noted(&list("failed"));
    let released = failed.iter().position(|point| point.name == "release:after").expect("it was released");
    all.insert(When::Undo, failed[released..].to_vec());

    for when in [When::Recover, When::TakeOver, When::Sweep] {
        let place = kit.place();
        let list = place.agent.path("steps");
        live(when, &place, &Arms::Notes(list.clone()), false);
        all.insert(when, noted(&list));
    }
    // Nothing was done yet there; and who is killed before the record is read is none that the stand-in for the agent knows of.
    all.values_mut()
        .for_each(|points| points.retain(|p| !(p.name.starts_with("verb ") && p.name.ends_with(":before"))));
    all
}

fn launch<'a>(place: &'a Place<'_>, arms: &Arms) -> Container<'a> {
    let container = arms.on_task(place.task()).launch();
    container.remember();
    container
}

/// The points up to where the container is watched: its launch is over.
fn settled(list: &Path) -> Vec<Point> {
    let count = |points: &[Point], start: &str| {
        points.iter().filter(|p| p.name.starts_with(start) && p.name.ends_with(":after")).count()
    };
    eventually("the container is watched", || {
        let points = noted(list);
        count(&points, "verb launch") == 1 && count(&points, "watch ") == count(&points, "isolate ")
    });
    noted(list)
}

fn ended(place: &Place<'_>) {
    eventually("its supervisor has ended", || place.agent.supervisors().is_empty());
}

/// Each step once, in the order in which it is first passed.
fn steps(points: &[Point]) -> Vec<String> {
    let mut known = BTreeSet::new();
    points.iter().map(Point::step).filter(|step| known.insert(*step)).map(str::to_owned).collect()
}

const HEADER: &str = "\
# Steps that lives with all isolators pass, by what is under way; at each of them the sweep kills, before and after.
# Generated: UPDATE_GENERATED=1 cargo test --features crash-points,weakened --test e2e crash::sweep::everything
";

/// The checked-in list of what `passed` has found.
pub fn as_text(points: &Points) -> String {
    let mut text = HEADER.to_owned();
    for (when, points) in points {
        text += &format!("\n[{when:?}]\n");
        steps(points).iter().filter(|step| !is_sometimes(step)).for_each(|step| text += &format!("{step}\n"));
    }
    text
}

fn sections(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut sections = BTreeMap::<String, BTreeSet<String>>::new();
    let mut section = String::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix('[') {
            Some(name) => section = name.trim_end_matches(']').to_owned(),
            None => drop(sections.entry(section.clone()).or_default().insert(line.to_owned())),
        }
    }
    sections
}

/// Fails the test unless the list that is checked in has what is passed here, and nothing else. On a host that has other isolators
/// to offer than the one that it was made on, it may have more.
#[track_caller]
pub fn assert_listed(points: &Points, same_host: bool) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/crash/points.txt");
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(&path, as_text(points)).unwrap();
    }
    let (known, found) = (sections(&fs::read_to_string(&path).unwrap_or_default()), sections(&as_text(points)));
    let advice = "is the sweep complete with it? Then UPDATE_GENERATED=1 writes the list anew";
    for (section, steps) in &found {
        let known = known.get(section).cloned().unwrap_or_default();
        let new: Vec<_> = steps.difference(&known).collect();
        assert!(
            new.is_empty() || !same_host,
            "[{section}] has steps that {} does not list: {new:?}; {advice}",
            path.display()
        );
        let gone: Vec<_> = known.difference(steps).collect();
        assert!(gone.is_empty() || !same_host, "[{section}] does not pass {gone:?} any more; {advice}");
    }
}
