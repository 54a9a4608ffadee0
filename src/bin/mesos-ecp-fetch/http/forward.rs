//! Plain http through a plain proxy: the request names the whole URL. The HTTP library would ask for a tunnel instead, which
//! many proxies grant to port 443 only.
#![forbid(unsafe_code)]

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// What the request's line begins with.
const METHOD: &[u8] = b"GET ";

/// Connects to the proxy whatever the URL's host is.
#[derive(Debug)]
pub struct ToProxy {
    /// The proxy.
    pub proxy: Uri,
    /// The usual way.
    pub resolver: DefaultResolver,
}

impl Resolver for ToProxy {
    fn resolve(&self, _: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        self.resolver.resolve(&self.proxy, config, timeout)
    }
}

/// Puts the server before the path of each connection's one request.
#[derive(Debug)]
pub struct AbsoluteForm {
    /// `http://host:port`.
    pub server: String,
}

impl<In: Transport> Connector<In> for AbsoluteForm {
    type Out = Absolute<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        Ok(chained.map(|inner| Absolute { inner, server: Some(self.server.clone()) }))
    }
}

/// A connection whose request is still to be sent, or was.
#[derive(Debug)]
pub struct Absolute<T> {
    inner: T,
    server: Option<String>,
}

impl<T: Transport> Transport for Absolute<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let Some(server) = self.server.take() else {
            return self.inner.transmit_output(amount, timeout);
        };
        let mut head = self.inner.buffers().output().get(..amount).unwrap_or_default().to_vec();
        if head.starts_with(METHOD) {
            head.splice(METHOD.len()..METHOD.len(), server.into_bytes());
        }
        let mut rest = head.as_slice();
        while !rest.is_empty() {
            let output = self.inner.buffers().output();
            let (now, later) = rest.split_at(rest.len().min(output.len()));
            output[..now.len()].copy_from_slice(now);
            self.inner.transmit_output(now.len(), timeout)?;
            rest = later;
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }
}
