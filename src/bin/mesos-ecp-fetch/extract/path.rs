//! The names of members: what they may be, taken apart.
#![forbid(unsafe_code)]

use super::error::Failure;

/// NAME_MAX of Linux.
const LONGEST_NAME: usize = 255;

/// PATH_MAX of Linux, without the NUL at its end.
pub(super) const LONGEST_PATH: usize = 4095;

/// Each level costs system calls with every member below it.
const DEEPEST: usize = 512;

/// Where a member goes: components below the sandbox. Empty for the sandbox itself (`./`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct MemberPath {
    components: Vec<Vec<u8>>,
}

impl MemberPath {
    /// Leading slashes are left out, as `tar` does. A `..` is refused wherever it stands: what precedes it may be a
    /// link.
    pub(super) fn parse(name: &[u8]) -> Result<Self, Failure> {
        if name.is_empty() {
            return Err(Failure::refused("has an empty name"));
        }
        if name.contains(&0) {
            return Err(Failure::refused("has a NUL byte in its name"));
        }
        if name.len() > LONGEST_PATH {
            return Err(Failure::refused(format!("has a name of {} bytes; {LONGEST_PATH} are possible", name.len())));
        }
        let mut components = Vec::new();
        for component in name.split(|&byte| byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => return Err(Failure::refused("has the component .. in its name, which may lead elsewhere")),
                _ if component.len() > LONGEST_NAME => {
                    return Err(Failure::refused(format!(
                        "has a component of {} bytes in its name; a file's name has at most {LONGEST_NAME}",
                        component.len()
                    )));
                }
                _ => components.push(component.to_vec()),
            }
        }
        if components.len() > DEEPEST {
            return Err(Failure::refused(format!("is more than {DEEPEST} directories deep")));
        }
        Ok(Self { components })
    }

    /// The directory and the name in it; `None` for the sandbox itself.
    pub(super) fn split(&self) -> Option<(&[Vec<u8>], &[u8])> {
        self.components.split_last().map(|(name, directory)| (directory, name.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn joined(name: &[u8]) -> Vec<u8> {
        MemberPath::parse(name).unwrap().components.join(&b'/')
    }

    fn refused(name: &[u8]) -> String {
        match MemberPath::parse(name) {
            Err(Failure::Refused(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_are_taken_as_tar_takes_them() {
        for (name, path) in [
            (&b"a/b"[..], &b"a/b"[..]),
            (b"./a//b/", b"a/b"),
            (b"/etc/passwd", b"etc/passwd"),
            (b"//a/./b", b"a/b"),
            (b"...", b"..."),
            (b"a/..b", b"a/..b"),
            (b"\xff/\xfe", b"\xff/\xfe"),
            (b"./", b""),
            (b"/", b""),
        ] {
            assert_eq!(joined(name), path, "{name:?}");
        }
    }

    #[test]
    fn names_that_are_refused() {
        for name in [&b".."[..], b"../a", b"a/../b", b"a/..", b"/..", b"./../a"] {
            assert!(refused(name).contains(".."), "{name:?}");
        }
        assert!(refused(b"").contains("empty"));
        assert!(refused(b"a\0b").contains("NUL"));
        assert!(refused(&[b'n'; 256]).contains("256 bytes"));
        assert!(refused(&b"n/".repeat(2048)).contains("4096 bytes"));
        assert!(refused(&b"n/".repeat(513)).contains("512 directories"));
        assert_eq!(joined(&[b'n'; 255]).len(), 255);
        assert!(MemberPath::parse(&b"n/".repeat(512)).is_ok());
    }
}
