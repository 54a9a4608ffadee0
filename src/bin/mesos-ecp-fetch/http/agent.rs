//! The HTTP library, set up for one request.
#![forbid(unsafe_code)]

use std::cell::OnceCell;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, DefaultConnector, TcpConnector};
use ureq::{Agent, Body, Proxy, ProxyProtocol};

use super::cut::TellCuts;
use super::forward::{AbsoluteForm, ToProxy};
use super::proxy::Proxies;
use super::url::Url;
use super::words;
use crate::error::Download;
use crate::order::Limits;

/// Makes requests, each with a connection of its own.
#[derive(Debug)]
pub struct Requests {
    limits: Limits,
    proxies: Proxies,
    /// Loaded for the first https only: there are many.
    certificates: OnceCell<Result<Arc<Vec<Certificate<'static>>>, String>>,
}

impl Requests {
    pub fn new(limits: &Limits, variable: impl Fn(&str) -> Option<String>) -> Requests {
        Requests { limits: limits.clone(), proxies: Proxies::of(variable), certificates: OnceCell::new() }
    }

    /// Asks for the URL, once, and returns with the head of the answer, whatever that says.
    pub fn get(&self, url: &Url) -> Result<ureq::http::Response<Body>, Download> {
        let failed = |reason: String| Download::Transport { url: url.to_string(), reason, passing: false };
        let proxy = self.proxies.for_url(url).map(|text| {
            // The text is not shown: it may hold a password.
            Proxy::new(text).map_err(|_| failed("the proxy that the environment names is no proxy's URL".to_owned()))
        });
        let proxy = proxy.transpose()?;
        let tls = url.is_https() || proxy.as_ref().is_some_and(|proxy| proxy.protocol() == ProxyProtocol::Https);
        let certificates = if tls { Some(self.certificates().map_err(failed)?) } else { None };

        let plain = proxy.as_ref().filter(|p| !url.is_https() && p.protocol() == ProxyProtocol::Http);
        let authorization = plain.and_then(|proxy| {
            let user = proxy.username()?;
            Some(basic(format!("{user}:{}", proxy.password().unwrap_or_default()).as_bytes()))
        });
        let agent = match plain {
            Some(proxy) => {
                let connector = ().chain(TcpConnector::default()).chain(AbsoluteForm { server: url.server_text() });
                let connector = connector.chain(TellCuts);
                let resolver = ToProxy { proxy: with_port(proxy), resolver: DefaultResolver::default() };
                Agent::with_parts(self.config(certificates, None), connector, resolver)
            }
            None => {
                let connector = DefaultConnector::default().chain(TellCuts);
                Agent::with_parts(self.config(certificates, proxy.clone()), connector, DefaultResolver::default())
            }
        };
        let mut request = agent.get(url.request());
        if let Some(credentials) = url.credentials() {
            request = request.header("authorization", basic(&credentials));
        }
        if let Some(authorization) = authorization {
            request = request.header("proxy-authorization", authorization);
        }
        request.call().map_err(|error| words::transport(url, &error, &self.limits, proxy.is_some()))
    }

    fn config(&self, certificates: Option<Arc<Vec<Certificate<'static>>>>, proxy: Option<Proxy>) -> Config {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::Specific(certificates.unwrap_or_default()))
            .build();
        Agent::config_builder()
            .tls_config(tls)
            .proxy(proxy)
            .http_status_as_error(false)
            // Followed by ourselves: each hop has its own proxy and its own right to the credentials.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("mesos-ecp-fetch/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_resolve(Some(self.limits.connect))
            .timeout_connect(Some(self.limits.connect))
            .timeout_per_read(Some(self.limits.stall))
            .timeout_per_write(Some(self.limits.stall))
            .build()
    }

    /// Those of the authorities that this host trusts, or of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    fn certificates(&self) -> Result<Arc<Vec<Certificate<'static>>>, String> {
        let load = || {
            let found = rustls_native_certs::load_native_certs();
            if found.certs.is_empty() {
                let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
                let why = if errors.is_empty() { String::new() } else { format!(" ({})", errors.join("; ")) };
                return Err(format!(
                    "no certificate of an authority was found{why}: install the package ca-certificates, or have SSL_CERT_FILE \
                     or SSL_CERT_DIR in the agent's environment name some"
                ));
            }
            let certificates = found.certs.iter().map(|der| Certificate::from_der(der.as_ref()).to_owned());
            Ok(Arc::new(certificates.collect::<Vec<_>>()))
        };
        self.certificates.get_or_init(load).clone()
    }
}

/// A header's value for "Basic" authentication.
fn basic(credentials: &[u8]) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(credentials))
}

/// The proxy with its port, which need not stand there.
fn with_port(proxy: &Proxy) -> Uri {
    let text = format!("http://{}:{}/", proxy.host(), proxy.port());
    text.parse().unwrap_or_else(|_| proxy.uri().clone())
}
