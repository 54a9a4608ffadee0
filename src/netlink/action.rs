//! What a filter does with a packet.
#![forbid(unsafe_code)]

use super::attribute::{Attribute, Bad, Fields};
use super::statistics::QueueStatistics;
use super::writer::{NESTED, Writer};

const TCA_ACT_KIND: u16 = 1;
const TCA_ACT_OPTIONS: u16 = 2;
const TCA_ACT_STATS: u16 = 4;
/// The same number for mirred and for gact.
const PARMS: u16 = 2;
const TCA_EGRESS_REDIR: u32 = 1;
const TCA_EGRESS_MIRROR: u32 = 2;
/// TCA_ACT_MAX_PRIO: the kernel takes no more in one filter.
pub const MOST: usize = 32;

/// How it goes on after an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// With the next filter, as if this one had not matched.
    Continue,
    /// With the packet's own way; no other filter is asked.
    Pass,
    /// The packet is dropped.
    Drop,
    /// With the next action of this filter. After the last one the packet goes its own way.
    Pipe,
    /// The packet has gone elsewhere.
    Stolen,
}

impl Control {
    /// TC_ACT_*, and tc's word for it.
    const ALL: [(Control, u32); 5] = [
        (Control::Continue, u32::MAX),
        (Control::Pass, 0),
        (Control::Drop, 2),
        (Control::Pipe, 3),
        (Control::Stolen, 4),
    ];

    fn number(self) -> u32 {
        Control::ALL.iter().find(|(control, _)| *control == self).map_or(0, |(_, number)| *number)
    }

    fn of(number: u32) -> Option<Control> {
        Control::ALL.iter().find(|(_, known)| *known == number).map(|(control, _)| *control)
    }
}

/// One of a filter's actions. Links are given by index; 0 where the link is gone: the kernel keeps the action, which then does nothing
/// (mirrors) or drops the packet (redirects).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The packet is sent by another link instead.
    Redirect {
        /// Its index.
        link: u32,
    },
    /// A copy of the packet is sent by another link.
    Mirror {
        /// Its index.
        link: u32,
        /// What becomes of the packet itself.
        then: Control,
    },
    /// Nothing but this. Kernels without act_gact do not know it.
    Plain(Control),
    /// One that this layer cannot make, by its kind.
    Other(String),
}

/// Mirrors to all of these links, in their order, with this after the last one.
pub fn mirrors(links: &[u32], last: Control) -> Vec<Action> {
    let mut actions: Vec<_> = links.iter().map(|link| Action::Mirror { link: *link, then: Control::Pipe }).collect();
    if let Some(Action::Mirror { then, .. }) = actions.last_mut() {
        *then = last;
    }
    actions
}

/// Writes a list of actions as attributes.
pub(super) fn encode(body: &mut Writer, actions: &[Action]) {
    for (order, action) in (1..).zip(actions) {
        body.nest(order, |inner| {
            let (kind, control, target) = match action {
                Action::Redirect { link } => ("mirred", Control::Stolen, Some([TCA_EGRESS_REDIR, *link])),
                Action::Mirror { link, then } => ("mirred", *then, Some([TCA_EGRESS_MIRROR, *link])),
                Action::Plain(control) => ("gact", *control, None),
                Action::Other(kind) => (kind.as_str(), Control::Pass, None),
            };
            inner.text(TCA_ACT_KIND, kind).nest(TCA_ACT_OPTIONS | NESTED, |options| {
                options.nest(PARMS, |parameters| {
                    parameters.words(&[0, 0, control.number(), 0, 0]);
                    if let Some(target) = target {
                        parameters.words(&target);
                    }
                });
            });
        });
    }
}

/// Why the kernel would not take them.
pub(super) fn wrong(actions: &[Action]) -> Option<&'static str> {
    if actions.len() > MOST {
        return Some("the kernel takes at most 32 actions in one filter");
    }
    actions.iter().any(|action| matches!(action, Action::Other(_))).then_some("this program does not know its action")
}

/// The actions of a list, in their order, with what each has counted.
pub(super) fn decode(list: Attribute<'_>) -> Result<Vec<(Action, QueueStatistics)>, Bad> {
    let mut actions = Vec::new();
    for attribute in list.attributes() {
        let attribute = attribute?;
        let (mut kind, mut parameters, mut statistics) = (None, None, QueueStatistics::default());
        for part in attribute.attributes() {
            let part = part?;
            match part.kind {
                TCA_ACT_KIND => kind = Some(part.text()),
                TCA_ACT_OPTIONS => {
                    for option in part.attributes() {
                        let option = option?;
                        if option.kind == PARMS {
                            parameters = Some(option.value);
                        }
                    }
                }
                TCA_ACT_STATS => statistics = QueueStatistics::decode(part)?,
                _ => {}
            }
        }
        let kind = kind.ok_or(Bad("an action without its kind"))?;
        actions.push((one(&kind, parameters)?.unwrap_or(Action::Other(kind)), statistics));
    }
    Ok(actions)
}

/// None: it is none of those that can be made here.
fn one(kind: &str, parameters: Option<&[u8]>) -> Result<Option<Action>, Bad> {
    const SHORT: Bad = Bad("an action's settings are too short");
    if kind != "mirred" && kind != "gact" {
        return Ok(None);
    }
    let fields = Fields(parameters.ok_or(SHORT)?);
    let Some(control) = Control::of(fields.u32(8).ok_or(SHORT)?) else { return Ok(None) };
    if kind == "gact" {
        return Ok(Some(Action::Plain(control)));
    }
    let link = fields.u32(24).ok_or(SHORT)?;
    Ok(match (fields.u32(20).ok_or(SHORT)?, control) {
        (TCA_EGRESS_REDIR, Control::Stolen) => Some(Action::Redirect { link }),
        (TCA_EGRESS_MIRROR, then) => Some(Action::Mirror { link, then }),
        _ => None,
    })
}
