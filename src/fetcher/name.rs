//! What a URI says: its scheme, and the name under which the file is stored.
#![forbid(unsafe_code)]

use super::{FetchError, Uri};

/// The suffixes by which `mesos-fetcher` tells an archive. Old releases know fewer of them and copy the others
/// unextracted, which stays their decision: they are handed over all the same.
const ARCHIVES: [&str; 9] = [".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".gz", ".zip"];

/// NAME_MAX of Linux: longer names would be noticed only after the whole file was copied.
const LONGEST_NAME: usize = 255;

/// Whether a file of this name is extracted when `extract` is set.
#[must_use]
pub fn is_archive(name: &str) -> bool {
    ARCHIVES.iter().any(|suffix| name.ends_with(suffix))
}

/// `(scheme, what follows "://")`, if what precedes `://` has the form of a scheme.
pub(super) fn scheme(value: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = value.split_once("://")?;
    let mut bytes = scheme.bytes();
    let valid = bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    valid.then_some((scheme, rest))
}

/// A URI as it may stand in a message: without user and password.
#[must_use]
pub fn shown(value: &str) -> String {
    let Some((scheme, rest)) = scheme(value) else {
        return value.to_owned();
    };
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{rest}")
}

/// The components of the destination below the sandbox. For other schemes `mesos-fetcher` decides by the same rule:
/// whatever follows the last slash, be it part of a query or not.
pub(super) fn destination(uri: &Uri, value: &str) -> Result<Vec<String>, FetchError> {
    let components: Vec<String> = match &uri.output_file {
        Some(output_file) => {
            let refused =
                |reason| FetchError::OutputFile { uri: shown(value), output_file: output_file.clone(), reason };
            if output_file.starts_with('/') {
                return Err(refused("it is an absolute path"));
            }
            for component in output_file.split('/') {
                match component {
                    "" => return Err(refused("it is empty, or has an empty component")),
                    "." | ".." => return Err(refused("it has a component . or ..")),
                    _ => {}
                }
            }
            output_file.split('/').map(str::to_owned).collect()
        }
        None => {
            let path = scheme(value).map_or(value, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
            match path.rsplit('/').next() {
                None | Some("" | "." | "..") => {
                    return Err(FetchError::NoFileName { uri: shown(value) });
                }
                Some(name) => vec![name.to_owned()],
            }
        }
    };
    if let Some(long) = components.iter().find(|component| component.len() > LONGEST_NAME) {
        return Err(FetchError::NameTooLong { uri: shown(value), bytes: long.len() });
    }
    match components.first().map(String::as_str) {
        Some(name @ ("stdout" | "stderr")) => {
            Err(FetchError::OutputOfContainer { uri: shown(value), name: name.to_owned() })
        }
        _ => Ok(components),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        for (uri, text) in [
            ("http://user:secret@host:1/a@b", "http://host:1/a@b"),
            ("s3n://key:se@cret@bucket", "s3n://bucket"),
            ("http://token@host?x=a@b", "http://host?x=a@b"),
            ("http://host/a@b", "http://host/a@b"),
            ("/a/user:secret@b", "/a/user:secret@b"),
        ] {
            assert_eq!(shown(uri), text);
        }
    }
}
