//! Files from web servers, good and bad ones.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::libc::linger;
use nix::sys::socket::sockopt::Linger;
use nix::sys::socket::{Backlog, listen, setsockopt};

use crate::agent::messages::uri;
use crate::agent::{Agent, NOBODY, eventually, need_root, patient, skip};
use crate::refusals::assert_says;
use crate::web::{Server, ok, status, until_hung_up, write};

/// The reason of a launch that could not fetch this; nothing of it is left in the sandbox.
#[track_caller]
fn refused(agent: &Agent, url: &str) -> String {
    let (container, output) = agent.task("exit 0").uri(uri(url)).try_launch();
    let reason = output.refused();
    let mut left: Vec<_> =
        fs::read_dir(container.path("")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["stderr", "stdout"], "{reason}");
    agent.assert_nothing_left();
    reason
}

/// What a launch with this URL fetched as `name`.
#[track_caller]
fn fetched(agent: &Agent, url: &str, name: &str) -> String {
    let container = agent.task("exit 0").uri(uri(url)).launch();
    container.complete().assert_status(0);
    container.file(name)
}

#[test]
fn a_file_comes_from_a_web_server_as_the_users() {
    need_root!();
    let server = Server::of("content\n");
    // Nobody may enter the directory of the program that fetches.
    let agent = Agent::builder().own_fetcher(true).build();
    let tool = uri(&server.url("/bin/tool.sh?version=1&x=%20")).bool(2, true);
    let named = uri(&server.url("/other")).bytes(5, "deep/down/named");
    let task = agent.task("test -x tool.sh* && test -O tool.sh* && cat deep/down/named").user("nobody");
    let container = task.uri(tool).uri(named).launch();
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout"), "content\n");
    for (name, mode) in [("tool.sh?version=1&x=%20", 0o755), ("deep/down/named", 0o644), ("deep", 0o755)] {
        let found = fs::metadata(container.path(name)).unwrap();
        assert_eq!((found.mode() & 0o7777, found.uid(), found.gid()), (mode, NOBODY.0, NOBODY.1), "{name}");
    }
    assert_eq!(server.lines(), ["GET /bin/tool.sh?version=1&x=%20", "GET /other"]);
    let asked = &server.asked()[0];
    assert!(asked.header("user-agent").unwrap().starts_with("mesos-ecp-fetch/"));
    assert_eq!(asked.header("accept-encoding").as_deref(), Some("identity"), "the bytes are the file");
    agent.assert_nothing_left();
}

#[test]
fn fetches_keep_the_order_of_their_effects() {
    let server = Server::new(|asked, stream| ok(stream, asked.target.as_bytes()));
    let agent = Agent::new();
    let local = agent.path("name");
    fs::write(&local, "local").unwrap();
    let local = local.to_str().unwrap();
    let with = |uris: &[&str]| {
        let task = uris.iter().fold(agent.task("exit 0"), |task, value| task.uri(uri(value)));
        let container = task.launch();
        container.complete().assert_status(0);
        container.file("name")
    };
    assert_eq!(with(&[&server.url("/a/name"), local]), "local");
    assert_eq!(with(&[local, &server.url("/a/name")]), "/a/name");
    assert_eq!(with(&[&server.url("/a/name"), &server.url("/b/name")]), "/b/name");
}

#[test]
fn an_answer_in_chunks_is_put_together_and_one_that_breaks_off_is_not() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let server = Server::new(move |asked, stream| {
        write(stream, head);
        if asked.target == "/whole" {
            write(stream, "6\r\n world\r\n0\r\n\r\n");
        } else {
            write(stream, "6\r\n wo");
        }
    });
    let agent = Agent::new();
    assert_eq!(fetched(&agent, &server.url("/whole"), "whole"), "hello world");
    assert_says(&refused(&agent, &server.url("/part")), &["/part", "ended before all of the answer"]);
}

#[test]
fn without_a_length_it_has_to_end_in_peace() {
    let server = Server::new(|asked, stream| {
        write(stream, "HTTP/1.1 200 OK\r\n\r\nhello");
        if asked.target == "/reset" {
            let at_once = linger { l_onoff: 1, l_linger: 0 };
            // The other side reads what came before the reset is there.
            std::thread::sleep(Duration::from_millis(300));
            setsockopt(stream, Linger, &at_once).unwrap();
        }
    });
    let agent = Agent::new();
    assert_eq!(fetched(&agent, &server.url("/closed"), "closed"), "hello");
    assert_says(&refused(&agent, &server.url("/reset")), &["/reset", "ended before all of the answer"]);
}

