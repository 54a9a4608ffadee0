//! Which proxy to take, by the environment's usual variables.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use super::url::Url;

/// The environment's settings.
#[derive(Debug, Default)]
pub struct Proxies {
    http: Option<String>,
    https: Option<String>,
    /// Of `no_proxy`: names in small letters, without a leading dot; perhaps with a port.
    direct: Vec<String>,
}

impl Proxies {
    /// Reads `http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`, each in small and then in capital letters; an empty one is
    /// as good as none.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Proxies {
        let either = |name: &str| {
            [name.to_owned(), name.to_uppercase()]
                .iter()
                .find_map(|name| variable(name).filter(|value| !value.is_empty()))
        };
        let all = either("all_proxy");
        let direct = either("no_proxy").unwrap_or_default();
        let direct = direct.split([',', ' ', '\t']).map(|name| {
            let name = name.trim().to_ascii_lowercase();
            name.strip_prefix("*.").or(name.strip_prefix('.')).unwrap_or(&name).to_owned()
        });
        Proxies {
            http: either("http_proxy").or_else(|| all.clone()),
            https: either("https_proxy").or(all),
            direct: direct.filter(|name| !name.is_empty()).collect(),
        }
    }

    /// The proxy for this URL, as it stands in the environment.
    pub fn for_url(&self, url: &Url) -> Option<&str> {
        let proxy = if url.is_https() { &self.https } else { &self.http };
        proxy.as_deref().filter(|_| !self.direct.iter().any(|name| matches(name, url)))
    }
}

/// `host`, `.domain`, `*`, an address or a network, the first two perhaps with `:port`.
fn matches(name: &str, url: &Url) -> bool {
    let host = url.host().trim_start_matches('[').trim_end_matches(']');
    if name == "*" {
        return true;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return within(name, address)
            || name.strip_suffix(&format!(":{}", url.port())).is_some_and(|n| within(n, address));
    }
    let name = match name.rsplit_once(':') {
        Some((name, port)) if port.parse() == Ok(url.port()) => name,
        Some(_) => return false,
        None => name,
    };
    host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))
}

/// Whether the address is this one, or in this network (`10.0.0.0/8`).
fn within(network: &str, address: IpAddr) -> bool {
    let network = network.trim_start_matches('[').trim_end_matches(']');
    let (network, bits) = match network.split_once('/') {
        Some((network, bits)) => (network, bits.parse::<u32>().ok()),
        None => (network, Some(128)),
    };
    let Some(bits) = bits else { return false };
    match (network.parse(), address) {
        (Ok(IpAddr::V4(network)), IpAddr::V4(address)) => {
            let ignored = 32 - bits.min(32);
            u32::from(network).checked_shr(ignored) == u32::from(address).checked_shr(ignored)
        }
        (Ok(IpAddr::V6(network)), IpAddr::V6(address)) => {
            let ignored = 128 - bits.min(128);
            u128::from(network).checked_shr(ignored) == u128::from(address).checked_shr(ignored)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn chosen(environment: &[(&str, &str)], url: &str) -> Option<String> {
        let variable = |name: &str| Some(environment.iter().find(|(known, _)| *known == name)?.1.to_owned());
        Proxies::of(variable).for_url(&Url::parse(url).unwrap()).map(str::to_owned)
    }

    #[test]
    fn the_variables_in_both_cases() {
        let http = [("HTTP_PROXY", "http://upper"), ("http_proxy", "http://lower")];
        assert_eq!(chosen(&http, "http://h/").as_deref(), Some("http://lower"));
        assert_eq!(chosen(&http[..1], "http://h/").as_deref(), Some("http://upper"));
        assert_eq!(chosen(&http, "https://h/"), None);
        let all = [("ALL_PROXY", "all"), ("https_proxy", "https")];
        assert_eq!(chosen(&all, "http://h/").as_deref(), Some("all"));
        assert_eq!(chosen(&all, "https://h/").as_deref(), Some("https"));
        assert_eq!(chosen(&[("http_proxy", "")], "http://h/"), None);
    }

    #[test]
    fn who_is_reached_directly() {
        let direct = |no_proxy, url| chosen(&[("http_proxy", "p"), ("no_proxy", no_proxy)], url).is_none();
        for (no_proxy, url) in [
            ("h", "http://h/"),
            ("a, H ,b", "http://h/"),
            ("example.com", "http://www.Example.com/"),
            (".example.com", "http://example.com/"),
            ("*.example.com", "http://a.b.example.com/"),
            ("*", "http://h/"),
            ("h:81", "http://h:81/"),
            ("127.0.0.1", "http://127.0.0.1:8080/"),
            ("127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("10.0.0.0/8", "http://10.1.2.3/"),
            ("::1", "http://[::1]/"),
            ("fd00::/8", "http://[fd00::7]:81/"),
            ("0.0.0.0/0", "http://10.1.2.3/"),
        ] {
            assert!(direct(no_proxy, url), "{no_proxy} {url}");
        }
        for (no_proxy, url) in [
            ("example.com", "http://badexample.com/"),
            ("h:82", "http://h:81/"),
            ("10.0.0.0/8", "http://11.1.2.3/"),
            ("10.0.0.0/x", "http://10.0.0.0/"),
            ("10.0.0.1", "http://10.0.0.2/"),
            ("", "http://h/"),
        ] {
            assert!(!direct(no_proxy, url), "{no_proxy} {url}");
        }
    }
}
