//! Which persistent volumes a list of resources names, and what of it is refused.
#![forbid(unsafe_code)]

use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};
use crate::protocol::mesos::Resource;
use crate::protocol::mesos::resource::disk_info::source::Type;
use crate::protocol::mesos::volume::Mode;

/// A persistent volume as the record has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Volume {
    /// What it is called in messages.
    pub(super) name: String,
    /// Where its disk is; None: the agent's work_dir.
    pub(super) base: Option<PathBuf>,
    /// Where it is on its disk; empty: the disk itself. Only the agent makes anything there.
    pub(super) below: PathBuf,
    /// Where the container has it, below its sandbox: names without `.` and `..`.
    pub(super) at: PathBuf,
    /// Nobody in the container may write to it.
    pub(super) read_only: bool,
}

/// The persistent volumes among the resources of a container, each once, those at `a` before those at `b`.
///
/// # Errors
/// What is no volume, or cannot be one beside the others.
pub(super) fn volumes(resources: &[Resource]) -> Result<Vec<Volume>> {
    let mut found: Vec<Volume> = Vec::new();
    for resource in resources.iter().filter(|resource| resource.name == "disk") {
        if let Some(volume) = volume(resource)?
            && !found.contains(&volume)
        {
            found.push(volume);
        }
    }
    found.sort_by(|a, b| a.at.cmp(&b.at));
    for (index, first) in found.iter().enumerate() {
        if let Some(second) = found.iter().skip(index + 1).find(|second| second.at.starts_with(&first.at)) {
            return Err(Error::Refused(format!(
                "{} and {} have the container_paths {} and {}: one would hide the other",
                first.name,
                second.name,
                first.at.display(),
                second.at.display()
            )));
        }
    }
    Ok(found)
}

/// The volume that a `disk` resource is; None: it is space in the sandbox.
///
/// # Errors
/// What is no volume.
pub(super) fn volume(resource: &Resource) -> Result<Option<Volume>> {
    let Some(disk) = &resource.disk else { return Ok(None) };
    let role = resource.role.as_deref().unwrap_or("*");
    let (persistence, volume) = match (&disk.persistence, &disk.volume) {
        (None, None) => return Ok(None),
        (Some(persistence), Some(volume)) => (persistence, volume),
        (Some(persistence), None) => {
            return Err(Error::Refused(format!(
                "the disk resource of role \"{}\" has persistence (id \"{}\") and no volume: it does not say where the \
                 container shall have it",
                role.escape_default(),
                persistence.id.escape_default()
            )));
        }
        (None, Some(volume)) => {
            return Err(Error::Refused(format!(
                "the disk resource of role \"{}\" has a volume (container_path \"{}\") and no persistence: there are only \
                 persistent volumes",
                role.escape_default(),
                volume.container_path.escape_default()
            )));
        }
    };
    let id = persistence.id.as_str();
    let name = format!("persistent volume \"{}\" of role \"{}\"", id.escape_default(), role.escape_default());
    let refuse = |what: &str| Err(Error::Refused(format!("{name}: {what}")));
    if !is_name(id) {
        return refuse(
            "its id is not the name of a directory (empty, \".\", \"..\", or with a slash or a NUL byte in it)",
        );
    }
    if !is_name(role) {
        return refuse(
            "its role is not the name of a directory (empty, \".\", \"..\", or with a slash or a NUL byte in it)",
        );
    }
    if volume.host_path.is_some() || volume.image.is_some() {
        return refuse("it has a host_path or an image, too: its data is where the agent keeps it, and nowhere else");
    }
    let at = container_path(&volume.container_path)
        .map_err(|why| Error::Refused(format!("{name}: container_path {why}")))?;
    let read_only = volume.mode == Mode::Ro as i32;
    if !read_only && volume.mode != Mode::Rw as i32 {
        return refuse(&format!("mode {} is not known", volume.mode));
    }
    let kept = Path::new("volumes/roles").join(role).join(id);
    let (base, below) = match &disk.source {
        None => (None, kept),
        Some(source) => {
            let root = match (Type::try_from(source.r#type), &source.path, &source.mount) {
                (Ok(Type::Path), Some(path), _) => (path.root.as_str(), kept),
                (Ok(Type::Mount), _, Some(mount)) => (mount.root.as_str(), PathBuf::new()),
                _ => return refuse("its source is neither a PATH nor a MOUNT with a root"),
            };
            if !root.0.starts_with('/') {
                return refuse(&format!("the root of its source, \"{}\", is not absolute", root.0.escape_default()));
            }
            (Some(PathBuf::from(root.0)), root.1)
        }
    };
    Ok(Some(Volume { name, base, below, at, read_only }))
}

/// Whether this is one name in a path.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text != "." && text != ".." && !text.contains(['/', '\0'])
}

