//! How long the calls took, all checks taken together.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::testing::call::Call;
use crate::testing::report::{Outcome, milliseconds};

/// The median of each call counts: one slow one may be the host's doing.
pub(super) fn judge(calls: &[(Call, Duration)], slow_call: Duration, slow_usage: Duration) -> Outcome {
    let (mut medians, mut slow) = (Vec::new(), Vec::new());
    for call in Call::ALL {
        let mut times: Vec<Duration> = calls.iter().filter(|(c, _)| *c == call).map(|(_, took)| *took).collect();
        times.sort_unstable();
        let Some(median) = times.get(times.len() / 2) else { continue };
        medians.push(format!("{call} {}", milliseconds(*median)));
        let limit = if call == Call::Usage { slow_usage } else { slow_call };
        if *median > limit {
            slow.push(format!("{call} takes {}, more than {limit:?}", milliseconds(*median)));
        }
    }
    match slow.is_empty() {
        true => Outcome::Passed(format!("medians: {}", medians.join(", "))),
        false => Outcome::Failed(format!("{} (median) -- verbs wait for it", slow.join("; "))),
    }
}
