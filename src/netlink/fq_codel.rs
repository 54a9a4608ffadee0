//! The settings of the qdisc fq_codel.
#![forbid(unsafe_code)]

use super::attribute::{Attribute, Bad};
use super::writer::Writer;

const TCA_FQ_CODEL_TARGET: u16 = 1;
const TCA_FQ_CODEL_LIMIT: u16 = 2;
const TCA_FQ_CODEL_INTERVAL: u16 = 3;
const TCA_FQ_CODEL_ECN: u16 = 4;
const TCA_FQ_CODEL_FLOWS: u16 = 5;
const TCA_FQ_CODEL_QUANTUM: u16 = 6;
const TCA_FQ_CODEL_CE_THRESHOLD: u16 = 7;
const TCA_FQ_CODEL_DROP_BATCH_SIZE: u16 = 8;
const TCA_FQ_CODEL_MEMORY_LIMIT: u16 = 9;

/// None: the kernel's own choice, which it tells where it is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FqCodel {
    /// Packets in all queues together; 10240.
    pub limit: Option<u32>,
    /// How many queues, 1 to 65536, fixed once it is made; 1024.
    pub flows: Option<u32>,
    /// Microseconds that a packet should wait at most; 5000. The kernel rounds to its clock.
    pub target: Option<u32>,
    /// Microseconds that it may take longer before packets are dropped; 100000.
    pub interval: Option<u32>,
    /// Bytes that a queue sends in its turn; the link's MTU and its header.
    pub quantum: Option<u32>,
    /// Whether packets are marked instead of dropped where both ends know marks (ECN); they are.
    pub ecn: Option<bool>,
    /// Microseconds after which a packet is marked anyway; never.
    pub ce_threshold: Option<u32>,
    /// Packets dropped at once where there is no room; 64.
    pub drop_batch: Option<u32>,
    /// Bytes of memory; 32 MiB.
    pub memory_limit: Option<u32>,
}

impl FqCodel {
    pub(super) fn encode(&self, body: &mut Writer) {
        for (kind, value) in [
            (TCA_FQ_CODEL_LIMIT, self.limit),
            (TCA_FQ_CODEL_FLOWS, self.flows),
            (TCA_FQ_CODEL_QUANTUM, self.quantum),
            (TCA_FQ_CODEL_INTERVAL, self.interval),
            (TCA_FQ_CODEL_TARGET, self.target),
            (TCA_FQ_CODEL_ECN, self.ecn.map(u32::from)),
            (TCA_FQ_CODEL_CE_THRESHOLD, self.ce_threshold),
            (TCA_FQ_CODEL_MEMORY_LIMIT, self.memory_limit),
            (TCA_FQ_CODEL_DROP_BATCH_SIZE, self.drop_batch),
        ] {
            if let Some(value) = value {
                body.u32(kind, value);
            }
        }
    }
}

pub(super) fn decode(settings: Attribute<'_>) -> Result<FqCodel, Bad> {
    let mut result = FqCodel::default();
    for attribute in settings.attributes() {
        let attribute = attribute?;
        let field = match attribute.kind {
            TCA_FQ_CODEL_LIMIT => &mut result.limit,
            TCA_FQ_CODEL_FLOWS => &mut result.flows,
            TCA_FQ_CODEL_QUANTUM => &mut result.quantum,
            TCA_FQ_CODEL_INTERVAL => &mut result.interval,
            TCA_FQ_CODEL_TARGET => &mut result.target,
            TCA_FQ_CODEL_CE_THRESHOLD => &mut result.ce_threshold,
            TCA_FQ_CODEL_MEMORY_LIMIT => &mut result.memory_limit,
            TCA_FQ_CODEL_DROP_BATCH_SIZE => &mut result.drop_batch,
            TCA_FQ_CODEL_ECN => {
                result.ecn = Some(attribute.u32()? != 0);
                continue;
            }
            _ => continue,
        };
        *field = Some(attribute.u32()?);
    }
    Ok(result)
}
