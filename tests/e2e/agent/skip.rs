//! Tests that cannot be done everywhere.

use std::fs;

/// Notes that the running test could not be done here.
pub fn note_skip(reason: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("a test");
    println!("SKIPPED: {reason}");
    if let Some(file) = std::env::var_os("ECP_SKIP_FILE") {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(file).unwrap();
        std::io::Write::write_all(&mut file, format!("{name}: {reason}\n").as_bytes()).unwrap();
    }
}

/// Ends a test that cannot be done here, and says so.
macro_rules! skip {
    ($reason:expr) => {{
        $crate::agent::note_skip($reason);
        return;
    }};
}
pub(crate) use skip;

/// Ends a test that needs root where there is none.
macro_rules! need_root {
    () => {
        if !nix::unistd::Uid::effective().is_root() {
            $crate::agent::skip!("needs root");
        }
    };
}
pub(crate) use need_root;
