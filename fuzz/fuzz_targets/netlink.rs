//! Any bytes as the kernel's answers over netlink: cutting and reading them ends, and what is understood and can be asked for reads
//! the same when it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesos_ecp::netlink::any::{decode, survives};

fuzz_target!(|data: &[u8]| {
    for answer in decode(data).iter().flatten() {
        assert_ne!(survives(answer), Some(false), "{answer:?}");
    }
});
