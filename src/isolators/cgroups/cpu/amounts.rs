//! From cpus to what the kernel wants to be told.
#![forbid(unsafe_code)]

use crate::error::{Error, Result};
use crate::protocol::mesos::Resource;
use crate::protocol::resources::scalar;

/// Shares of one CPU in v1, and of a revocable one: those of the agents.
const SHARES: f64 = 1024.0;
const REVOCABLE_SHARES: f64 = 10.0;
/// The kernel's least (MIN_SHARES in kernel/sched/sched.h).
const LEAST_SHARES: u64 = 2;

/// The same in v2, whose default is 100 where v1's is 1024 (kernel document cgroup-v2, "Weights").
const WEIGHT: f64 = 100.0;
const REVOCABLE_WEIGHT: f64 = 1.0;
const LEAST_WEIGHT: u64 = 1;
const MOST_WEIGHT: u64 = 10_000;

/// Bandwidth is given out for periods of 100 ms, which is the kernel's default; in microseconds.
pub(super) const PERIOD_US: u64 = 100_000;
/// The kernel takes no quota below 1 ms and none of 2^44 µs (MAX_BW in kernel/sched).
const LEAST_QUOTA_US: u64 = 1_000;
const MOST_QUOTA_US: u64 = (1 << 44) - 1;

/// What new cgroups have.
pub(super) const DEFAULT_SHARES: u64 = 1024;
/// What new cgroups have.
pub(super) const DEFAULT_WEIGHT: u64 = 100;

/// The cpus of a container.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cpus {
    amount: f64,
    low_priority: bool,
}

impl Cpus {
    /// Those in a list. If any of them are revocable, all of them are of low priority, where `low_priority` says so.
    ///
    /// # Errors
    /// There are none.
    pub(super) fn of(resources: &[Resource], low_priority: bool) -> Result<Cpus> {
        let amount = scalar(resources, "cpus").ok_or_else(|| {
            Error::Refused(
                "no cpus resource is given (or an impossible one): the container's share follows from it".into(),
            )
        })?;
        let revocable = |r: &Resource| r.revocable.is_some() && r.scalar.is_some_and(|s| s.value > 0.0);
        let revocable = resources.iter().filter(|r| r.name == "cpus").any(revocable);
        Ok(Cpus { amount, low_priority: low_priority && revocable })
    }

    /// For cpu.shares. The conversion saturates, and the kernel takes its own most (2^18) for more.
    pub(super) fn shares(self) -> u64 {
        let each = if self.low_priority { REVOCABLE_SHARES } else { SHARES };
        ((self.amount * each).floor() as u64).max(LEAST_SHARES)
    }

    /// For cpu.weight. Rounded, so that 0.29 cpus are 29 and not what the binary fraction makes of it.
    pub(super) fn weight(self) -> u64 {
        let each = if self.low_priority { REVOCABLE_WEIGHT } else { WEIGHT };
        ((self.amount * each).round() as u64).clamp(LEAST_WEIGHT, MOST_WEIGHT)
    }

    /// Microseconds of CPU time in each period.
    pub(super) fn quota_us(self) -> u64 {
        ((self.amount * PERIOD_US as f64).round() as u64).clamp(LEAST_QUOTA_US, MOST_QUOTA_US)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::mesos::resource::RevocableInfo;
    use crate::protocol::mesos::value;

    fn cpus(amount: f64, revocable: bool) -> Resource {
        let scalar = Some(value::Scalar { value: amount });
        let revocable = revocable.then_some(RevocableInfo {});
        Resource { name: "cpus".into(), scalar, revocable, ..Resource::default() }
    }

    fn of(amount: f64) -> Cpus {
        Cpus::of(&[cpus(amount, false)], true).unwrap()
    }

    #[test]
    fn the_documented_values() {
        assert_eq!(Cpus::of(&[cpus(0.5, false), cpus(0.1, false)], true).unwrap().shares(), 614);
        for (amount, shares, weight, quota) in [
            (0.0, 2, 1, 1_000),
            (0.001, 2, 1, 1_000),
            (0.29, 296, 29, 29_000),
            (0.6, 614, 60, 60_000),
            (1.0, 1024, 100, 100_000),
            (100.5, 102_912, 10_000, 10_050_000),
            (f64::MAX, u64::MAX, 10_000, MOST_QUOTA_US),
        ] {
            let cpus = of(amount);
            assert_eq!((cpus.shares(), cpus.weight(), cpus.quota_us()), (shares, weight, quota), "{amount}");
        }
    }

    #[test]
    fn revocable_cpus_weigh_a_hundredth_unless_told_otherwise() {
        let mixed = [cpus(2.0, false), cpus(1.5, true)];
        let low = Cpus::of(&mixed, true).unwrap();
        assert_eq!((low.shares(), low.weight(), low.quota_us()), (35, 4, 350_000));
        assert_eq!(Cpus::of(&mixed, false).unwrap().shares(), 3584);
        assert_eq!(Cpus::of(&[cpus(0.1, true)], true).unwrap().shares(), 2);
        let none = [cpus(2.0, false), cpus(0.0, true), Resource { name: "mem".into(), ..cpus(9.0, true) }];
        assert_eq!(Cpus::of(&none, true).unwrap().shares(), 2048);
    }

    #[test]
    fn without_cpus_there_is_no_share() {
        for none in [vec![], vec![cpus(f64::NAN, false)], vec![cpus(-1.0, false)]] {
            assert!(Cpus::of(&none, true).unwrap_err().to_string().contains("cpus"), "{none:?}");
        }
    }

    proptest! {
        #[test]
        fn more_cpus_never_get_less(a in 0.0..1e9, b in 0.0..1e9) {
            let (less, more) = (of(f64::min(a, b)), of(f64::max(a, b)));
            prop_assert!(less.shares() <= more.shares());
            prop_assert!(less.weight() <= more.weight());
            prop_assert!(less.quota_us() <= more.quota_us());
        }

        #[test]
        fn what_the_kernel_takes_and_never_more_than_a_step_off(amount in 0.0..100_000.0) {
            let cpus = of(amount);
            prop_assert!(cpus.shares() >= 2 && (1_000..1 << 44).contains(&cpus.quota_us()));
            prop_assert!((1..=10_000).contains(&cpus.weight()));
            prop_assert!(cpus.shares() == 2 || (0.0..1.0).contains(&(amount * 1024.0 - cpus.shares() as f64)));
            prop_assert!(cpus.quota_us() == 1_000 || (amount * 100_000.0 - cpus.quota_us() as f64).abs() <= 0.5);
        }
    }
}
