//! The program byte by byte, and what it decides, by an interpreter of the few instructions that there are.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;

fn bytes(program: &[Instruction]) -> Vec<u8> {
    let each = program.iter().flat_map(|i| {
        let [low, high] = i.offset.to_le_bytes();
        [[i.code, i.registers, low, high], i.immediate.to_le_bytes()].concat()
    });
    each.collect()
}

#[test]
fn the_program_is_the_one_that_was_worked_out_by_hand() {
    if cfg!(target_endian = "big") {
        return;
    }
    let read = Access { read: true, write: false, mknod: false };
    #[rustfmt::skip]
    let expected = [
        [0x61, 0x12, 0, 0, 0, 0, 0, 0],          // r2 = *(u32 *)(r1 + 0)
        [0xbf, 0x23, 0, 0, 0, 0, 0, 0],          // r3 = r2
        [0x57, 0x02, 0, 0, 0xff, 0xff, 0, 0],    // r2 &= 0xffff
        [0x77, 0x03, 0, 0, 16, 0, 0, 0],         // r3 >>= 16
        [0x61, 0x14, 4, 0, 0, 0, 0, 0],          // r4 = *(u32 *)(r1 + 4)
        [0x61, 0x15, 8, 0, 0, 0, 0, 0],          // r5 = *(u32 *)(r1 + 8)
        [0x55, 0x02, 5, 0, 2, 0, 0, 0],          // if r2 != char goto +5
        [0x45, 0x03, 4, 0, 5, 0, 0, 0],          // if r3 & (mknod | write) goto +4
        [0x55, 0x04, 3, 0, 1, 0, 0, 0],          // if r4 != 1 goto +3
        [0x55, 0x05, 2, 0, 9, 0, 0, 0],          // if r5 != 9 goto +2
        [0xb7, 0x00, 0, 0, 1, 0, 0, 0],          // r0 = 1
        [0x95, 0x00, 0, 0, 0, 0, 0, 0],          // exit
        [0xb7, 0x00, 0, 0, 0, 0, 0, 0],          // r0 = 0
        [0x95, 0x00, 0, 0, 0, 0, 0, 0],          // exit
    ];
    assert_eq!(bytes(&of(&[Rule::number(Kind::Char, 1, 9, read)])), expected.concat());
    assert_eq!(of(&[]).len(), 8);
}

/// Runs the program; as the kernel's checker it takes no jump backwards or past the end.
fn run(program: &[Instruction], context: [u32; 3]) -> u64 {
    let mut registers = [0_u64; 11];
    let mut at = 0;
    loop {
        let i = program.get(at).unwrap();
        let (to, from) = match cfg!(target_endian = "big") {
            true => (i.registers >> 4, i.registers & 15),
            false => (i.registers & 15, i.registers >> 4),
        };
        let (to, from) = (usize::from(to), usize::from(from));
        let jump = usize::try_from(i.offset).unwrap();
        at += 1;
        match i.code {
            LOAD_WORD => registers[to] = context[jump / 4].into(),
            MOVE_REGISTER => registers[to] = registers[from],
            MOVE_NUMBER => registers[to] = i.immediate as u64,
            AND => registers[to] &= i.immediate as u64,
            SHIFT_RIGHT => registers[to] >>= i.immediate,
            JNE if registers[to] != i.immediate as u64 => at += jump,
            JSET if registers[to] & i.immediate as u64 != 0 => at += jump,
            JNE | JSET => {}
            EXIT => return registers[0],
            other => panic!("{other:#x}"),
        }
    }
}

/// What v1 would do: devcgroup_check_permission of the kernel.
fn allows(rules: &[Rule], kind: i32, access: i32, major: u32, minor: u32) -> bool {
    rules.iter().any(|rule| {
        (rule.kind == Kind::Block) == (kind == BLOCK)
            && rule.major.is_none_or(|m| m == major)
            && rule.minor.is_none_or(|m| m == minor)
            && access & denied(rule.access) == 0
    })
}

#[test]
fn it_decides_as_the_rules_say() {
    let access = |bits: i32| Access { mknod: bits & MKNOD != 0, read: bits & READ != 0, write: bits & WRITE != 0 };
    let mut rules = vec![
        Rule::any(Kind::Char, Access::MKNOD),
        Rule::driver(Kind::Char, 136, Access::ALL),
        Rule::driver(Kind::Block, 8, access(READ)),
        Rule { kind: Kind::Char, major: None, minor: Some(200), access: access(WRITE) },
    ];
    rules.extend((1..8).map(|bits| Rule::number(Kind::Char, 1, bits as u32, access(bits))));
    let numbers = [0, 1, 2, 3, 4, 5, 6, 7, 8, 136, 200, 4095, 0xf_ffff];
    let mut yes = 0;
    for rules in [rules.as_slice(), &[]] {
        let program = of(rules);
        for kind in [BLOCK, CHAR] {
            for asked in 1..8 {
                for major in numbers {
                    for minor in numbers {
                        let answer = run(&program, [(asked << 16 | kind) as u32, major, minor]);
                        let expected = allows(rules, kind, asked, major, minor);
                        assert_eq!(answer, u64::from(expected), "{kind} {asked} {major}:{minor}");
                        yes += answer;
                    }
                }
            }
        }
    }
    assert!(yes > 100);
}
