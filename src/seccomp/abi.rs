//! The interfaces by which processes make system calls: the kernel tells a filter which one it was.
#![forbid(unsafe_code)]

/// One interface, with its own numbers for the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Abi {
    /// 64 bits, amd64.
    X86_64,
    /// 32 bits, i386: any process on x86_64 can use it.
    X86,
    /// 32-bit pointers on x86_64. Told from it only by a bit in the number.
    X32,
    /// 64 bits, arm64.
    Aarch64,
    /// 32 bits (EABI), on arm64.
    Arm,
}

/// Set in the numbers of x32: __X32_SYSCALL_BIT of asm/unistd.h.
pub(super) const X32_BIT: u32 = 0x4000_0000;

// AUDIT_ARCH_* of linux/audit.h.
const AUDIT_X86_64: u32 = 0xc000_003e;
const AUDIT_X86: u32 = 0x4000_0003;
const AUDIT_AARCH64: u32 = 0xc000_00b7;
const AUDIT_ARM: u32 = 0x4000_0028;

/// What `SCMP_ARCH_...` may be on other machines. Known so that a mistyped one is seen.
const FOREIGN: &[&str] = &[
    "LOONGARCH64",
    "M68K",
    "MIPS",
    "MIPS64",
    "MIPS64N32",
    "MIPSEL",
    "MIPSEL64",
    "MIPSEL64N32",
    "PARISC",
    "PARISC64",
    "PPC",
    "PPC64",
    "PPC64LE",
    "RISCV64",
    "S390",
    "S390X",
    "SH",
    "SHEB",
];

impl Abi {
    /// That of this build of the program; None where no table of calls is known.
    pub const fn native() -> Option<Abi> {
        if cfg!(all(target_arch = "x86_64", target_pointer_width = "64")) {
            Some(Abi::X86_64)
        } else if cfg!(all(target_arch = "aarch64", target_endian = "little")) {
            Some(Abi::Aarch64)
        } else {
            None
        }
    }

    /// The other ones that a kernel of this one may run.
    pub fn others(self) -> &'static [Abi] {
        match self {
            Abi::X86_64 => &[Abi::X86, Abi::X32],
            Abi::Aarch64 => &[Abi::Arm],
            Abi::X86 | Abi::X32 | Abi::Arm => &[],
        }
    }

    /// The `arch` that a filter sees.
    pub fn audit(self) -> u32 {
        match self {
            Abi::X86_64 | Abi::X32 => AUDIT_X86_64,
            Abi::X86 => AUDIT_X86,
            Abi::Aarch64 => AUDIT_AARCH64,
            Abi::Arm => AUDIT_ARM,
        }
    }

    /// What is set in the numbers that a filter sees.
    pub(super) fn number_bits(self) -> u32 {
        if self == Abi::X32 { X32_BIT } else { 0 }
    }

    /// Where its numbers end that new calls get in turn; beyond are those of its own.
    pub(super) fn ordinary_end(self) -> u32 {
        match self {
            Abi::X32 => X32_BIT + 512,
            Abi::Arm => 0xf_0000,
            Abi::X86_64 | Abi::X86 | Abi::Aarch64 => X32_BIT,
        }
    }

    /// Only the lower halves of arguments count. (x32 has 32-bit pointers, but whole registers.)
    pub(super) fn is_32_bit(self) -> bool {
        matches!(self, Abi::X86 | Abi::Arm)
    }

    /// The one that `SCMP_ARCH_...` names; Ok(None) for one of other machines.
    pub(super) fn named(name: &str) -> Result<Option<Abi>, String> {
        Ok(match name.strip_prefix("SCMP_ARCH_") {
            Some("X86_64") => Some(Abi::X86_64),
            Some("X86") => Some(Abi::X86),
            Some("X32") => Some(Abi::X32),
            Some("AARCH64") => Some(Abi::Aarch64),
            Some("ARM") => Some(Abi::Arm),
            Some(other) if FOREIGN.contains(&other) => None,
            _ => return Err(format!("unknown architecture \"{}\"; SCMP_ARCH_X86_64 is one", name.escape_default())),
        })
    }

    /// Its name in `includes.arches` and `excludes.arches`, which have the names of the Go compiler.
    pub fn go_name(self) -> &'static str {
        match self {
            Abi::X86_64 => "amd64",
            Abi::X86 => "x86",
            Abi::X32 => "x32",
            Abi::Aarch64 => "arm64",
            Abi::Arm => "arm",
        }
    }
}
