//! Qdiscs and classes.

use mesos_ecp::netlink::class::{self, Class};
use mesos_ecp::netlink::qdisc::{self, FqCodel, Kind, Qdisc, Tbf};
use mesos_ecp::netlink::{Clock, Handle, Link};
use serde_json::Value;

use crate::host::{Host, skip};

const ROOT: Handle = Handle::ROOT;
const ONE: Handle = Handle::new(1, 0);
const CLASS: Handle = Handle::new(1, 1);

fn clock() -> Clock {
    Clock::read().unwrap()
}

/// What tc says of a link, without the link's name and what went through it.
fn told(host: &Host, what: &str, link: &str) -> Value {
    let mut said = host.json(&format!("tc {what} show dev {link}"));
    for entry in said.as_array_mut().unwrap() {
        entry.as_object_mut().unwrap().remove("dev");
        if let Some(options) = entry["options"].as_object_mut() {
            options.remove("direct_packets_stat");
        }
    }
    said
}

fn put(host: &Host, link: &Link, parent: Handle, handle: Handle, kind: Kind) {
    host.socket().perform(&qdisc::add(link.device(), &Qdisc { parent, handle, kind }, &clock())).unwrap();
}

/// The kinds of a link's qdiscs as we read them.
fn kinds(host: &Host, link: &Link) -> Vec<Qdisc> {
    qdisc::all(&mut host.socket(), link.device()).unwrap().into_iter().map(|found| found.qdisc).collect()
}

#[test]
fn qdiscs_and_classes_are_the_same_as_those_made_by_tc() {
    let Some(host) = Host::new() else { return };
    let (ours, theirs) = host.pair("v0", "v1");
    put(&host, &ours, Handle::INGRESS, Handle::new(0xffff, 0), Kind::Ingress);
    put(&host, &ours, ROOT, ONE, Kind::Htb { default: 1 });
    host.tc("qdisc add dev v1 ingress");
    host.tc("qdisc add dev v1 root handle 1: htb default 1");
    let mut socket = host.socket();
    for (class, command) in [
        (Class::limited(ONE, CLASS, 2_500_000), "classid 1:1 htb rate 20mbit"),
        (
            Class {
                ceil: Some(12_500_000_000),
                burst: Some(30 << 10),
                ceil_burst: Some(20 << 10),
                quantum: Some(5000),
                priority: 3,
                ..Class::limited(ONE, Handle::new(1, 2), 5_000_000_000)
            },
            "classid 1:2 htb rate 40gbit ceil 100gbit burst 30k cburst 20k quantum 5000 prio 3",
        ),
        (Class::limited(ONE, Handle::new(1, 3), 37_500_000 * 8), "classid 1:3 htb rate 2400mbit"),
        (Class::limited(ONE, Handle::new(1, 4), 2000), "classid 1:4 htb rate 16kbit"),
    ] {
        socket.perform(&class::add(ours.device(), &class, &clock())).unwrap();
        host.tc(&format!("class add dev v1 parent 1: {command}"));
    }
    put(&host, &ours, CLASS, Handle::new(2, 0), Kind::Pfifo { limit: Some(77) });
    put(&host, &ours, Handle::new(1, 2), Handle::new(3, 0), Kind::Pfifo { limit: None });
    host.tc("qdisc add dev v1 parent 1:1 handle 2: pfifo limit 77");
    host.tc("qdisc add dev v1 parent 1:2 handle 3: pfifo");
    assert_eq!(told(&host, "qdisc", "v0"), told(&host, "qdisc", "v1"));
    // tc 6.1 prints classes in no JSON.
    assert_eq!(host.tc("class show dev v0"), host.tc("class show dev v1"));

    // And we read the same of both.
    assert_eq!(kinds(&host, &ours), kinds(&host, &theirs));
    let classes = |link: &Link| {
        let found = class::all(&mut host.socket(), link.device()).unwrap();
        found.into_iter().map(|found| found.class).collect::<Vec<_>>()
    };
    assert_eq!(classes(&ours), classes(&theirs));
    let second = classes(&ours).into_iter().find(|class| class.handle == Handle::new(1, 2)).unwrap();
    assert_eq!((second.rate, second.ceil, second.priority), (5_000_000_000, Some(12_500_000_000), 3));
    assert_eq!(second.quantum, Some(5000));
    let first = classes(&ours).into_iter().find(|class| class.handle == CLASS).unwrap();
    assert_eq!((first.rate, first.ceil, first.burst), (2_500_000, Some(2_500_000), Some(1600)));

    // Changed in place by us, seen by tc.
    socket.perform(&class::replace(ours.device(), &Class::limited(ONE, CLASS, 1_250_000), &clock())).unwrap();
    assert!(host.tc("class show dev v0 classid 1:1").contains("rate 10Mbit ceil 10Mbit"));
    let error = socket.perform(&class::add(ours.device(), &Class::limited(ONE, CLASS, 1), &clock())).unwrap_err();
    assert!(error.to_string().starts_with("cannot add class 1:1 of v0: File exists (os error 17)"), "{error}");
    socket.perform(&class::delete(ours.device(), Handle::new(1, 3))).unwrap();
    assert_eq!(classes(&ours).len(), 3);
    socket.perform(&qdisc::delete(ours.device(), Handle::INGRESS, Handle::new(0xffff, 0))).unwrap();
    socket.perform(&qdisc::delete(ours.device(), ROOT, ONE)).unwrap();
    assert!(!kinds(&host, &ours).iter().any(|qdisc| ["htb", "ingress", "pfifo"].contains(&qdisc.kind.name())));
    socket.perform(&qdisc::delete(ours.device(), ROOT, ONE)).unwrap_err();
}

