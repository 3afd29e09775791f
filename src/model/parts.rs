//! Components that write to the residual stream and components that read from it: the ends of a
//! path.

use std::fmt;
use std::str::FromStr;

use super::Wiring;
use crate::intervention::{Site, stored_as_text};

/// A component that writes to the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sender {
    /// The token embeddings.
    Embed,
    Head {
        layer: usize,
        head: usize,
    },
    Mlp {
        layer: usize,
    },
}

/// A component that reads the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Receiver {
    Head {
        layer: usize,
        head: usize,
        input: HeadInput,
    },
    Mlp {
        layer: usize,
    },

    /// The final layer norm and the unembedding.
    Logits,
}

/// Which of a head's inputs a path ends at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeadInput {
    Query,
    Key,
    Value,
}

impl HeadInput {
    const NAMES: [(Self, &str); 3] = [(Self::Query, "q"), (Self::Key, "k"), (Self::Value, "v")];
}

impl Sender {
    /// The layer, and when in it the component writes: 0 before the layer, 1 with its attention, 2
    /// with its MLP.
    pub(super) fn order(self) -> (usize, usize) {
        match self {
            Self::Embed => (0, 0),
            Self::Head { layer, .. } => (layer, 1),
            Self::Mlp { layer } => (layer, 2),
        }
    }

    /// Whether a path through the residual stream alone leads to a receiver's site.
    pub fn reaches(self, receiver: Site, wiring: Wiring) -> bool {
        self.order() <= last_seen_by(receiver, wiring)
    }

    /// All senders of a model, in the order in which they write.
    pub fn all(n_layers: usize, n_heads: usize) -> impl Iterator<Item = Self> {
        let in_layer = move |layer: usize| {
            let heads = (0..n_heads).map(move |head| Self::Head { layer, head });
            heads.chain([Self::Mlp { layer }])
        };
        [Self::Embed].into_iter().chain((0..n_layers).flat_map(in_layer))
    }
}

impl Receiver {
    /// The site at which the receiver's input can be read and overwritten.
    pub fn site(self, n_layers: usize) -> Site {
        match self {
            Self::Head { layer, input, .. } => match input {
                HeadInput::Query => Site::Q(layer),
                HeadInput::Key => Site::K(layer),
                HeadInput::Value => Site::V(layer),
            },
            Self::Mlp { layer } => Site::Ln2Normalized(layer),
            Self::Logits => Site::ResidPost(n_layers - 1),
        }
    }

    /// The receiver's head. `None` if its site has no heads.
    pub fn head(self) -> Option<usize> {
        match self {
            Self::Head { head, .. } => Some(head),
            Self::Mlp { .. } | Self::Logits => None,
        }
    }
}

/// The last component that a receiver's site sees, as [`Sender::order`] gives it.
fn last_seen_by(receiver: Site, wiring: Wiring) -> (usize, usize) {
    match receiver {
        Site::Q(layer) | Site::K(layer) | Site::V(layer) => (layer, 0),
        Site::Ln2Normalized(layer) => (layer, usize::from(wiring == Wiring::Sequential)),
        Site::ResidPost(layer) => (layer, 2),
        other => panic!("`{other}` is not read through the residual stream alone"),
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embed => f.pad("embed"),
            Self::Head { layer, head } => f.pad(&format!("L{layer}H{head}")),
            Self::Mlp { layer } => f.pad(&format!("MLP{layer}")),
        }
    }
}

impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head { layer, head, input } => {
                let name = HeadInput::NAMES.iter().find(|(it, _)| it == input);
                f.pad(&format!("L{layer}H{head}.{}", name.map_or("", |(_, name)| name)))
            }
            Self::Mlp { layer } => f.pad(&format!("MLP{layer}")),
            Self::Logits => f.pad("logits"),
        }
    }
}

/// A text names no component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownPart {
    #[error("`{0}` is no sender; give `embed`, a head such as `L9H6`, or an MLP such as `MLP3`")]
    Sender(String),

    #[error(
        "`{0}` is no receiver; give the queries, keys or values of a head, such as `L9H6.q`, an MLP \
         such as `MLP3`, or `logits`"
    )]
    Receiver(String),
}

fn head_of(text: &str) -> Option<(usize, usize)> {
    let (layer, head) = text.strip_prefix('L')?.split_once('H')?;
    Some((layer.parse().ok()?, head.parse().ok()?))
}

fn mlp_of(text: &str) -> Option<usize> {
    text.strip_prefix("MLP")?.parse().ok()
}

impl FromStr for Sender {
    type Err = UnknownPart;

    fn from_str(text: &str) -> Result<Self, UnknownPart> {
        if text == "embed" {
            return Ok(Self::Embed);
        }
        let head = head_of(text).map(|(layer, head)| Self::Head { layer, head });
        head.or_else(|| mlp_of(text).map(|layer| Self::Mlp { layer }))
            .ok_or_else(|| UnknownPart::Sender(text.to_owned()))
    }
}

impl FromStr for Receiver {
    type Err = UnknownPart;

    fn from_str(text: &str) -> Result<Self, UnknownPart> {
        if text == "logits" {
            return Ok(Self::Logits);
        }
        let head = || {
            let (head, input) = text.split_once('.')?;
            let (layer, head) = head_of(head)?;
            let (input, _) = HeadInput::NAMES.iter().find(|(_, name)| *name == input)?;
            Some(Self::Head { layer, head, input: *input })
        };
        head()
            .or_else(|| mlp_of(text).map(|layer| Self::Mlp { layer }))
            .ok_or_else(|| UnknownPart::Receiver(text.to_owned()))
    }
}

stored_as_text!(Sender, Receiver);
