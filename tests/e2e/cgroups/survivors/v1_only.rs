//! The same where v2 is not mounted: on a mixed host it does nearly all the work, and the v1 freezer has hardly any.

use crate::agent::{cgroups, need_root, skip};
use crate::cgroups::inside::{place, run_in};

#[test]
fn the_same_without_v2() {
    need_root!();
    if place().is_some() {
        assert!(cgroups::unified().is_none());
        return;
    }
    let Some(unified) = cgroups::unified().filter(|_| cgroups::is_v1("freezer")) else {
        skip!("there are not both a v1 freezer and v2 to leave out");
    };
    let passed = run_in("v1_only", &format!("umount {}", unified.display()), "cgroups::survivors::");
    assert!(passed >= 20, "{passed}");
}
