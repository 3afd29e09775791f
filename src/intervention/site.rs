//! The named places in a forward pass, with the hook names that TransformerLens gives them.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::stored_as_text;

/// A named place in the forward pass.
///
/// Names and order follow TransformerLens' hook points; `ModelConfig::sites` says which of them a
/// model has. Inside the model every activation
/// has the axes `[batch, pos, head, width]`; sites without heads have `head = 1`. Each variant
/// names its width. The numbers are layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Site {
    /// Token embedding, before positions are added. `width = d_model`
    Embed,

    /// Position embedding. `width = d_model`
    PosEmbed,

    /// The residual stream that enters the block. `width = d_model`
    ResidPre(usize),

    /// The divisor of the first norm: the standard deviation or root mean square, with ε under the
    /// root.
    /// `width = 1`
    Ln1Scale(usize),

    /// Output of the first norm, gain and bias applied, which attention reads; the residual stream
    /// itself where there is no such norm. `width = d_model`
    Ln1Normalized(usize),

    /// Queries. `width = d_head`
    Q(usize),

    /// Keys, of which there are fewer heads if queries are grouped. `width = d_head`
    K(usize),

    /// Values, of as many heads as keys. `width = d_head`
    V(usize),

    /// Queries as scores take them, in models with rotary positions: normalized if the model does
    /// so, and turned by their positions. `width = d_head`
    RotQ(usize),

    /// Keys, likewise. `width = d_head`
    RotK(usize),

    /// Attention scores before the softmax, −∞ at later keys. `pos = query`, `width = key`
    AttnScores(usize),

    /// Attention weights after the softmax. `pos = query`, `width = key`
    Pattern(usize),

    /// Each head's output before `W_O`. `width = d_head`
    Z(usize),

    /// What `W_O` and `b_O` give, in models with a norm after them. `width = d_model`
    AttnMapped(usize),

    /// The output of attention, which is added to the residual stream, with `b_O`.
    /// `width = d_model`
    AttnOut(usize),

    /// The residual stream between attention and MLP. `width = d_model`
    ResidMid(usize),

    /// The divisor of the second norm. `width = 1`
    Ln2Scale(usize),

    /// Output of the second norm, gain and bias applied, which the MLP reads; the residual stream
    /// itself where there is no such norm. `width = d_model`
    Ln2Normalized(usize),

    /// Neurons before the nonlinearity. `width = d_mlp`
    MlpPre(usize),

    /// In a gated MLP, what neurons are multiplied by after the nonlinearity. `width = d_mlp`
    MlpPreLinear(usize),

    /// Neurons after the nonlinearity. `width = d_mlp`
    MlpPost(usize),

    /// What `W_out` and `b_out` give, in models with a norm after them. `width = d_model`
    MlpMapped(usize),

    /// The output of the MLP, which is added to the residual stream, with `b_out`.
    /// `width = d_model`
    MlpOut(usize),

    /// The residual stream that leaves the block. `width = d_model`
    ResidPost(usize),

    /// The divisor of the final norm. `width = 1`
    LnFinalScale,

    /// Output of the final norm, gain and bias applied. `width = d_model`
    LnFinalNormalized,
}

/// A set of sites, such as those whose activations a run keeps.
pub type SiteSet = BTreeSet<Site>;

/// The axes of a site in TransformerLens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axes {
    /// `[batch, pos, width]`
    Stream,

    /// `[batch, pos, head, width]`
    Heads,

    /// `[batch, head, query, key]`
    Attention,
}