#[test]
fn a_length_that_lies_is_found_out() {
    let server = Server::new(|asked, stream| {
        let length = asked.target.trim_start_matches('/');
        write(stream, format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nhello"));
    });
    let agent = Agent::new();
    assert_eq!(fetched(&agent, &server.url("/5"), "5"), "hello");
    assert_eq!(fetched(&agent, &server.url("/4"), "4"), "hell", "what follows the answer is not part of it");
    assert_says(&refused(&agent, &server.url("/6")), &["ended before all of the answer"]);
    // Neither memory nor disk is taken for it.
    assert_says(&refused(&agent, &server.url("/17000000000")), &["ended before all of the answer"]);
    assert_says(
        &refused(&agent, &server.url("/999999999999999999")),
        &["999999999999999999 bytes", "--fetcher_size_limit"],
    );
}

#[test]
fn too_much_is_refused_early_or_late() {
    let server = Server::new(|asked, stream| match asked.target.as_str() {
        "/said" => write(stream, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"),
        _ => {
            write(stream, "HTTP/1.1 200 OK\r\n\r\n");
            write(stream, vec![b'x'; 5000]);
        }
    });
    let agent = Agent::builder().flag("--fetcher_size_limit=4KB").build();
    for target in ["/said", "/unsaid"] {
        assert_says(&refused(&agent, &server.url(target)), &["5000", "--fetcher_size_limit is 4096"]);
    }
}

#[test]
fn an_answer_that_is_no_file_is_named() {
    let server = Server::new(|asked, stream| {
        status(stream, asked.target[1..].parse().unwrap(), "");
    });
    let agent = Agent::new();
    let secret = server.url("/404").replace("//", "//someone:secret@");
    let reason = refused(&agent, &secret);
    assert_says(&reason, &[&server.url("/404"), "404 Not Found"]);
    assert!(!reason.contains("secret"), "{reason}");
    assert_says(&refused(&agent, &server.url("/206")), &["206"]);
    // Another URI follows: the program is started and waited for.
    let later = agent.path("later");
    fs::write(&later, "").unwrap();
    let task = agent.task("exit 0").uri(uri(&server.url("/410"))).uri(uri(later.to_str().unwrap()));
    assert_says(&task.refused(), &[&server.url("/410"), "410 Gone"]);
    assert_eq!(server.lines().len(), 3, "they are not asked for again");
    assert_says(&refused(&agent, &server.url("/503")), &["503 Service Unavailable"]);
    assert_eq!(server.lines().len(), 6, "two more tries");
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let count = std::sync::atomic::AtomicU32::new(0);
    let server = Server::new(move |_, stream| match count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => status(stream, 502, ""),
        _ => ok(stream, b"now"),
    });
    assert_eq!(fetched(&Agent::new(), &server.url("/f"), "f"), "now");
}

#[test]
fn a_server_that_nobody_is_behind_is_named() {
    // A port that was just free, and is nobody's.
    let gone = Server::of("").address();
    let reason = refused(&Agent::new(), &format!("http://u:secret@{gone}/f"));
    assert_says(&reason, &[&format!("http://{gone}/f"), "Connection refused"]);
    assert!(!reason.contains("secret"), "{reason}");
}

#[test]
fn a_server_that_stalls_is_given_up() {
    let server = Server::new(|asked, stream| {
        match asked.target.as_str() {
            "/nothing" => {}
            "/head" => write(stream, "HTTP/1.1 200 OK\r\nContent-"),
            _ => write(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"),
        }
        until_hung_up(stream);
    });
    let agent = Agent::builder().flag("--fetcher_stall_timeout=300ms").build();
    for target in ["/nothing", "/head", "/body"] {
        let begin = Instant::now();
        assert_says(&refused(&agent, &server.url(target)), &["--fetcher_stall_timeout", target]);
        assert!(begin.elapsed() < patient(Duration::from_secs(25)), "not after the default of a minute");
    }
}

#[test]
fn a_server_that_is_slow_but_alive_is_not() {
    let server = Server::new(|_, stream| {
        write(stream, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        for byte in "hello".bytes() {
            std::thread::sleep(Duration::from_millis(700));
            write(stream, [byte]);
        }
    });
    // All of it takes longer than this.
    let agent = Agent::builder().flag("--fetcher_stall_timeout=3secs").build();
    assert_eq!(fetched(&agent, &server.url("/f"), "f"), "hello");
    let agent = Agent::builder().flag("--fetch_timeout=2secs").build();
    assert_says(&refused_in_time(&agent, &server.url("/f")), &["--fetch_timeout"]);
}

/// As [`refused`], with what the killed fetcher had begun to write left in the sandbox.
fn refused_in_time(agent: &Agent, url: &str) -> String {
    agent.task("exit 0").uri(uri(url)).refused()
}

#[test]
fn a_connection_that_does_not_stand_is_given_up() {
    // A listener whose queue is full: the kernel answers no more.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        queued.push(stream);
        if queued.len() > 100 {
            skip!("the queue of a listener cannot be filled here");
        }
    }
    let agent = Agent::builder().flag("--fetcher_connect_timeout=300ms").build();
    assert_says(&refused(&agent, &format!("http://{address}/f")), &["--fetcher_connect_timeout"]);
}

#[test]
fn redirects_are_followed_to_web_servers_only() {
    let other = Server::of("elsewhere");
    let elsewhere = other.url("/f?signature=hidden");
    let server = Server::new(move |asked, stream| match asked.target.as_str() {
        "/a/here" => status(stream, 302, "Location: ../b/there"),
        "/b/there" => ok(stream, b"there"),
        "/away" => status(stream, 307, &format!("Location: {elsewhere}")),
        "/loop" => status(stream, 301, "Location: loop"),
        "/file" => status(stream, 302, "Location: file:///etc/passwd"),
        "/signed" => status(stream, 302, "Location: ftp://host/f?signature=hidden"),
        "/nowhere" => status(stream, 302, ""),
        _ => status(stream, 404, ""),
    });
    let agent = Agent::new();
    let with_password = |target: &str| server.url(target).replace("//", "//some%40one:secret@");
    assert_eq!(fetched(&agent, &with_password("/a/here"), "here"), "there");
    for asked in server.asked() {
        // someone@... in base64.
        assert_eq!(asked.header("authorization").as_deref(), Some("Basic c29tZUBvbmU6c2VjcmV0"), "{asked:?}");
    }
    assert_eq!(fetched(&agent, &with_password("/away"), "away"), "elsewhere");
    assert_eq!(other.lines(), ["GET /f?signature=hidden"]);
    assert_eq!(other.asked()[0].header("authorization"), None, "the password went elsewhere");
    let before = server.asked().len();
    assert_says(&refused(&agent, &server.url("/loop")), &["more than 10 redirects"]);
    assert_eq!(server.asked().len() - before, 11);
    assert_says(&refused(&agent, &server.url("/file")), &["redirects elsewhere", "only http and https"]);
    let reason = refused(&agent, &server.url("/signed"));
    assert!(reason.contains("redirects elsewhere") && !reason.contains("hidden"), "{reason}");
    assert_says(&refused(&agent, &server.url("/nowhere")), &["does not say where"]);
}

#[test]
fn a_proxy_of_the_environment_is_asked_for_the_whole_url() {
    let proxy = Server::new(|asked, stream| match asked.method.as_str() {
        "GET" => ok(stream, asked.target.as_bytes()),
        _ => status(stream, 403, ""),
    });
    let server = Server::of("direct");
    let address = proxy.address();
    let proxied = |name: &str| Agent::builder().env(name, &format!("http://who:pass@{address}"));
    for name in ["http_proxy", "HTTP_PROXY", "ALL_PROXY"] {
        // The name of a host that only the proxy could know.
        let content = fetched(&proxied(name).build(), "http://known-to-nobody.invalid:81/a%20b?c", "a%20b?c");
        assert_eq!(content, "http://known-to-nobody.invalid:81/a%20b?c", "{name}");
    }
    assert_eq!(proxy.asked()[0].header("proxy-authorization").as_deref(), Some("Basic d2hvOnBhc3M="));
    let agent = proxied("http_proxy").env("no_proxy", "localhost,127.0.0.1").build();
    assert_eq!(fetched(&agent, &server.url("/f"), "f"), "direct");
    // TLS goes through a tunnel, which this one does not grant.
    let agent = proxied("https_proxy").build();
    let reason = refused(&agent, "https://known-to-nobody.invalid/f");
    assert_says(&reason, &["403", "proxy of the environment"]);
    assert!(!reason.contains("pass@"), "{reason}");
    assert_eq!(proxy.lines().last().unwrap(), "CONNECT known-to-nobody.invalid:443");
}

/// openssl as a server of one file.
struct TlsServer {
    child: Child,
    port: u16,
}

impl TlsServer {
    /// Serves what is in the agent's directory `tls`; None without the program.
    fn start(agent: &Agent) -> Option<TlsServer> {
        let dir = agent.path("tls");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("file"), "over TLS").unwrap();
        fs::write(dir.join("extensions"), "subjectAltName=IP:127.0.0.1\n").unwrap();
        let script = "set -e
            key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
            openssl req -x509 $key -keyout ca.key -out ca.pem -subj /CN=authority -days 2
            openssl req $key -keyout key.pem -out request.pem -subj /CN=server
            openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out cert.pem";
        let made = Command::new("sh").args(["-c", script]).current_dir(&dir).stderr(Stdio::null()).status().unwrap();
        if !made.success() {
            return None;
        }
        let log = fs::File::create(dir.join("log")).unwrap();
        let mut server = Command::new("openssl");
        server.args(["s_server", "-WWW", "-accept", "127.0.0.1:0", "-cert", "cert.pem", "-key", "key.pem"]);
        let server = server.current_dir(&dir).stdin(Stdio::null()).stderr(Stdio::null()).stdout(log).spawn().unwrap();
        let mut server = TlsServer { child: server, port: 0 };
        eventually("openssl listens", || {
            let log = fs::read_to_string(dir.join("log")).unwrap();
            let port = log.lines().find_map(|line| line.strip_prefix("ACCEPT ")?.rsplit(':').next()?.parse().ok());
            server.port = port.unwrap_or(0);
            server.port != 0
        });
        Some(server)
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn tls_needs_a_certificate_that_is_trusted() {
    let files = Agent::new();
    let Some(server) = TlsServer::start(&files) else { skip!("openssl is not installed") };
    let url = format!("https://127.0.0.1:{}/file", server.port);
    let trusted = files.path("tls/ca.pem");
    let agent = Agent::builder().env("SSL_CERT_FILE", trusted.to_str().unwrap()).build();
    assert_eq!(fetched(&agent, &url, "file"), "over TLS");
    // Its name is not in it.
    let other_name = url.replace("127.0.0.1", "localhost");
    assert_says(&refused(&agent, &other_name), &["TLS failed", "localhost"]);
    // Another authority than its own.
    let ca = files.path("tls/cert.pem");
    let agent = Agent::builder().env("SSL_CERT_FILE", ca.to_str().unwrap()).build();
    assert_says(&refused(&agent, &url), &["TLS failed", "SSL_CERT_FILE"]);
    let none = Agent::builder().env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent").build();
    assert_says(&refused(&none, &url), &["no certificate of an authority", "ca-certificates"]);
}

/// Passes on what one side of a tunnel says, until it hangs up; without an `end`, all but TLS's record that says that it ends.
fn pass_on(mut from: &TcpStream, mut to: &TcpStream, end: bool) {
    let mut head = [0; 5];
    while from.read_exact(&mut head).is_ok() {
        let mut record = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        // Of what is encrypted, nothing else of TLS 1.3's is as short.
        let is_end = head[0] == 23 && record.len() == 19;
        if from.read_exact(&mut record).is_err() || (is_end && !end) {
            break;
        }
        let _ = to.write_all(&[&head[..], &record].concat());
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[test]
fn tls_through_a_tunnel_and_one_that_is_cut() {
    let files = Agent::new();
    let Some(server) = TlsServer::start(&files) else { skip!("openssl is not installed") };
    for end in [true, false] {
        let port = server.port;
        let proxy = Server::new(move |asked, client| {
            assert_eq!((asked.method.as_str(), asked.target.as_str()), ("CONNECT", &*format!("127.0.0.1:{port}")));
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            write(client, "HTTP/1.1 200 Granted\r\n\r\n");
            std::thread::scope(|scope| {
                scope.spawn(|| pass_on(&server, client, end));
                pass_on(client, &server, true);
            });
        });
        let trusted = files.path("tls/ca.pem");
        let agent = Agent::builder().env("SSL_CERT_FILE", trusted.to_str().unwrap());
        let agent = agent.env("https_proxy", &format!("http://{}", proxy.address())).build();
        let url = format!("https://127.0.0.1:{port}/file");
        match end {
            true => assert_eq!(fetched(&agent, &url, "file"), "over TLS"),
            // Its answer has no length: what came so far could be all.
            false => assert_says(&refused(&agent, &url), &["ended before all of the answer"]),
        }
        assert_eq!(proxy.lines().len(), 1);
    }
}

#[test]
fn without_the_own_fetcher_it_is_the_agents() {
    let server = Server::of("content");
    let agent = Agent::builder().own_fetcher(false).build();
    let reason = agent.task("exit 0").uri(uri(&server.url("/f"))).refused();
    assert_says(&reason, &["mesos-fetcher", "install mesos-ecp-fetch beside mesos-ecp"]);
    agent.fetcher("echo by the agent > f");
    assert_eq!(fetched(&agent, &server.url("/f"), "f"), "by the agent\n");
    assert!(server.lines().is_empty());
}

#[test]
fn the_containers_output_stays_its_own() {
    let server = Server::of("content");
    let agent = Agent::new();
    let reason = agent.task("exit 0").uri(uri(&server.url("/a/stdout"))).refused();
    assert_says(&reason, &["the container's own stdout"]);
    let reason = agent.task("exit 0").uri(uri(&server.url("/a")).bytes(5, "stderr")).refused();
    assert_says(&reason, &["the container's own stderr"]);
    assert!(server.lines().is_empty());
}
