//! Random trees come out as they went in.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::archives::{Zipped, gzip, zip};
use super::*;

#[derive(Clone, Debug, Eq, PartialEq)]
enum Node {
    File(Vec<u8>, u32),
    Directory(u32),
    Symlink(String),
}

/// What is below each name, as far as nothing is below what is no directory.
fn trees() -> impl Strategy<Value = BTreeMap<String, Node>> {
    let name = prop_oneof![4 => "[a-c]", 1 => "[a-z\u{e4} ._-]{1,120}x", 1 => "[a-z]{255}"];
    let path = prop::collection::vec(name, 1..4).prop_map(|names| names.join("/"));
    let mode = prop_oneof![Just(0o644), Just(0o755), Just(0o700), Just(0o600)];
    let node = prop_oneof![
        3 => (prop::collection::vec(any::<u8>(), 0..3000), mode).prop_map(|(content, mode)| Node::File(content, mode)),
        1 => prop_oneof![Just(0o755), Just(0o700)].prop_map(Node::Directory),
        1 => "(\\.\\./){0,3}[a-z]{1,20}(/[a-z]{1,20}){0,6}".prop_map(Node::Symlink),
    ];
    prop::collection::btree_map(path, node, 0..20).prop_map(|all| {
        let is_directory = |path: &str| matches!(all.get(path), None | Some(Node::Directory(_)));
        let above = |path: &str| path.match_indices('/').all(|(at, _)| is_directory(&path[..at]));
        all.iter().filter(|(path, _)| above(path)).map(|(path, node)| (path.clone(), node.clone())).collect()
    })
}

fn tarred(tree: &BTreeMap<String, Node>) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    for (path, node) in tree {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(0);
        match node {
            Node::File(content, mode) => {
                header.set_mode(*mode);
                header.set_size(content.len() as u64);
                builder.append_data(&mut header, path, content.as_slice()).unwrap();
            }
            Node::Directory(mode) => {
                header.set_entry_type(::tar::EntryType::Directory);
                header.set_mode(*mode);
                builder.append_data(&mut header, path, &[][..]).unwrap();
            }
            Node::Symlink(target) => {
                header.set_entry_type(::tar::EntryType::Symlink);
                builder.append_link(&mut header, path, target).unwrap();
            }
        }
    }
    builder.into_inner().unwrap()
}

fn zipped(tree: &BTreeMap<String, Node>) -> Vec<u8> {
    let members: Vec<Zipped> = tree
        .iter()
        .map(|(path, node)| match node {
            Node::File(content, mode) => Zipped { mode: 0o100_000 | mode, ..Zipped::deflated(path, content) },
            Node::Directory(mode) => Zipped::new(&format!("{path}/"), 0o040_000 | mode, b""),
            Node::Symlink(target) => Zipped::new(path, 0o120_777, target.as_bytes()),
        })
        .collect();
    zip(&members)
}

fn extracted(host: &Host, tree: &BTreeMap<String, Node>) -> BTreeMap<String, Node> {
    let found = tree.keys().map(|path| {
        let real = host.path("box").join(path);
        let metadata = fs::symlink_metadata(&real).unwrap();
        let mode = metadata.mode() & 0o7777;
        let node = if metadata.is_symlink() {
            Node::Symlink(fs::read_link(&real).unwrap().into_os_string().into_string().unwrap())
        } else if metadata.is_dir() {
            Node::Directory(mode)
        } else {
            Node::File(fs::read(&real).unwrap(), mode)
        };
        (path.clone(), node)
    });
    found.collect()
}

/// Every path, and every directory on the way to one.
fn expected_count(tree: &BTreeMap<String, Node>) -> usize {
    let mut all: Vec<&str> = Vec::new();
    for path in tree.keys() {
        all.push(path);
        all.extend(path.match_indices('/').map(|(at, _)| &path[..at]));
    }
    all.sort_unstable();
    all.dedup();
    all.len()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn trees_come_out_as_they_went_in(tree in trees(), openat2 in any::<bool>()) {
        for (name, archive) in [("x.tar", tarred(&tree)), ("x.tgz", gzip(&tarred(&tree))), ("x.zip", zipped(&tree))] {
            let host = Host::with(openat2);
            host.extract(name, &archive).unwrap();
            prop_assert_eq!(&extracted(&host, &tree), &tree);
            prop_assert_eq!(snapshot(&host.path("box")).len(), expected_count(&tree));
        }
    }

    #[test]
    fn noise_does_no_harm(
        noise in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        kind in 0..3usize,
        tree in trees(),
    ) {
        let (name, mut archive) = match kind {
            0 => ("x.tar", tarred(&tree)),
            1 => ("x.tgz", gzip(&tarred(&tree))),
            _ => ("x.zip", zipped(&tree)),
        };
        for (at, byte) in noise {
            let at = at.index(archive.len());
            archive[at] = byte;
        }
        // What is outside is looked at there.
        let _ = Host::new().extract(name, &archive);
    }
}
