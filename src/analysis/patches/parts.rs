//! Components that write to the residual stream and components that read from it: the ends of a
//! path.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::analysis::AnalysisError;
use crate::analysis::error::index_below;
use crate::intervention::Site;
use crate::model::{Gpt2Config, Writer};

/// A component that writes to the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String")]
#[serde(try_from = "String")]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String")]
#[serde(try_from = "String")]
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

impl Sender {
    pub(in crate::analysis) fn writer(self) -> Writer {
        match self {
            Self::Embed => Writer::Embed,
            Self::Head { layer, head } => Writer::Head { layer, head },
            Self::Mlp { layer } => Writer::Mlp { layer },
        }
    }

    /// Whether a path through the residual stream alone leads to a receiver.
    pub fn reaches(self, receiver: Receiver, n_layers: usize) -> bool {
        self.writer().reaches(receiver.site(n_layers))
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
    pub(in crate::analysis) fn site(self, n_layers: usize) -> Site {
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
    pub(in crate::analysis) fn head(self) -> Option<usize> {
        match self {
            Self::Head { head, .. } => Some(head),
            Self::Mlp { .. } | Self::Logits => None,
        }
    }

    /// Checks that the model has the receiver.
    pub(in crate::analysis) fn check(self, config: &Gpt2Config) -> Result<(), AnalysisError> {
        match self {
            Self::Head { layer, head, .. } => {
                index_below("layer", layer, config.n_layers)?;
                index_below("head", head, config.n_heads)
            }
            Self::Mlp { layer } => index_below("layer", layer, config.n_layers),
            Self::Logits => Ok(()),
        }
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
                let input = match input {
                    HeadInput::Query => "q",
                    HeadInput::Key => "k",
                    HeadInput::Value => "v",
                };
                f.pad(&format!("L{layer}H{head}.{input}"))
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
            let input = match input {
                "q" => HeadInput::Query,
                "k" => HeadInput::Key,
                "v" => HeadInput::Value,
                _ => return None,
            };
            Some(Self::Head { layer, head, input })
        };
        head()
            .or_else(|| mlp_of(text).map(|layer| Self::Mlp { layer }))
            .ok_or_else(|| UnknownPart::Receiver(text.to_owned()))
    }
}

impl From<Sender> for String {
    fn from(sender: Sender) -> Self {
        sender.to_string()
    }
}

impl TryFrom<String> for Sender {
    type Error = UnknownPart;

    fn try_from(text: String) -> Result<Self, UnknownPart> {
        text.parse()
    }
}

impl From<Receiver> for String {
    fn from(receiver: Receiver) -> Self {
        receiver.to_string()
    }
}

impl TryFrom<String> for Receiver {
    type Error = UnknownPart;

    fn try_from(text: String) -> Result<Self, UnknownPart> {
        text.parse()
    }
}
