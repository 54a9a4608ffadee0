//! Addresses of Ethernet.
#![forbid(unsafe_code)]

use std::fmt;
use std::str::FromStr;

use super::attribute::Bad;

/// A link's address (MAC): six bytes, `02:11:22:33:44:55`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = Bad;

    fn from_str(text: &str) -> Result<Mac, Bad> {
        const WRONG: Bad =
            Bad("not an Ethernet address, which is six pairs of hexadecimal digits with colons between them");
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()));
            *byte = part.and_then(|part| u8::from_str_radix(part, 16).ok()).ok_or(WRONG)?;
        }
        if parts.next().is_some() { Err(WRONG) } else { Ok(Mac(bytes)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_printed() {
        let mac = Mac([2, 0x11, 0, 0xff, 4, 5]);
        assert_eq!(mac.to_string(), "02:11:00:ff:04:05");
        assert_eq!(mac.to_string().parse(), Ok(mac));
        for text in
            ["", "02:11:22:33:44", "02:11:22:33:44:55:66", "2:11:22:33:44:55", "+2:11:22:33:44:55", "0g:11:22:33:44:55"]
        {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }
}
