//! CommandInfo as argv and the programs to try.
#![forbid(unsafe_code)]

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::error::{Error, Result};
use crate::protocol::mesos::CommandInfo;

/// Where execvp(3) looks when the environment has no PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A command, ready for execve(2).
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    /// The paths to try in order.
    pub programs: Vec<CString>,
    /// The whole argv.
    pub argv: Vec<CString>,
    /// The program as the record has it, for messages.
    pub shown: String,
}

impl Command {
    /// `shell` true: `/bin/sh -c value`. False: `value` is the program, looked up along the PATH of the container's
    /// environment if it has no slash, and `arguments` are the whole argv.
    ///
    /// # Errors
    /// When there is no value (or, by shell, only an empty one), or a NUL byte in it.
    pub fn new(info: &CommandInfo, environment: &[(OsString, OsString)]) -> Result<Command> {
        let value = info.value.as_deref().unwrap_or_default();
        if value.is_empty() {
            return Err(Error::Refused("executor_info.command.value is missing or empty: nothing to run".into()));
        }
        if info.shell() {
            let programs = vec![c"/bin/sh".to_owned()];
            let argv = vec![c"sh".to_owned(), c"-c".to_owned(), text("value", value)?];
            return Ok(Command { programs, argv, shown: "/bin/sh".into() });
        }
        let mut argv = info.arguments.iter().map(|a| text("arguments", a)).collect::<Result<Vec<_>>>()?;
        if argv.is_empty() {
            argv.push(text("value", value)?);
        }
        let programs = if value.contains('/') {
            vec![text("value", value)?]
        } else {
            let path = environment.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.as_os_str());
            along(path.unwrap_or(OsStr::new(DEFAULT_PATH)), value)?
        };
        Ok(Command { programs, argv, shown: value.to_owned() })
    }

    /// The same behind another program, which gets it as arguments and executes it: a command that is looked up along PATH it has to
    /// look up itself. `front` is that program by its path, with arguments of its own, or nothing.
    ///
    /// # Errors
    /// A NUL byte.
    pub fn behind(self, front: Vec<OsString>) -> Result<Command> {
        let nul = |_| Error::Refused("argv of an isolator contains a NUL byte: it cannot be executed".into());
        let mut argv =
            front.into_iter().map(|word| CString::new(word.into_vec()).map_err(nul)).collect::<Result<Vec<_>>>()?;
        let Some(program) = argv.first().cloned() else {
            return Ok(self);
        };
        argv.push(CString::new(self.shown).map_err(|_| Error::Refused("the command contains a NUL byte".into()))?);
        argv.extend(self.argv.into_iter().skip(1));
        let shown = program.to_string_lossy().into_owned();
        Ok(Command { programs: vec![program], argv, shown })
    }
}

fn text(field: &str, value: &str) -> Result<CString> {
    CString::new(value).map_err(|_| {
        Error::Refused(format!("executor_info.command.{field} contains a NUL byte: it cannot be executed"))
    })
}

/// An empty entry of PATH means the working directory.
fn along(path: &OsStr, name: &str) -> Result<Vec<CString>> {
    path.as_bytes()
        .split(|b| *b == b':')
        .map(|dir| {
            let mut full = if dir.is_empty() { b".".to_vec() } else { dir.to_vec() };
            full.push(b'/');
            full.extend_from_slice(name.as_bytes());
            CString::new(full).map_err(|_| Error::Refused("PATH or the command's value contains a NUL byte".into()))
        })
        .collect()
}

/// The environment as execve(2) takes it.
///
/// # Errors
/// When a name is empty or has a `=`, or something contains a NUL byte.
pub fn envp(environment: &[(OsString, OsString)]) -> Result<Vec<CString>> {
    environment
        .iter()
        .map(|(name, value)| {
            let bad = |why| Error::Refused(format!("environment variable {name:?} {why}: it cannot be passed on"));
            if name.is_empty() || name.as_bytes().contains(&b'=') {
                return Err(bad("has an empty name or an equals sign in it"));
            }
            let mut entry = name.clone().into_vec();
            entry.push(b'=');
            entry.extend_from_slice(value.as_bytes());
            CString::new(entry).map_err(|_| bad("contains a NUL byte"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn info(value: &str, shell: Option<bool>, arguments: &[&str]) -> CommandInfo {
        CommandInfo {
            value: Some(value.into()),
            shell,
            arguments: arguments.iter().map(|a| (*a).into()).collect(),
            ..CommandInfo::default()
        }
    }

    #[test]
    fn by_shell_unless_said_otherwise() {
        let command = Command::new(&info("exit 3", None, &["ignored"]), &[]).unwrap();
        assert_eq!(command.argv, [c"sh".into(), c"-c".into(), CString::new("exit 3").unwrap()]);
        assert_eq!(command.programs, [c"/bin/sh".to_owned()]);
    }

    #[test]
    fn a_command_can_stand_behind_another_program() {
        let front = || vec!["/bin/nice".into(), "-n5".into()];
        let command = Command::new(&info("exit 3", None, &[]), &[]).unwrap().behind(front()).unwrap();
        let shown: Vec<&str> = command.argv.iter().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(shown, ["/bin/nice", "-n5", "/bin/sh", "-c", "exit 3"]);
        assert_eq!((&command.programs[..], &command.shown[..]), (&[c"/bin/nice".to_owned()][..], "/bin/nice"));
        let command = Command::new(&info("tool", Some(false), &["argv0", "x"]), &[]).unwrap();
        let shown = command.behind(front()).unwrap().argv;
        assert_eq!(shown, [c"/bin/nice", c"-n5", c"tool", c"x"].map(ToOwned::to_owned));
        let plain = Command::new(&info("a", None, &[]), &[]).unwrap();
        assert_eq!(plain.behind(Vec::new()).unwrap(), Command::new(&info("a", None, &[]), &[]).unwrap());
    }

    #[test]
    fn programs_are_looked_up_along_the_containers_path() {
        let env = [("PATH".into(), "/a::/b".into())];
        let command = Command::new(&info("tool", Some(false), &["argv0", "x"]), &env).unwrap();
        assert_eq!(command.programs, [c"/a/tool".into(), c"./tool".into(), CString::new("/b/tool").unwrap()]);
        assert_eq!(command.argv, [c"argv0".into(), CString::new("x").unwrap()]);
        let command = Command::new(&info("/bin/tool", Some(false), &[]), &env).unwrap();
        assert_eq!((command.programs, command.argv), (vec![c"/bin/tool".into()], vec![c"/bin/tool".into()]));
        assert_eq!(Command::new(&info("tool", Some(false), &[]), &[]).unwrap().programs.len(), 6);
    }

    #[test]
    fn what_cannot_be_executed_is_refused() {
        for bad in [info("", None, &[]), info("a\0b", None, &[]), info("a", Some(false), &["x\0"])] {
            assert!(Command::new(&bad, &[]).is_err());
        }
        assert!(envp(&[("A=B".into(), "c".into())]).is_err());
        assert!(envp(&[("A".into(), "c\0".into())]).is_err());
        assert_eq!(envp(&[("A".into(), "b=c".into())]).unwrap(), [c"A=b=c".to_owned()]);
    }
}
