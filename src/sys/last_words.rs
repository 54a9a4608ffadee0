//! Where a process says why it ends itself: the supervisors' standard error goes nowhere.
#![forbid(unsafe_code)]

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;

static PLACE: OnceLock<PathBuf> = OnceLock::new();

/// Has the last words of this process, and of those that it forks, written to the end of this file. The first call counts.
pub fn last_words_to(file: PathBuf) {
    // Of a second container there is none.
    let _ = PLACE.set(file);
}

/// Ends this process at once, and says why, on standard error and in the file of [`last_words_to`].
pub fn die(why: &str) -> ! {
    if let Some(place) = PLACE.get() {
        // What cannot be written has no better place to go.
        let _ = OpenOptions::new()
            .append(true)
            .create(true)
            .open(place)
            .and_then(|mut file| writeln!(file, "this process ({}) ends itself: {why}", std::process::id()));
    }
    let _ = writeln!(std::io::stderr(), "{why}");
    std::process::abort()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    /// Runs itself once more, as another process, which ends itself.
    #[test]
    fn why_it_ended_itself_is_found_in_the_file() {
        const FILE: &str = "ECP_TEST_LAST_WORDS";
        if let Some(file) = std::env::var_os(FILE) {
            last_words_to(file.into());
            die("the way back is barred");
        }
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log");
        std::fs::write(&file, "before\n").unwrap();
        let name = "sys::last_words::tests::why_it_ended_itself_is_found_in_the_file";
        let mut again = Command::new(std::env::current_exe().unwrap());
        let again = again.args(["--exact", name]).env(FILE, &file).stdout(Stdio::null()).stderr(Stdio::null());
        assert_eq!(again.status().unwrap().signal(), Some(libc::SIGABRT));
        let said = std::fs::read_to_string(&file).unwrap();
        assert!(
            said.starts_with("before\nthis process (") && said.ends_with(") ends itself: the way back is barred\n")
        );
    }
}
