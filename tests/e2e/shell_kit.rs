//! `scripts/lib/ecp.sh`, by the example that the documents name and by texts that are hard to quote.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::agent::{NOBODY, PATH, need_root, skip};

/// A copy of the kit with the program, where every account can read it.
struct Kit(TempDir);

impl Kit {
    fn new() -> Kit {
        let root = tempfile::Builder::new().prefix("ecp-e2e-kit-").tempdir_in("/tmp").unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = PathBuf::from(env!("CARGO_BIN_EXE_mesos-ecp"));
        // By a process of its own: a program that a fork of another test has open for writing cannot be started.
        for (from, to) in [
            (program, "target/release/mesos-ecp"),
            (source.join("scripts/lib/ecp.sh"), "scripts/lib/ecp.sh"),
            (source.join("examples/shell-test.sh"), "examples/shell-test.sh"),
        ] {
            let status = Command::new("install").args(["-D", "-m", "755"]).arg(from).arg(root.path().join(to)).status();
            assert!(status.unwrap().success());
        }
        Kit(root)
    }

    /// A shell with a directory for temporary files that is its own.
    fn shell(&self, shell: &str, account: Option<(u32, u32)>) -> Command {
        let scratch = self.0.path().join(format!("scratch of {shell} {account:?}"));
        fs::create_dir(&scratch).unwrap();
        let mut command = Command::new(shell);
        command.env_clear().env("PATH", PATH).env("TMPDIR", &scratch).current_dir(&scratch);
        if let Some((uid, gid)) = account {
            chown(&scratch, Some(uid), Some(gid)).unwrap();
            command.uid(uid).gid(gid);
        }
        command
    }

    fn example(&self, shell: &str, account: Option<(u32, u32)>) {
        let output = self.shell(shell, account).arg(self.0.path().join("examples/shell-test.sh")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{shell}: {said}{complained}");
        assert_eq!(complained, "", "{shell}");
        assert!(said.lines().count() >= 15 && said.lines().all(|line| line.starts_with("ok: ")), "{shell}: {said}");
        let scratch = self.0.path().join(format!("scratch of {shell} {account:?}"));
        assert_eq!(fs::read_dir(scratch).unwrap().count(), 0, "files are left");
    }
}

#[test]
fn the_example_passes() {
    let kit = Kit::new();
    kit.example("sh", None);
    if !Path::new("/bin/bash").exists() {
        skip!("no bash");
    }
    kit.example("bash", None);
}

#[test]
fn the_example_passes_without_root() {
    need_root!();
    Kit::new().example("sh", Some(NOBODY));
}

/// From a directory of its own choice, with settings that a test may have.
const AWKWARD: &str = r#"set -euf
. scripts/lib/ecp.sh
trap ecp_clean_up EXIT
cd /
id=$(ecp_launch -- sh -c 'echo $$; exec sleep 1000')
until [ -s "$(ecp_sandbox "$id")/stdout" ]; do sleep 0.1; done
cat "$(ecp_sandbox "$id")/stdout"
if ecp_launch -i "$id" -d / -- true; then exit 2; fi
[ "$(ecp_sandbox "$id")" = "$ecp_dir/sandboxes/$id" ] || exit 3
for bad in .hidden ../../outside a/b; do
    if ecp_launch -i "$bad" -- true; then exit 4; fi
done
[ "$(ls "$ecp_dir/launched")" = "$id" ] || exit 5
if (ecp_dir=/no/such/directory && ecp_launch -- true); then exit 6; fi
# What could not be destroyed keeps its state.
if (ECP=/no/such/program && ecp_clean_up); then exit 7; fi
[ "$(ecp_containers)" = "$id" ] || exit 8
"#;

#[test]
fn an_awkward_test_is_cleaned_up_after() {
    let kit = Kit::new();
    fs::write(kit.0.path().join("examples/own.sh"), AWKWARD).unwrap();
    let output = kit.shell("sh", None).current_dir(kit.0.path()).arg("examples/own.sh").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let pid = String::from_utf8(output.stdout).unwrap();
    assert!(!Path::new("/proc").join(pid.trim_end()).exists(), "{pid}");
    assert_eq!(fs::read_dir(kit.0.path().join("scratch of sh None")).unwrap().count(), 0, "files are left");
}

#[test]
fn any_text_is_quoted_and_read_again() {
    let kit = Kit::new();
    let all: String = (1..0x100).filter_map(char::from_u32).collect();
    let texts =
        ["", "plain", "a b", "\n", "\n\na\n", "\\", "\"", "\\\"\\\\n", "$x `y` 'z' & \\&", "ü €", "\\u0041", &all];
    let script = r#". "$1"; trap ecp_clean_up EXIT; quoted=$(ecp_quote "$2.")
        printf '%s\n' "$quoted"; printf '{"a":{"name":1},"name":%s,"z":[2]}' "$quoted" | ecp_field name"#;
    for (n, text) in texts.iter().enumerate() {
        let mut shell = kit.shell("sh", None);
        let output = shell.args(["-euc", script, "kit"]).arg(kit.0.path().join("scripts/lib/ecp.sh")).arg(text);
        let output = output.output().unwrap();
        fs::remove_dir(kit.0.path().join("scratch of sh None")).unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let (quoted, read) = said.split_once('\n').unwrap_or_else(|| panic!("{n}: {said:?}"));
        assert_eq!(serde_json::from_str::<String>(quoted).unwrap(), format!("{text}."), "{n}");
        assert_eq!(read, format!("{text}.\n"), "{n}");
    }
}
