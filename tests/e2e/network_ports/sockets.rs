//! Whose socket it is.

use super::{address, agent, assert_unallocated, enforcing, listen, log, looks};
use crate::agent::container::AWAIT_GO;
use crate::agent::{eventually, need_root};

#[test]
fn a_socket_that_was_inherited_and_left_to_an_orphan_counts() {
    let agent = enforcing().build();
    // Who made it ends, and who has it is in a session of its own and nobody's child.
    let inherit = "perl -MSocket -MPOSIX -e '$^F = 100; socket(S, PF_INET, SOCK_STREAM, 0); \
         bind(S, sockaddr_in(21001, inet_aton(\"ADDRESS\"))) or die; listen(S, 5); \
         exit if fork; POSIX::setsid(); exit if fork; exec \"sleep\", \"1000\"'; sleep 1000";
    let container = agent.task(&inherit.replace("ADDRESS", &address())).launch();
    assert_unallocated(&container, &container.complete(), "[21001-21001]");
    agent.assert_nothing_left();
}

#[test]
fn a_socket_of_ipv6_counts() {
    let Ok(free) = std::net::TcpListener::bind("[::1]:0") else { crate::agent::skip!("no IPv6 here") };
    let port = free.local_addr().unwrap().port();
    drop(free);
    let agent = enforcing().build();
    let script = "perl -MSocket=:DEFAULT,inet_pton,pack_sockaddr_in6 -e 'socket(S, PF_INET6, SOCK_STREAM, 0); \
         bind(S, pack_sockaddr_in6(PORT, inet_pton(PF_INET6, \"::1\"))) or die; listen(S, 5); sleep 1000'";
    let container = agent.task(&script.replace("PORT", &port.to_string())).launch();
    assert_unallocated(&container, &container.complete(), &format!("[{port}-{port}]"));
}

#[test]
fn what_is_bound_or_connected_and_listens_to_nobody_does_not_count() {
    let agent = enforcing().build();
    let server = std::net::TcpListener::bind((address(), 0)).unwrap();
    let to = server.local_addr().unwrap();
    let script = "perl -MSocket -e 'socket(A, PF_INET, SOCK_STREAM, 0); socket(B, PF_INET, SOCK_STREAM, 0); \
         socket(C, PF_INET, SOCK_DGRAM, 0); bind(A, sockaddr_in(21001, inet_aton(\"ADDRESS\"))) or die; \
         bind(C, sockaddr_in(21002, inet_aton(\"ADDRESS\"))) or die; \
         connect(B, sockaddr_in(PORT, inet_aton(\"ADDRESS\"))) or die; open(F, \">ready\"); close(F); sleep 1000'";
    let script = script.replace("ADDRESS", &to.ip().to_string()).replace("PORT", &to.port().to_string());
    let container = agent.task(&script).launch();
    eventually("it has all three", || container.path("ready").exists());
    looks();
    assert!(!container.processes().is_empty(), "{}", container.file("stderr"));
    assert_eq!(log(&agent, &container), "");
    container.destroy();
    agent.assert_nothing_left();
}

#[test]
fn a_socket_in_another_network_does_not_count() {
    need_root!();
    let agent = enforcing().build();
    let inner = format!("ip link set lo up; {} sleep 1000", listen("127.0.0.1", &[21001]));
    let script = format!("cat > inner <<'EOF'\n{inner}\nEOF\nexec unshare --net sh inner");
    let container = agent.task(&script).launch();
    eventually("it listens", || container.path("listening.21001").exists());
    looks();
    assert!(!container.processes().is_empty());
    container.destroy();
}

/// What runs with rights that the program does not have cannot be looked at, and must not pass for harmless.
#[test]
fn who_cannot_be_looked_at_is_named_in_the_log() {
    need_root!();
    let agent = agent().unprivileged().build();
    // A program that its account may execute, but not read, is not dumpable.
    let script = format!(
        "cp /usr/bin/sleep closed; chmod 111 closed; ./closed 1000 & {} {AWAIT_GO}",
        listen(&address(), &[21001])
    );
    let container = agent.task(&script).launch();
    // In one line or, where a look came before it listened, in two.
    let unseen = "processes that cannot be looked at, so that what they listen on is not known: 1";
    eventually("the log says so", || {
        let log = log(&agent, &container);
        log.contains(unseen) && log.contains("port(s): [21001-21001]")
    });
    container.destroy();
    agent.assert_nothing_left();
}
