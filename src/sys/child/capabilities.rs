//! The five sets of capabilities of the calling process: raw system calls only.
#![allow(unsafe_code)]

/// Three of the sets, one bit for each capability by its number.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sets {
    /// What may become effective.
    pub(super) permitted: u64,
    /// What is in force.
    pub(super) effective: u64,
    /// What executing a file that says so makes permitted.
    pub(super) inheritable: u64,
}

/// __user_cap_header_struct of linux/capability.h: its third version, of the calling process.
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// __user_cap_data_struct of linux/capability.h: 32 of the capabilities; two of it, the lower ones first.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const HEADER: Header = Header { version: 0x2008_0522, pid: 0 };

/// As it is now; None: errno says why not.
pub(super) unsafe fn get() -> Option<Sets> {
    let (mut header, mut halves) = (HEADER, [Half::default(); 2]);
    // SAFETY: with this version the kernel writes two halves, and the version it likes better into the header.
    if unsafe { libc::syscall(libc::SYS_capget, &raw mut header, halves.as_mut_ptr()) } < 0 {
        return None;
    }
    let whole = |set: fn(&Half) -> u32| u64::from(set(&halves[0])) | u64::from(set(&halves[1])) << 32;
    Some(Sets {
        permitted: whole(|h| h.permitted),
        effective: whole(|h| h.effective),
        inheritable: whole(|h| h.inheritable),
    })
}

/// Sets the three, and the ambient ones; false: errno says why not.
pub(super) unsafe fn set(sets: &Sets, ambient: u64) -> bool {
    let half = |shift: u32| Half {
        effective: (sets.effective >> shift) as u32,
        permitted: (sets.permitted >> shift) as u32,
        inheritable: (sets.inheritable >> shift) as u32,
    };
    let (mut header, halves) = (HEADER, [half(0), half(32)]);
    // SAFETY: with this version the kernel reads two halves.
    unsafe {
        prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0) >= 0
            && libc::syscall(libc::SYS_capset, &raw mut header, halves.as_ptr()) >= 0
            && in_set(ambient).all(|number| prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, number) >= 0)
    }
}

/// Whether the ambient set is this one.
pub(super) fn ambient_is(wanted: u64) -> bool {
    for number in in_set(u64::MAX) {
        match prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_IS_SET, number) {
            // One that this kernel does not have is an error, and so are all above it: none of them is set.
            ..0 => return wanted >> number == 0,
            is => {
                if (is == 1) != (wanted & (1 << number) != 0) {
                    return false;
                }
            }
        }
    }
    true
}

/// Drops from the bounding set what is not in `kept`; false: errno says why not.
pub(super) fn bound(kept: u64) -> bool {
    beyond(kept).all(|number| prctl(libc::PR_CAPBSET_DROP, number as libc::c_int, 0) >= 0)
}

/// Whether nothing is in the bounding set that is not in `kept`.
pub(super) fn is_bound(kept: u64) -> bool {
    beyond(kept).next().is_none()
}

/// What is in the bounding set and not in `kept`.
fn beyond(kept: u64) -> impl Iterator<Item = u64> {
    let read = |number: u64| prctl(libc::PR_CAPBSET_READ, number as libc::c_int, 0);
    // One that this kernel does not have is an error, and so are all above it.
    let all = in_set(u64::MAX).map(move |number| (number, read(number))).take_while(|(_, is)| *is >= 0);
    all.filter(move |(number, is)| *is == 1 && kept & (1 << number) == 0).map(|(number, _)| number)
}

fn in_set(bits: u64) -> impl Iterator<Item = u64> {
    (0..u64::from(u64::BITS)).filter(move |number| bits & (1 << number) != 0)
}

/// prctl(2) with numbers only, all of them as wide as the kernel takes them.
pub(super) fn prctl(option: libc::c_int, first: libc::c_int, second: u64) -> libc::c_long {
    let first = first as libc::c_ulong;
    // SAFETY: only options are passed whose arguments are numbers.
    unsafe { libc::syscall(libc::SYS_prctl, option, first, second, 0u64, 0u64) }
}