/// A hook point inside a block: its name below `blocks.{layer}.`, and its site in a layer.
type InBlock = (&'static str, fn(usize) -> Site);

/// The hook points of a block, in the order in which it computes them.
const IN_BLOCK: [InBlock; 22] = [
    ("hook_resid_pre", Site::ResidPre),
    ("ln1.hook_scale", Site::Ln1Scale),
    ("ln1.hook_normalized", Site::Ln1Normalized),
    ("attn.hook_q", Site::Q),
    ("attn.hook_k", Site::K),
    ("attn.hook_v", Site::V),
    ("attn.hook_rot_q", Site::RotQ),
    ("attn.hook_rot_k", Site::RotK),
    ("attn.hook_attn_scores", Site::AttnScores),
    ("attn.hook_pattern", Site::Pattern),
    ("attn.hook_z", Site::Z),
    ("attn.hook_out", Site::AttnMapped),
    ("hook_attn_out", Site::AttnOut),
    ("hook_resid_mid", Site::ResidMid),
    ("ln2.hook_scale", Site::Ln2Scale),
    ("ln2.hook_normalized", Site::Ln2Normalized),
    ("mlp.hook_pre", Site::MlpPre),
    ("mlp.hook_pre_linear", Site::MlpPreLinear),
    ("mlp.hook_post", Site::MlpPost),
    ("mlp.hook_out", Site::MlpMapped),
    ("hook_mlp_out", Site::MlpOut),
    ("hook_resid_post", Site::ResidPost),
];

/// The hook points outside the blocks.
const OUTSIDE: [(&str, Site); 4] = [
    ("hook_embed", Site::Embed),
    ("hook_pos_embed", Site::PosEmbed),
    ("ln_final.hook_scale", Site::LnFinalScale),
    ("ln_final.hook_normalized", Site::LnFinalNormalized),
];

impl Site {
    /// Every site that a model with `n_layers` blocks may have.
    pub fn all(n_layers: usize) -> SiteSet {
        let in_blocks = (0..n_layers).flat_map(|layer| IN_BLOCK.map(|(_, make)| make(layer)));
        in_blocks.chain(OUTSIDE.map(|(_, site)| site)).collect()
    }

    /// The block that the site lies in. `None` outside the blocks.
    pub fn layer(self) -> Option<usize> {
        match self {
            Self::Embed | Self::PosEmbed | Self::LnFinalScale | Self::LnFinalNormalized => None,
            Self::ResidPre(layer)
            | Self::Ln1Scale(layer)
            | Self::Ln1Normalized(layer)
            | Self::Q(layer)
            | Self::K(layer)
            | Self::V(layer)
            | Self::RotQ(layer)
            | Self::RotK(layer)
            | Self::AttnScores(layer)
            | Self::Pattern(layer)
            | Self::Z(layer)
            | Self::AttnMapped(layer)
            | Self::AttnOut(layer)
            | Self::ResidMid(layer)
            | Self::Ln2Scale(layer)
            | Self::Ln2Normalized(layer)
            | Self::MlpPre(layer)
            | Self::MlpPreLinear(layer)
            | Self::MlpPost(layer)
            | Self::MlpMapped(layer)
            | Self::MlpOut(layer)
            | Self::ResidPost(layer) => Some(layer),
        }
    }

    /// The axes that the site has in TransformerLens.
    pub fn axes(self) -> Axes {
        match self {
            Self::AttnScores(_) | Self::Pattern(_) => Axes::Attention,
            Self::Q(_) | Self::K(_) | Self::V(_) | Self::RotQ(_) | Self::RotK(_) | Self::Z(_) => {
                Axes::Heads
            }
            _ => Axes::Stream,
        }
    }
}

/// The TransformerLens hook name, e.g. `blocks.5.hook_resid_pre`.
impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(layer) = self.layer() else {
            let found = OUTSIDE.iter().find(|(_, site)| site == self);
            return f.write_str(found.map_or("", |(name, _)| name));
        };
        let found = IN_BLOCK.iter().find(|(_, make)| make(layer) == *self);
        write!(f, "blocks.{layer}.{}", found.map_or("", |(name, _)| name))
    }
}

/// A text is not the name of a hook point.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a TransformerLens hook name such as `blocks.5.hook_resid_pre`")]
pub struct UnknownSite(String);

impl FromStr for Site {
    type Err = UnknownSite;

    fn from_str(name: &str) -> Result<Self, UnknownSite> {
        if let Some((_, site)) = OUTSIDE.iter().find(|(outside, _)| *outside == name) {
            return Ok(*site);
        }
        name.strip_prefix("blocks.")
            .and_then(|rest| rest.split_once('.'))
            .and_then(|(layer, rest)| {
                let (_, make) = IN_BLOCK.iter().find(|(inside, _)| *inside == rest)?;
                Some(make(layer.parse().ok()?))
            })
            .ok_or_else(|| UnknownSite(name.to_owned()))
    }
}

stored_as_text!(Site);
