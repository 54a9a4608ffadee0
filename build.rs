//! Links the unwinder into the program instead of loading libgcc_s.so.1 at every start: that is a sixth of the CPU time of a
//! short verb (`usage` is called every second for every container by agents up to 0.22), and a program that aborts on panic
//! unwinds only for a backtrace.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // mesos-ecp-init has neither a C runtime nor a library, and nobody relocates it: a few pages, at fixed addresses.
    for argument in [
        "-nostartfiles",
        "-nostdlib",
        "-static",
        "-no-pie",
        "-Wl,--build-id=none",
        "-Wl,-z,noseparate-code",
        "-Wl,-z,norelro",
        "-s",
    ] {
        println!("cargo::rustc-link-arg-bin=mesos-ecp-init={argument}");
    }
    // Where the compiler has no static unwinder the shared one is used as ever.
    let asked = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output();
    let found = asked.is_ok_and(|o| Path::new(String::from_utf8_lossy(&o.stdout).trim()).is_absolute());
    let Some(directory) = env::var_os("OUT_DIR").filter(|_| found) else { return };
    // The standard library asks for gcc_s by name; a linker script of that name, found first, hands it the archive.
    let script = Path::new(&directory).join("libgcc_s.so");
    if fs::write(script, "INPUT(-lgcc_eh)\n").is_ok() {
        println!("cargo::rustc-link-search=native={}", Path::new(&directory).display());
    }
}
