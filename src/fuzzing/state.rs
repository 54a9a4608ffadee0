//! Files of a state directory. The input is a row of them: a byte that says which, two of its length, the content. From 15 on the byte says
//! what of the isolators' it is.
#![forbid(unsafe_code)]

use crate::container::fuzzing::{FILES, directory};

pub(super) fn body(data: &[u8]) {
    let (mut files, mut rest) = (Vec::new(), data);
    while let [which, low, high, content @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(content.len());
        let (content, later) = content.split_at(length);
        match FILES.get(usize::from(*which)) {
            Some(name) => files.push((*name, content)),
            None => crate::isolators::fuzzing::kept(usize::from(*which), content),
        }
        rest = later;
    }
    directory(&files);
}