#[test]
fn token_buckets_are_the_same_as_those_made_by_tc() {
    let Some(host) = Host::new() else { return };
    let (ours, theirs) = host.pair("v0", "v1");
    for (tbf, command) in [
        (Tbf { rate: 2_500_000, burst: 10 << 10, limit: 100 << 10 }, "rate 20mbit burst 10kb limit 100kb"),
        (Tbf { rate: 5_000_000_000, burst: 1 << 20, limit: 10 << 20 }, "rate 40gbit burst 1mb limit 10mb"),
    ] {
        let qdisc = Qdisc { parent: ROOT, handle: Handle::new(5, 0), kind: Kind::Tbf(tbf) };
        host.socket().perform(&qdisc::replace(ours.device(), &qdisc, &clock())).unwrap();
        host.tc(&format!("qdisc replace dev v1 root handle 5: tbf {command}"));
        assert_eq!(host.tc("qdisc show dev v0").replace("v0", "v1"), host.tc("qdisc show dev v1"));
        let Kind::Tbf(found) = kinds(&host, &ours).remove(0).kind else { panic!("no tbf") };
        assert_eq!((found.rate, found.limit), (tbf.rate, tbf.limit));
        assert!(found.burst.abs_diff(tbf.burst) <= tbf.burst / 100, "{found:?}");
        assert_eq!(kinds(&host, &ours), kinds(&host, &theirs));
    }
}

#[test]
fn many_queues_are_the_same_as_those_made_by_tc() {
    let Some(host) = Host::new() else { return };
    let (ours, theirs) = host.pair("v0", "v1");
    let settings = FqCodel {
        limit: Some(1000),
        flows: Some(512),
        target: Some(6000),
        interval: Some(90_000),
        quantum: Some(3028),
        ecn: Some(false),
        ..FqCodel::default()
    };
    for (settings, command) in [
        (settings, "limit 1000 flows 512 target 6ms interval 90ms quantum 3028 noecn"),
        (FqCodel { flows: Some(512), ..FqCodel::default() }, "flows 512"),
    ] {
        let qdisc = Qdisc { parent: ROOT, handle: Handle::new(5, 0), kind: Kind::FqCodel(settings) };
        let made = host.socket().perform(&qdisc::add(ours.device(), &qdisc, &clock()));
        if let Err(error) = &made
            && error.errno() == Some(libc::ENOENT)
        {
            let text = "cannot add qdisc fq_codel 5: at root of v0: No such file or directory (os error 2) (Specified qdisc kind is unknown)";
            assert_eq!(error.to_string(), text);
            return skip("this kernel has no fq_codel");
        }
        made.unwrap();
        host.tc(&format!("qdisc add dev v1 root handle 5: fq_codel {command}"));
        assert_eq!(told(&host, "qdisc", "v0"), told(&host, "qdisc", "v1"));
        let found = qdisc::all(&mut host.socket(), ours.device()).unwrap().remove(0);
        assert!(found.fq_codel.is_some());
        let Kind::FqCodel(read) = &found.qdisc.kind else { panic!("no fq_codel") };
        assert_eq!(read.flows, Some(512));
        assert!(settings.limit.is_none_or(|limit| read.limit == Some(limit)));
        assert_eq!(kinds(&host, &ours), kinds(&host, &theirs));
        for link in [&ours, &theirs] {
            host.socket().perform(&qdisc::delete(link.device(), ROOT, Handle::new(5, 0))).unwrap();
        }
    }
}

#[test]
fn statistics_are_those_that_tc_shows() {
    let Some(host) = Host::new() else { return };
    let (v0, _) = host.pair("v0", "v1");
    put(&host, &v0, ROOT, ONE, Kind::Htb { default: 1 });
    host.socket().perform(&class::add(v0.device(), &Class::limited(ONE, CLASS, 2000), &clock())).unwrap();
    put(&host, &v0, CLASS, Handle::new(2, 0), Kind::Pfifo { limit: Some(20) });
    host.ip("addr add 10.1.2.3/24 dev v0");
    host.ip("neigh add 10.1.2.9 lladdr 02:00:00:00:00:09 dev v0");
    host.within(|| {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        for _ in 0..100 {
            // Those that there is no room for are an error of some kernels.
            let _ = socket.send_to(&[0; 1000], "10.1.2.9:9");
        }
    });
    // What waits goes on leaving, two packets a second, so between two looks nothing may have changed.
    for _ in 0..20 {
        let before = qdisc::all(&mut host.socket(), v0.device()).unwrap();
        let said = host.json("tc -s qdisc show dev v0");
        let after = qdisc::all(&mut host.socket(), v0.device()).unwrap();
        let classes = class::all(&mut host.socket(), v0.device()).unwrap();
        if before != after {
            continue;
        }
        for found in before {
            let handle = found.qdisc.handle.to_string();
            let said = said.as_array().unwrap().iter().find(|said| said["handle"] == handle).unwrap();
            let ours = found.statistics;
            let counted = [ours.bytes, ours.packets, ours.drops.into(), ours.overlimits.into(), ours.requeues.into()];
            for (name, number) in ["bytes", "packets", "drops", "overlimits", "requeues"].into_iter().zip(counted) {
                assert_eq!(said[name], number, "{name} of {said}");
            }
            assert_eq!((&said["backlog"], &said["qlen"]), (&ours.backlog.into(), &ours.queued.into()));
            if handle == "2:" {
                assert!(ours.drops > 0 && ours.queued > 0, "{ours:?}");
            }
        }
        assert!(classes[0].statistics.packets > 0 && classes[0].statistics.drops > 0, "{classes:?}");
        return;
    }
    panic!("it never stood still");
}
