//! Which class ids the flags allow, and which of them is the next.
#![forbid(unsafe_code)]

use crate::config;

/// A class id is `primary << 16 | secondary` (tc(8) writes it `primary:secondary`, in hexadecimal).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Handles {
    primary: u16,
    first: u16,
    last: u16,
}

const PRIMARY: &str = "--cgroups_net_cls_primary_handle";
const SECONDARY: &str = "--cgroups_net_cls_secondary_handles";

impl Handles {
    /// Those of the flags; None without any. Without a range, all secondary handles but 0 are free to be used.
    pub(super) fn of(flags: &config::Cgroups) -> Result<Option<Handles>, String> {
        let range = flags.cgroups_net_cls_secondary_handles.as_deref();
        let Some(primary) = flags.cgroups_net_cls_primary_handle.as_deref() else {
            return match range {
                Some(_) => Err(format!("{SECONDARY} says nothing without {PRIMARY}; give both")),
                None => Ok(None),
            };
        };
        let primary = handle(primary).ok_or_else(|| wrong(PRIMARY, primary, "it is one handle, as 0x0012"))?;
        let Some(range) = range else {
            return Ok(Some(Handles { primary, first: 1, last: u16::MAX }));
        };
        let ends = range.split_once(',').and_then(|(first, last)| Some((handle(first.trim())?, handle(last.trim())?)));
        match ends {
            Some((first, last)) if first <= last => Ok(Some(Handles { primary, first, last })),
            Some(_) => Err(wrong(SECONDARY, range, "the first is greater than the last")),
            None => Err(wrong(SECONDARY, range, "it is the first and the last handle, as 0x0001,0xffff")),
        }
    }

    /// The class id with the lowest secondary handle that is in none of `used`.
    pub(super) fn lowest_free(&self, mut used: Vec<u32>) -> Option<u32> {
        used.sort_unstable();
        let all = u32::from(self.first)..=u32::from(self.last);
        all.map(|secondary| u32::from(self.primary) << 16 | secondary).find(|id| used.binary_search(id).is_err())
    }

    /// For messages.
    pub(super) fn describe(&self) -> String {
        format!("0x{:04x} to 0x{:04x} of primary handle 0x{:04x}", self.first, self.last, self.primary)
    }
}

fn wrong(flag: &str, value: &str, why: &str) -> String {
    format!("{flag}=\"{}\": {why}; handles are from 0x0001 to 0xffff", value.escape_default())
}

/// Hexadecimal with 0x before it, else decimal. 0 means "none" to the kernel and is no handle.
fn handle(text: &str) -> Option<u16> {
    let (digits, radix) = text.strip_prefix("0x").map_or((text, 10), |digits| (digits, 16));
    // from_str_radix would take a sign.
    let plain = digits.chars().all(|c| c.is_digit(radix));
    u16::from_str_radix(digits, radix).ok().filter(|number| plain && *number != 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::{Config, Settings, Untrusted};

    fn of(primary: Option<&str>, secondary: Option<&str>) -> Result<Option<Handles>, String> {
        let (config, _) = Config::resolve(&Settings::default(), std::iter::empty(), &Untrusted::default()).unwrap();
        Handles::of(&config::Cgroups {
            cgroups_net_cls_primary_handle: primary.map(str::to_owned),
            cgroups_net_cls_secondary_handles: secondary.map(str::to_owned),
            ..config.cgroups
        })
    }

    #[test]
    fn handles_are_hexadecimal_or_decimal_and_not_zero() {
        assert_eq!(of(None, None), Ok(None));
        assert_eq!(of(Some("0x0012"), None), Ok(Some(Handles { primary: 0x12, first: 1, last: 0xffff })));
        assert_eq!(of(Some("18"), Some("0x1, 0xF")), Ok(Some(Handles { primary: 18, first: 1, last: 15 })));
        for primary in ["", "0", "0x", "0x0000", "0x10000", "65536", "-1", "+1", "0x+1", "12h", "0x12 "] {
            let error = of(Some(primary), None).unwrap_err();
            assert!(error.contains(&format!("{PRIMARY}=\"{primary}\"")), "{error}");
        }
        for range in ["", "1", "1,", ",1", "0,4", "1,2,3", "1-4", "1,0x10000"] {
            let error = of(Some("1"), Some(range)).unwrap_err();
            assert!(error.contains(&format!("{SECONDARY}=\"{range}\"")), "{error}");
        }
        assert!(of(Some("1"), Some("5,4")).unwrap_err().contains("greater"));
        assert!(of(None, Some("1,4")).unwrap_err().contains("give both"));
    }

    #[test]
    fn the_lowest_that_is_free_is_next() {
        let handles = of(Some("0x12"), Some("2,4")).unwrap().unwrap();
        assert_eq!(handles.lowest_free(vec![]), Some(0x12_0002));
        assert_eq!(handles.lowest_free(vec![0x12_0003, 0, 0x12_0002, 0x13_0004]), Some(0x12_0004));
        assert_eq!(handles.lowest_free(vec![0x12_0003, 0x12_0002, 0x12_0004]), None);
    }
}