fn container_path(text: &str) -> std::result::Result<PathBuf, String> {
    let shown = text.escape_default();
    let mut at = PathBuf::new();
    for component in Path::new(text).components() {
        match component {
            Component::Normal(name) => at.push(name),
            Component::CurDir => {}
            Component::ParentDir => return Err(format!("\"{shown}\" has \"..\" in it")),
            Component::RootDir | Component::Prefix(_) => {
                return Err(format!("\"{shown}\" is absolute: a persistent volume is below the sandbox"));
            }
        }
    }
    if at.as_os_str().is_empty() || text.contains('\0') {
        return Err(format!("\"{shown}\" names nothing below the sandbox"));
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::protocol::mesos::Volume as Info;
    use crate::protocol::mesos::resource::DiskInfo;
    use crate::protocol::mesos::resource::disk_info::{Persistence, Source, source};

    fn disk(role: &str, id: &str, at: &str) -> Resource {
        let volume = Info { container_path: at.into(), mode: Mode::Rw as i32, ..Info::default() };
        let persistence = Persistence { id: id.into(), ..Persistence::default() };
        let disk = DiskInfo { persistence: Some(persistence), volume: Some(volume), source: None };
        Resource { name: "disk".into(), role: Some(role.into()), disk: Some(disk), ..Resource::default() }
    }

    fn with(edit: impl FnOnce(&mut DiskInfo)) -> Resource {
        let mut resource = disk("r", "id", "data");
        edit(resource.disk.as_mut().unwrap());
        resource
    }

    fn refused(resource: Resource) -> String {
        volumes(&[resource]).unwrap_err().to_string()
    }

    #[test]
    fn where_volumes_are() {
        let source = |r#type: Type| Source {
            r#type: r#type as i32,
            path: Some(source::Path { root: "/disk".into() }),
            mount: Some(source::Mount { root: "/own".into() }),
        };
        let plain = volumes(&[disk("r", "id", "./a//b/")]).unwrap().remove(0);
        assert_eq!((plain.base, plain.below), (None, "volumes/roles/r/id".into()));
        assert_eq!((plain.at.to_str(), plain.read_only), (Some("a/b"), false));
        let path = volumes(&[with(|d| d.source = Some(source(Type::Path)))]).unwrap().remove(0);
        assert_eq!((path.base, path.below), (Some("/disk".into()), "volumes/roles/r/id".into()));
        let mount = volumes(&[with(|d| d.source = Some(source(Type::Mount)))]).unwrap().remove(0);
        assert_eq!((mount.base, mount.below), (Some("/own".into()), PathBuf::new()));
        let read_only = with(|d| d.volume.as_mut().unwrap().mode = Mode::Ro as i32);
        assert!(volumes(&[read_only]).unwrap().remove(0).read_only);
        let none = with(|d| *d = DiskInfo { source: Some(source(Type::Path)), ..DiskInfo::default() });
        assert!(volumes(&[none, Resource { name: "disk".into(), ..Resource::default() }]).unwrap().is_empty());
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        for bad in ["", ".", "..", "a/b", "../x", "a\0"] {
            assert!(refused(disk(bad, "id", "data")).contains("role is not the name"), "{bad}");
            assert!(refused(disk("r", bad, "data")).contains("id is not the name"), "{bad}");
        }
        for (bad, why) in [("/data", "absolute"), ("a/../b", "\"..\""), ("", "nothing"), (".", "nothing"), ("a\0", "")]
        {
            let text = refused(disk("r", "id", bad));
            assert!(text.contains("container_path") && text.contains(why), "{text}");
        }
        assert!(refused(with(|d| d.persistence = None)).contains("no persistence"));
        assert!(refused(with(|d| d.volume = None)).contains("no volume"));
        assert!(refused(with(|d| d.volume.as_mut().unwrap().host_path = Some("/etc".into()))).contains("host_path"));
        let relative = Source {
            r#type: Type::Mount as i32,
            mount: Some(source::Mount { root: "own".into() }),
            ..Source::default()
        };
        assert!(refused(with(|d| d.source = Some(relative))).contains("not absolute"));
        assert!(refused(with(|d| d.source = Some(Source { r#type: 1, ..Source::default() }))).contains("neither"));
    }

    #[test]
    fn volumes_beside_each_other() {
        // An entry for the executor and one for its task name the same volume.
        let same = [disk("r", "id", "data"), disk("r", "id", "data"), disk("r", "id", "other")];
        assert_eq!(volumes(&same).unwrap().len(), 2);
        assert_eq!(volumes(&[disk("r", "a", "data"), disk("r", "b", "database")]).unwrap().len(), 2);
        for at in ["data", "data/sub", "./data/"] {
            let text = volumes(&[disk("r", "a", at), disk("r", "b", "data")]).unwrap_err().to_string();
            assert!(text.contains("hide") && text.contains("\"a\"") && text.contains("\"b\""), "{text}");
        }
    }
}
