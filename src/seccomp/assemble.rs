//! Classic BPF, written from its end to its beginning: jumps go forward only, so that where they go is written already.
#![forbid(unsafe_code)]

use libc::sock_filter;

/// An instruction that was written: how many are from it to the end of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Label(usize);

/// How a loaded word is compared with a constant, without a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    Equal,
    Greater,
    GreaterOrEqual,
}

// Codes of linux/bpf_common.h, put together.
pub(super) const LOAD_WORD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
pub(super) const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
pub(super) const JUMP: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
pub(super) const JUMP_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
pub(super) const JUMP_GREATER: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
pub(super) const JUMP_GREATER_OR_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
pub(super) const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// A comparison can jump over this many instructions at most.
const FARTHEST: usize = u8::MAX as usize;

/// A program in the making.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    /// The last instruction first.
    backwards: Vec<sock_filter>,
    /// Where each value was last returned.
    returns: Vec<(u32, Label)>,
}

impl Assembler {
    /// Ends with this value. Instructions that do so already are used again where they are near.
    pub(super) fn answer(&mut self, value: u32) -> Label {
        let known = self.returns.iter().find(|(known, _)| *known == value).map(|(_, label)| *label);
        // Some room for what is written until the jump is.
        match known.filter(|label| self.distance(*label) < FARTHEST / 2) {
            Some(label) => label,
            None => {
                self.returns.retain(|(known, _)| *known != value);
                let label = self.write(RETURN, 0, 0, value);
                self.returns.push((value, label));
                label
            }
        }
    }

    /// Loads the word at this place of struct seccomp_data, and goes on at `next`.
    pub(super) fn load(&mut self, offset: u32, next: Label) -> Label {
        self.go_on(next);
        self.write(LOAD_WORD, 0, 0, offset)
    }

    /// Keeps the loaded word's bits of the mask, and goes on at `next`.
    pub(super) fn and(&mut self, mask: u32, next: Label) -> Label {
        self.go_on(next);
        self.write(AND, 0, 0, mask)
    }

    /// Compares the loaded word, and goes on at `yes` or `no`.
    pub(super) fn branch(&mut self, test: Test, value: u32, yes: Label, no: Label) -> Label {
        let (mut yes, mut no) = (yes, no);
        // A step that one of them needs moves the other one further away.
        while self.distance(yes) > FARTHEST || self.distance(no) > FARTHEST {
            if self.distance(yes) > FARTHEST {
                yes = self.step_to(yes);
            }
            if self.distance(no) > FARTHEST {
                no = self.step_to(no);
            }
        }
        let code = match test {
            Test::Equal => JUMP_EQUAL,
            Test::Greater => JUMP_GREATER,
            Test::GreaterOrEqual => JUMP_GREATER_OR_EQUAL,
        };
        self.write(code, self.distance(yes) as u8, self.distance(no) as u8, value)
    }

    /// The program, which begins at the instruction that was written last.
    pub(super) fn finish(mut self) -> Vec<sock_filter> {
        self.backwards.reverse();
        self.backwards
    }

    /// Over how many instructions one has to jump that is written now.
    fn distance(&self, to: Label) -> usize {
        self.backwards.len() - to.0
    }

    /// Makes sure that `next` comes next.
    fn go_on(&mut self, next: Label) {
        if self.distance(next) != 0 {
            self.step_to(next);
        }
    }

    /// One instruction that leads there: a jump, or the same answer once more.
    fn step_to(&mut self, to: Label) -> Label {
        let target = to.0.checked_sub(1).and_then(|at| self.backwards.get(at)).copied();
        match target {
            Some(answer) if answer.code == RETURN => self.write(RETURN, 0, 0, answer.k),
            _ => self.write(JUMP, 0, 0, self.distance(to) as u32),
        }
    }

    fn write(&mut self, code: u16, jt: u8, jf: u8, k: u32) -> Label {
        self.backwards.push(sock_filter { code, jt, jf, k });
        Label(self.backwards.len())
    }
}
