//! A causal trace, as flags: for `trace`, which computes it, and for those that estimate, average or
//! compare it.

use clap::Args;

use super::choice::{choice, choices};
use super::corruption::CorruptionArgs;
use crate::analysis::Positions;
use crate::analysis::causal_trace::{Component, Direction, Map, Severed, Spec, usual_window};
use crate::analysis::corruption::Draws;
use crate::cli::inquiry::Inquiry;
use crate::worker::Engine;

/// Which trace: for `trace`, which computes it, and for `atp`, which estimates it.
#[derive(Args)]
pub struct TraceArgs {
    /// What is restored: the residual stream after a layer, what MLPs or attention add to it, or the
    /// output `z` of each head
    #[arg(long, value_parser = choices(RESTORED))]
    kind: Restored,

    /// Restore at these tokens together instead of at one at a time: `all`, `subject`,
    /// `non-subject`, `last`, a position such as `3`, or a range such as `3..6` without its end
    /// [default for heads: all]
    #[arg(long, value_name = "WHERE")]
    at: Option<Positions>,

    /// With --at: a column for each of these widths of windows, such as `1,3,10`; hidden states have
    /// windows here too [default: --window, or 1 for hidden states]
    #[arg(long, value_name = "N,…", value_delimiter = ',', requires = "at")]
    widths: Vec<usize>,

    #[command(flatten)]
    corruption: CorruptionArgs,

    /// Layers restored together, for `mlp`, `attn` and `head` [default: 10 as ROME, in models of fewer
    /// than 24 layers as large a part as 10 of 48; for heads 1]
    #[arg(long, value_name = "N")]
    window: Option<usize>,

    #[command(flatten)]
    way: WayArgs,
}

/// How many layers a trace restores together.
#[derive(Args)]
pub struct WindowArgs {
    /// Layers restored together, for `mlp` and `attn` [default: 10 as ROME, in models of fewer than 24
    /// layers as large a part as 10 of 48]
    #[arg(long, value_name = "N")]
    window: Option<usize>,
}

impl WindowArgs {
    pub fn of(&self, engine: &Engine) -> usize {
        self.window.unwrap_or_else(|| usual_window(engine.info.config.n_layers))
    }
}

/// Which way activations are restored, and what may react to them.
#[derive(Args)]
pub struct WayArgs {
    /// Hold what MLPs or attention add at the restored token at their corrupted values, so that only
    /// the path around them is left (Meng et al. 2022, figure 3)
    #[arg(long, value_parser = choice::<Severed>())]
    sever: Option<Severed>,

    /// With --sever: in how many layers, from the lowest on whose output could react [default: all,
    /// as ROME]
    #[arg(long, value_name = "N", requires = "sever")]
    sever_layers: Option<usize>,

    /// `denoise`: clean activations into the corrupted run, as ROME; `noise`: corrupted ones into the
    /// clean run
    #[arg(long, default_value = "denoise", value_parser = choice::<Direction>())]
    direction: Direction,
}

impl WayArgs {
    /// The trace of a component, with the draws of a corruption.
    pub fn trace(&self, component: Component, window: usize, draws: Draws, map: Map) -> Spec {
        let Self { direction, sever, sever_layers } = *self;
        Spec { direction, sever, sever_layers, map, ..Spec::new(component, window, draws) }
    }
}

/// The activations that a trace restores.
#[derive(Clone, Copy)]
enum Restored {
    Outputs(Component),
    Heads,
}

const RESTORED: [(&str, Restored); 4] = [
    ("hidden", Restored::Outputs(Component::Hidden)),
    ("mlp", Restored::Outputs(Component::Mlp)),
    ("attn", Restored::Outputs(Component::Attn)),
    ("head", Restored::Heads),
];

impl TraceArgs {
    /// The trace. Without `foil`, the foil may follow from its corruption.
    pub fn spec(&self, foil: Option<&str>, inquiry: &mut Inquiry) -> anyhow::Result<Spec> {
        let draws = self.corruption.draws(inquiry)?;
        inquiry.set_foil(foil)?;
        let (component, usual) = match self.kind {
            Restored::Outputs(Component::Hidden) => (Component::Hidden, 1),
            Restored::Outputs(component) => {
                (component, usual_window(inquiry.engine.info.config.n_layers))
            }
            Restored::Heads => (Component::Attn, 1),
        };
        let window = self.window.unwrap_or(usual);
        Ok(self.way.trace(component, window, draws, self.map(window)?))
    }

    fn map(&self, window: usize) -> anyhow::Result<Map> {
        if matches!(self.kind, Restored::Heads) {
            anyhow::ensure!(self.widths.is_empty(), "--widths is for maps without heads");
            return Ok(Map::Heads { at: self.at.clone().unwrap_or(Positions::All) });
        }
        let Some(at) = self.at.clone() else { return Ok(Map::Tokens) };
        let widths = match &self.widths[..] {
            [] => vec![window],
            widths => widths.to_vec(),
        };
        Ok(Map::Together { at, widths })
    }
}
