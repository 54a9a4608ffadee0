//! How long the stand-in waits before a test fails.

use std::sync::OnceLock;
use std::time::Duration;

/// How long anything may take, on a machine as fast as usual.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// This time limit where the tests run: times `ECP_TEST_PATIENCE`, a whole number, for machines that are much slower than
/// usual, such as one that is emulated. Every limit of the stand-in and of the tests goes through this; times that
/// something must last do not.
pub fn patient(limit: Duration) -> Duration {
    static FACTOR: OnceLock<u32> = OnceLock::new();
    limit
        * *FACTOR.get_or_init(|| match std::env::var("ECP_TEST_PATIENCE") {
            Ok(text) => text.parse().expect("ECP_TEST_PATIENCE is a whole number"),
            Err(_) => 1,
        })
}
