//! Programs by which a v2 cgroup decides about device files: bpf(2), `BPF_PROG_TYPE_CGROUP_DEVICE` (Linux 4.15).
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// struct bpf_insn of linux/bpf.h.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Class, operation and source.
    pub code: u8,
    /// Destination and source; see [`Instruction::registers`].
    pub registers: u8,
    /// Of a jump: how many instructions are left out. Of a load: the place in memory.
    pub offset: i16,
    /// The constant operand.
    pub immediate: i32,
}

impl Instruction {
    /// Two bit fields of four, in the order of the machine's compilers.
    pub const fn registers(destination: u8, source: u8) -> u8 {
        if cfg!(target_endian = "big") { destination << 4 | source } else { source << 4 | destination }
    }
}

/// What of union bpf_attr BPF_PROG_LOAD needs. What is left out counts as zero.
#[repr(C)]
#[derive(Default)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
}

/// What of union bpf_attr BPF_PROG_ATTACH needs.
#[repr(C)]
struct Attach {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
}

// enum bpf_cmd, bpf_prog_type and bpf_attach_type of linux/bpf.h.
const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_ATTACH: libc::c_int = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
/// Programs of cgroups above and below are asked as well, and all have to agree.
const BPF_F_ALLOW_MULTI: u32 = 1 << 1;

/// As `bpftool prog` lists it.
const NAME: &[u8; 16] = b"mesos_ecp_dev\0\0\0";

/// Hands a program to the kernel, which checks it.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN (since Linux 5.8 CAP_BPF and CAP_NET_ADMIN do, too) or, before Linux 5.11, with a small
/// RLIMIT_MEMLOCK; EINVAL or EACCES for a bad program or a kernel without cgroup programs; ENOSYS.
pub fn load_device_program(program: &[Instruction]) -> io::Result<OwnedFd> {
    let attributes = Load {
        prog_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: program.len() as u32,
        insns: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        prog_name: *NAME,
        ..Load::default()
    };
    // SAFETY: the kernel reads the size it is told, that of `attributes`, `insn_cnt` instructions of the slice, which is
    // borrowed over the call, and a static string; without a log buffer it writes nothing.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const attributes, size_of::<Load>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just returned this descriptor, and nobody else has it. It is close-on-exec.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Attaches a program to a cgroup. It stays as long as the cgroup, and counts for all cgroups below.
///
/// # Errors
/// EBADF when the directory is none of a v2 cgroup; EPERM when a program above allows none below it.
pub fn attach_device_program(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let attributes = Attach {
        target_fd: cgroup.as_raw_fd() as u32,
        attach_bpf_fd: program.as_raw_fd() as u32,
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags: BPF_F_ALLOW_MULTI,
    };
    // SAFETY: the kernel reads the size it is told, that of `attributes`, which holds no pointers.
    let done = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_ATTACH, &raw const attributes, size_of::<Attach>()) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

const _: () = assert!(size_of::<Instruction>() == 8 && size_of::<Load>() == 64 && size_of::<Attach>() == 16);
