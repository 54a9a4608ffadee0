//! A connection that is cut is not one that was closed. The HTTP library takes both for the end of a body that has no length
//! of its own, and half a file would pass for the whole.
#![forbid(unsafe_code)]

use std::io::{self, ErrorKind};

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// Names such an end in a way that the library passes on. It belongs at the end of a chain of connectors, above TLS.
#[derive(Debug)]
pub struct TellCuts;

impl<In: Transport> Connector<In> for TellCuts {
    type Out = Told<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(Told))
    }
}

/// A connection whose being cut is [`ErrorKind::BrokenPipe`].
#[derive(Debug)]
pub struct Told<T>(T);

impl<T: Transport> Transport for Told<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.0.await_input(timeout).map_err(|error| match error {
            Error::Io(error) if is_cut(error.kind()) => Error::Io(io::Error::new(ErrorKind::BrokenPipe, error)),
            error => error,
        })
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}

/// A reset, or TLS that ends without saying so: whoever is on the way can do that.
fn is_cut(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::UnexpectedEof)
}
