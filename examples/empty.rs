//! Does nothing: what the benchmarks compare the program with, for this is what starting any Rust program costs.
fn main() {}
