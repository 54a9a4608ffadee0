//! A profile of system calls: reading it ends, and what is read makes a filter of whole instructions, or is too long for one.
#![forbid(unsafe_code)]

use crate::seccomp::{Abi, Host, MOST_INSTRUCTIONS, Profile, compile};

pub(super) fn body(data: &[u8]) {
    let profile = match Profile::parse(super::text(data)) {
        Ok(profile) => profile,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    for native in [Abi::X86_64, Abi::Aarch64] {
        for capabilities in [0, u64::MAX] {
            let host = Host { native, kernel: (6, 1), capabilities };
            let Ok(compiled) = compile(&profile, &host) else { continue };
            let length = compiled.program.len();
            assert!(length > 1 && length <= MOST_INSTRUCTIONS);
            for (at, instruction) in compiled.program.iter().enumerate() {
                let farthest = match instruction.code {
                    0x05 => instruction.k as usize,
                    _ => usize::from(instruction.jt.max(instruction.jf)),
                };
                assert!(at + 1 + farthest < length || instruction.code == 0x06);
            }
        }
    }
}
