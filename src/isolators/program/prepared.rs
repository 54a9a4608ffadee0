//! What a program's answer to `prepare` means to the launcher.
#![forbid(unsafe_code)]

use std::io::Write;
use std::path::{Component, Path};

use nix::unistd::{Gid, Uid};

use crate::config::capability::Capabilities;
use crate::error::{Error, Result};
use crate::fetcher::Sandbox;
use crate::isolator::{Container, Preparation, Privileges};
use crate::isolators::{capabilities, filesystem};
use crate::protocol::isolator::{File, Reply};

/// Names of namespaces and their CLONE_NEW* flags. The others take more than a flag, and have isolators of their own.
const NAMESPACES: [(&str, libc::c_int); 5] = [
    ("ipc", libc::CLONE_NEWIPC),
    ("uts", libc::CLONE_NEWUTS),
    ("net", libc::CLONE_NEWNET),
    ("mnt", libc::CLONE_NEWNS),
    ("cgroup", libc::CLONE_NEWCGROUP),
];

/// More than that a file of settings does not need: it comes within an answer of 1 MiB.
const PERMISSIONS: u32 = 0o7777;

/// The answer carried out as far as it goes before the clone: files are in the sandbox, mounts are made and only need to be put
/// in their places.
///
/// # Errors
/// What of it cannot be had.
pub(super) fn preparation(reply: Reply, container: &Container<'_>) -> Result<Preparation> {
    let variables = reply.environment.unwrap_or_default().variables;
    let mut namespaces = 0;
    for name in &reply.namespaces {
        namespaces |= namespace(name)?;
    }
    let mut privileges = Privileges::default();
    if !reply.drop_capabilities.is_empty() {
        let dropped = Capabilities::parse(&reply.drop_capabilities.join(","))
            .map_err(|e| Error::Refused(format!("drop_capabilities: {e}")))?;
        let is_root = container.asked.is_none_or(|asked| asked.account.owner().0.is_root());
        privileges.capabilities = capabilities::all_but(dropped, is_root)?;
    }
    if let Some(front) = reply.argv.first().filter(|front| !front.starts_with('/')) {
        return Err(Error::Refused(format!(
            "argv begins with \"{}\", which is no absolute path",
            front.escape_default()
        )));
    }
    let mounts = match reply.mounts.as_slice() {
        [] => Vec::new(),
        wanted => filesystem::mounts_for(container, wanted)?,
    };
    place(&reply.files, container)?;
    Ok(Preparation {
        facts: reply.facts.map(String::into_bytes),
        environment: variables.into_iter().map(|v| (v.name.into(), v.value.into())).collect(),
        namespaces,
        mounts,
        argv: reply.argv.into_iter().map(Into::into).collect(),
        privileges,
        ..Preparation::default()
    })
}

fn namespace(name: &str) -> Result<u64> {
    match NAMESPACES.iter().find(|(known, _)| *known == name) {
        Some((_, flag)) => Ok(*flag as u64),
        None if ["pid", "user"].contains(&name) => Err(Error::Refused(format!(
            "a {name} namespace comes with the isolator namespaces/{name} only: add it to --isolation"
        ))),
        None => Err(Error::Refused(format!(
            "there is no namespace \"{}\"; there are {}",
            name.escape_default(),
            NAMESPACES.map(|(name, _)| name).join(", ")
        ))),
    }
}

/// Puts files into the sandbox, whole or not at all, never through a link.
fn place(files: &[File], container: &Container<'_>) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let owner: Option<(Uid, Gid)> =
        container.asked.and_then(|asked| asked.account.credentials.as_ref().map(|_| asked.account.owner()));
    let sandbox = Sandbox::open(container.sandbox, owner)?;
    for file in files {
        let bad = |why: &str| Error::Refused(format!("the file \"{}\": {why}", file.path.escape_default()));
        let content = match (&file.text, &file.content) {
            (Some(text), None) => text.as_bytes(),
            (None, Some(content)) => content,
            (None, None) => &[],
            (Some(_), Some(_)) => return Err(bad("it has both text and content: leave one out")),
        };
        let mode = file.mode.unwrap_or(0o644);
        if mode & !PERMISSIONS != 0 {
            return Err(bad(&format!("its mode {mode:o} has more than permissions")));
        }
        let to = names(&file.path).ok_or_else(|| bad("its path must lead from the sandbox to a name in it"))?;
        if let [name] = &to[..]
            && ["stdout", "stderr"].contains(&name.as_str())
        {
            return Err(bad("there the container's output goes"));
        }
        let mut place = sandbox.place(&to)?;
        place
            .file()
            .and_then(|f| f.write_all(content))
            .map_err(|e| Error::path("write", container.sandbox.join(&file.path))(e))?;
        place.finish(mode)?;
    }
    Ok(())
}

/// The names of a path in the sandbox; None for any other.
pub(super) fn names(path: &str) -> Option<Vec<String>> {
    if path.contains('\0') || path.ends_with('/') {
        return None;
    }
    let mut names = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => names.push(name.to_str()?.to_owned()),
            Component::CurDir => {}
            _ => return None,
        }
    }
    (!names.is_empty()).then_some(names)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_path_leads_into_the_sandbox_or_nowhere() {
        assert_eq!(names("./a/b.conf").unwrap(), ["a", "b.conf"]);
        for bad in ["", ".", "/etc/passwd", "../x", "a/../../x", "a/", "a\0b"] {
            assert_eq!(names(bad), None, "{bad}");
        }
    }

    #[test]
    fn namespaces_have_names() {
        assert_eq!(namespace("net").unwrap(), libc::CLONE_NEWNET as u64);
        assert!(namespace("pid").unwrap_err().to_string().contains("namespaces/pid"));
        assert!(namespace("time").unwrap_err().to_string().contains("ipc, uts, net, mnt, cgroup"));
    }
}
