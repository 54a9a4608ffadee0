//! What the kernel does with a filter, and what it checks before (seccomp_check_filter, bpf_check_classic).

use libc::sock_filter;

use crate::seccomp::assemble::{AND, JUMP, JUMP_EQUAL, JUMP_GREATER, JUMP_GREATER_OR_EQUAL, LOAD_WORD, RETURN};

/// struct seccomp_data.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Data {
    pub(super) number: u32,
    pub(super) arch: u32,
    pub(super) arguments: [u64; 6],
}

impl Data {
    pub(super) fn new(arch: u32, number: u32, arguments: &[u64]) -> Data {
        let mut data = Data { number, arch, ..Data::default() };
        data.arguments[..arguments.len()].copy_from_slice(arguments);
        data
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = [self.number.to_ne_bytes(), self.arch.to_ne_bytes()].concat();
        bytes.extend(0_u64.to_ne_bytes());
        self.arguments.iter().for_each(|argument| bytes.extend(argument.to_ne_bytes()));
        bytes
    }
}

/// The answer. Panics where the kernel would not have taken the filter.
pub(super) fn run(program: &[sock_filter], data: &Data) -> u32 {
    run_counting(program, data).0
}

/// The answer, and how many instructions it took.
pub(super) fn run_counting(program: &[sock_filter], data: &Data) -> (u32, usize) {
    let bytes = data.bytes();
    let (mut at, mut accumulator, mut steps) = (0, 0_u32, 0);
    loop {
        let instruction = program.get(at).unwrap_or_else(|| panic!("past the end at {at}"));
        let k = instruction.k;
        at += 1;
        steps += 1;
        let jumps = |yes: bool| usize::from(if yes { instruction.jt } else { instruction.jf });
        match instruction.code {
            LOAD_WORD => {
                assert!(k % 4 == 0 && k < 64);
                let word = bytes[k as usize..][..4].try_into().unwrap();
                accumulator = u32::from_ne_bytes(word);
            }
            AND => accumulator &= k,
            JUMP => at += k as usize,
            JUMP_EQUAL => at += jumps(accumulator == k),
            JUMP_GREATER => at += jumps(accumulator > k),
            JUMP_GREATER_OR_EQUAL => at += jumps(accumulator >= k),
            RETURN => return (k, steps),
            other => panic!("{other:#x}"),
        }
    }
}

/// What the kernel checks of each instruction, run or not.
pub(super) fn check(program: &[sock_filter]) {
    assert!(!program.is_empty() && program.len() <= 4096);
    assert_eq!(program.last().unwrap().code, RETURN);
    for (at, instruction) in program.iter().enumerate() {
        let left = program.len() - at - 1;
        match instruction.code {
            JUMP => assert!((instruction.k as usize) < left),
            JUMP_EQUAL | JUMP_GREATER | JUMP_GREATER_OR_EQUAL => {
                assert!(usize::from(instruction.jt.max(instruction.jf)) < left);
            }
            LOAD_WORD | AND | RETURN => {}
            other => panic!("{other:#x}"),
        }
    }
}
