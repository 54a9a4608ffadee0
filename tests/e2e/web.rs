//! A small web server on loopback, whose answers a test writes itself, byte by byte if it wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What stands between the method and the version: a path, or a whole URL for a proxy.
    pub target: String,
    pub method: String,
    headers: Vec<String>,
}

impl Asked {
    /// A header's value, by its name in small letters.
    pub fn header(&self, name: &str) -> Option<String> {
        let named = |line: &String| {
            let (found, value) = line.split_once(':')?;
            (found.to_lowercase() == name).then(|| value.trim().to_owned())
        };
        self.headers.iter().find_map(named)
    }
}

/// A server; it ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// Each connection is one request, which `answer` answers.
    pub fn new(answer: impl Fn(&Asked, &mut TcpStream) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (log, stopped, answer) = (asked.clone(), stop.clone(), Arc::new(answer));
        let accepting = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (log, answer) = (log.clone(), answer.clone());
                thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    // No test's server waits for ever, whatever becomes of the test.
                    stream.set_read_timeout(Some(Duration::from_secs(300))).unwrap();
                    if let Some(asked) = read(&stream) {
                        log.lock().unwrap().push(asked.clone());
                        answer(&asked, &mut stream);
                    }
                });
            }
        });
        Server { address, asked, stop, accepting: Some(accepting) }
    }

    /// Serves these bytes whatever is asked for.
    pub fn of(body: impl Into<Vec<u8>>) -> Server {
        let body = body.into();
        Server::new(move |_, stream| ok(stream, &body))
    }

    pub fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All that was asked for so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// What was asked for, as `METHOD target`.
    pub fn lines(&self) -> Vec<String> {
        self.asked().iter().map(|asked| format!("{} {}", asked.method, asked.target)).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    Some(Asked { target, method, headers })
}

/// Writes; that nobody listens any more is the test's business.
pub fn write(stream: &mut TcpStream, bytes: impl AsRef<[u8]>) {
    let _ = stream.write_all(bytes.as_ref());
}

/// A whole answer with code 200.
pub fn ok(stream: &mut TcpStream, body: &[u8]) {
    write(stream, format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()));
    write(stream, body);
}

/// An answer with this code and no more.
pub fn status(stream: &mut TcpStream, code: u16, header: &str) {
    let end = if header.is_empty() { "" } else { "\r\n" };
    let line = format!("HTTP/1.1 {code} Some Reason\r\n{header}{end}");
    write(stream, format!("{line}Content-Length: 0\r\nConnection: close\r\n\r\n"));
}

/// Waits until the other side has hung up.
pub fn until_hung_up(stream: &mut TcpStream) {
    let mut byte = [0; 1];
    while stream.read(&mut byte).is_ok_and(|count| count > 0) {}
}
