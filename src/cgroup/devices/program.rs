//! The rules as a BPF program, which the kernel runs for each open and each mknod of a device file.
//!
//! It gets a struct bpf_cgroup_dev_ctx (linux/bpf.h): the request (kind in the lower, access in the upper 16 bits), the major
//! and the minor number, 32 bits each; and answers 1 for yes, 0 for no. For each rule it looks whether the rule allows all
//! that is asked for, and answers yes if so; after the last rule it answers no.
#![forbid(unsafe_code)]

use super::rule::{Access, Kind, Rule};
use crate::sys::Instruction;

// Registers, by the kernel's convention: the answer, the context.
const R0: u8 = 0;
const R1: u8 = 1;
// Of our own choice, among those that calls leave alone (there are none).
const KIND: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

// BPF_DEVCG_DEV_* and BPF_DEVCG_ACC_* of linux/bpf.h.
const BLOCK: i32 = 1;
const CHAR: i32 = 2;
const MKNOD: i32 = 1;
const READ: i32 = 2;
const WRITE: i32 = 4;

/// The program of these rules.
pub(super) fn of(rules: &[Rule]) -> Vec<Instruction> {
    let mut program = vec![
        load_word(KIND, R1, 0),
        move_register(ACCESS, KIND),
        and(KIND, 0xffff),
        shift_right(ACCESS, 16),
        load_word(MAJOR, R1, 4),
        load_word(MINOR, R1, 8),
    ];
    rules.iter().for_each(|rule| append(&mut program, rule));
    program.extend([move_number(R0, 0), exit()]);
    program
}

fn append(program: &mut Vec<Instruction>, rule: &Rule) {
    let kind = match rule.kind {
        Kind::Block => BLOCK,
        Kind::Char => CHAR,
    };
    let denied = denied(rule.access);
    // Each is true of a request that the rule is not for, or does not allow.
    let mut tests = vec![(JNE, KIND, kind)];
    tests.extend((denied != 0).then_some((JSET, ACCESS, denied)));
    tests.extend(rule.major.map(|major| (JNE, MAJOR, major as i32)));
    tests.extend(rule.minor.map(|minor| (JNE, MINOR, minor as i32)));
    let yes = [move_number(R0, 1), exit()];
    for (number, (code, register, operand)) in tests.iter().enumerate() {
        // Over the tests that are left, and the answer.
        let over = tests.len() - number - 1 + yes.len();
        program.push(instruction(*code, *register, 0, over as i16, *operand));
    }
    program.extend(yes);
}

fn denied(access: Access) -> i32 {
    [(access.mknod, MKNOD), (access.read, READ), (access.write, WRITE)]
        .into_iter()
        .filter(|(allowed, _)| !allowed)
        .fold(0, |bits, (_, bit)| bits | bit)
}

// Codes of linux/bpf.h and linux/bpf_common.h, put together.
/// BPF_LDX | BPF_MEM | BPF_W.
const LOAD_WORD: u8 = 0x61;
/// BPF_ALU64 | BPF_MOV | BPF_X.
const MOVE_REGISTER: u8 = 0xbf;
/// BPF_ALU64 | BPF_MOV | BPF_K.
const MOVE_NUMBER: u8 = 0xb7;
/// BPF_ALU64 | BPF_AND | BPF_K.
const AND: u8 = 0x57;
/// BPF_ALU64 | BPF_RSH | BPF_K.
const SHIFT_RIGHT: u8 = 0x77;
/// BPF_JMP | BPF_JNE | BPF_K.
const JNE: u8 = 0x55;
/// BPF_JMP | BPF_JSET | BPF_K: jumps if they have a bit in common.
const JSET: u8 = 0x45;
/// BPF_JMP | BPF_EXIT.
const EXIT: u8 = 0x95;

fn instruction(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers: Instruction::registers(to, from), offset, immediate }
}

fn load_word(to: u8, from: u8, at: i16) -> Instruction {
    instruction(LOAD_WORD, to, from, at, 0)
}

fn move_register(to: u8, from: u8) -> Instruction {
    instruction(MOVE_REGISTER, to, from, 0, 0)
}

fn move_number(to: u8, number: i32) -> Instruction {
    instruction(MOVE_NUMBER, to, 0, 0, number)
}

fn and(register: u8, number: i32) -> Instruction {
    instruction(AND, register, 0, 0, number)
}

fn shift_right(register: u8, by: i32) -> Instruction {
    instruction(SHIFT_RIGHT, register, 0, 0, by)
}

fn exit() -> Instruction {
    instruction(EXIT, 0, 0, 0, 0)
}

#[cfg(test)]
#[path = "program_tests.rs"]
mod tests;
