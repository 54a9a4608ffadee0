//! The settings of the qdisc tbf.
#![forbid(unsafe_code)]

use super::attribute::{Attribute, Bad, Fields};
use super::rate::{Clock, is_wide, narrow, of_spec};
use super::writer::Writer;

const TCA_TBF_PARMS: u16 = 1;
const TCA_TBF_RTAB: u16 = 2;
const TCA_TBF_RATE64: u16 = 4;
const TCA_TBF_BURST: u16 = 6;
/// The longest packet of the table of times if nothing says otherwise.
const LONGEST: u32 = 2047;

/// One rate for all packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tbf {
    /// Bytes per second.
    pub rate: u64,
    /// Bytes that may be sent at once after a pause. Packets that are longer are dropped. (The kernel keeps the time that they take at the
    /// rate, so that it reads a little different.)
    pub burst: u32,
    /// Bytes that may wait.
    pub limit: u32,
}

impl Tbf {
    pub(super) fn wrong(&self) -> Option<&'static str> {
        (self.rate == 0 || self.burst == 0).then_some("without a rate and a burst nothing can be sent")
    }

    pub(super) fn encode(&self, body: &mut Writer, clock: Clock) {
        let (spec, times) = clock.table(self.rate, LONGEST);
        body.nest(TCA_TBF_PARMS, |inner| {
            inner.raw(&spec).raw(&[0; 12]).words(&[self.limit, clock.ticks(narrow(self.rate).into(), self.burst), 0]);
        });
        body.u32(TCA_TBF_BURST, self.burst);
        if is_wide(self.rate) {
            body.u64(TCA_TBF_RATE64, self.rate);
        }
        body.bytes(TCA_TBF_RTAB, &times);
    }
}

pub(super) fn decode(settings: Attribute<'_>) -> Result<Tbf, Bad> {
    const SHORT: Bad = Bad("tbf's settings are too short");
    let mut wide = None;
    let mut result = None;
    for attribute in settings.attributes() {
        let attribute = attribute?;
        match attribute.kind {
            TCA_TBF_PARMS => {
                let fields = Fields(attribute.value);
                let (limit, ticks) = (fields.u32(24).ok_or(SHORT)?, fields.u32(28).ok_or(SHORT)?);
                result = Some((of_spec(Some(attribute.value))?, limit, ticks));
            }
            TCA_TBF_RATE64 => wide = Some(attribute.u64()?),
            _ => {}
        }
    }
    let (narrow, limit, ticks) = result.ok_or(SHORT)?;
    let rate = wide.unwrap_or(narrow);
    Ok(Tbf { rate, burst: Clock::USUAL.size(rate, ticks), limit })
}
