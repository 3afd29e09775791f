//! The estimated effects of single layers and heads, put together for windows of layers.

use std::ops::Range;

use burn::tensor::Tensor;

use super::{Spec, Windows};
use crate::analysis::causal_trace::Component;
use crate::analysis::objective::Passes;
use crate::analysis::sweep::step_when_done;
use crate::analysis::{AnalysisError, Grid};
use crate::intervention::{Site, SiteSet};
use crate::model::{ActivationCache, Held, HeldOutput, ModelConfig, Run};

/// The windows whose outputs are held together, by where they end.
pub(super) struct Overlaps {
    output: HeldOutput,

    /// The layers of the widest window of each end. A window of one layer is left out, since it
    /// holds nothing together.
    ends: Vec<Range<usize>>,
}

impl Overlaps {
    pub fn of(spec: &Spec, n_layers: usize) -> Self {
        let mut ends: Vec<Range<usize>> = Vec::new();
        let output = match spec.trace.component {
            Component::Mlp => HeldOutput::Mlp,
            Component::Attn | Component::Hidden => HeldOutput::Attn,
        };
        let windows = (0..n_layers).map(|layer| spec.trace.layers(layer, n_layers));
        for window in windows.filter(|it| spec.windows == Windows::Held && it.len() > 1) {
            match ends.iter_mut().find(|it| it.end == window.end) {
                Some(there) => there.start = there.start.min(window.start),
                None => ends.push(window),
            }
        }
        Self { output, ends }
    }

    /// The sites whose gradients are needed as well.
    pub fn sites(&self, config: &ModelConfig) -> SiteSet {
        let both = |layer| [Site::ResidMid(layer), Site::ResidPost(layer)];
        let n_layers = if self.ends.is_empty() { 0 } else { config.n_layers };
        (0..n_layers).flat_map(both).filter(|it| config.has(*it)).collect()
    }

    /// How many corrections there are: one for each layer but the last of each window.
    pub fn n_values(&self) -> usize {
        self.ends.iter().map(|layers| layers.len() - 1).sum()
    }

    /// The index of the correction at `layer` in the windows that end at `end`. `None` if there is
    /// none.
    fn at(&self, end: usize, layer: usize) -> Option<usize> {
        let mut before = 0;
        for layers in &self.ends {
            if layers.end == end {
                // Corrections go from the last layer but one down.
                return (layer + 1 < end).then(|| before + end - 2 - layer);
            }
            before += layers.len() - 1;
        }
        None
    }

    /// The corrections: the part of the gradient at each output that passes through later held
    /// outputs, with the output's layer. `[batch, pos, d_model]` each
    pub fn through_held(
        &self,
        passes: &mut Passes<'_>,
        run: &Run,
        gradients: &ActivationCache,
    ) -> Result<Vec<(usize, Tensor<3>)>, AnalysisError> {
        let [n_rows, _, _] = run.logits.dims();
        let n_tokens = n_rows * passes.asked.ids.len();
        let lab = passes.lab;
        let mut off = Vec::new();
        for layers in &self.ends {
            let (first_pos, output) = (passes.first_pos, self.output);
            let held = Held { run, gradients, first_pos, output, layers: layers.clone() };
            let found = lab.model.through_held(&held);
            step_when_done(&lab, &mut passes.progress, (found.len() * n_tokens) as u64)?;
            off.extend((0..layers.end - 1).rev().zip(found));
        }
        Ok(off)
    }
}

/// The estimated effects of restoring the output of one layer at a time, and of one head at a time.
pub(super) struct SingleEffects<'a> {
    /// The first position with effects. Earlier ones are clean already.
    pub first_pos: usize,
    pub n_layers: usize,
    pub n_heads: usize,
    pub overlaps: &'a Overlaps,

    /// The effects in each draw: for each position and layer that of the component and then that of
    /// each head, and after the layers the corrections of windows.
    pub draws: Vec<Vec<f32>>,
}

impl SingleEffects<'_> {
    fn component(&self, draw: &[f32], layer: usize, pos: usize) -> f32 {
        self.get(draw, layer * (1 + self.n_heads), pos)
    }

    /// A head's effect, as a mean over draws.
    fn head(&self, layer: usize, pos: usize, head: usize) -> f32 {
        let nth = layer * (1 + self.n_heads) + 1 + head;
        let of_draw = |draw: &Vec<f32>| f64::from(self.get(draw, nth, pos));
        (self.draws.iter().map(of_draw).sum::<f64>() / self.draws.len() as f64) as f32
    }

    /// The part of a layer's effect that passes through later layers of a window that ends at
    /// `end`.
    fn taken_off(&self, draw: &[f32], end: usize, layer: usize, pos: usize) -> f32 {
        let n_before = self.n_layers * (1 + self.n_heads);
        self.overlaps.at(end, layer).map_or(0.0, |nth| self.get(draw, n_before + nth, pos))
    }

    fn get(&self, draw: &[f32], nth: usize, pos: usize) -> f32 {
        let Some(pos) = pos.checked_sub(self.first_pos) else { return 0.0 };
        let n_values = self.n_layers * (1 + self.n_heads) + self.overlaps.n_values();
        draw[pos * n_values + nth]
    }

    /// The effects of each cell's window. `[layer, position]`
    pub fn windows(&self, spec: &Spec, n_pos: usize) -> Grid<Vec<f32>> {
        let cell = |layer: usize, pos: usize| {
            let sum = |draw: &Vec<f32>| {
                let layers = spec.trace.layers(layer, self.n_layers);
                let end = layers.end;
                let effects = layers.map(|it| {
                    let free = f64::from(self.component(draw, it, pos));
                    free - f64::from(self.taken_off(draw, end, it, pos))
                });
                effects.sum::<f64>() as f32
            };
            self.draws.iter().map(sum).collect()
        };
        let cells = (0..self.n_layers).flat_map(|layer| (0..n_pos).map(move |pos| (layer, pos)));
        Grid::new(n_pos, cells.map(|(layer, pos)| cell(layer, pos)).collect())
    }

    /// The effects of heads, as a grid `[layer, head]` for each position.
    pub fn heads(&self, n_pos: usize) -> Vec<Grid<f32>> {
        let of_pos = |pos: usize| {
            let heads = |layer: usize| (0..self.n_heads).map(move |head| (layer, head));
            let cells = (0..self.n_layers).flat_map(heads);
            Grid::new(
                self.n_heads,
                cells.map(|(layer, head)| self.head(layer, pos, head)).collect(),
            )
        };
        (0..n_pos).map(of_pos).collect()
    }
}

/// The products `(clean − corrupted) · gradient` for each row of the corrupted run, in the order of
/// [`SingleEffects::draws`]. The clean run has one row; the gradients have one row or as many as
/// the corrupted run.
pub(super) fn first_order(
    spec: &Spec,
    n_layers: usize,
    pos: &Range<usize>,
    [clean, corrupted]: [&ActivationCache; 2],
    (gradients, off): &(ActivationCache, Vec<(usize, Tensor<3>)>),
) -> Vec<Vec<f32>> {
    let along = |site: Site, gradient: Tensor<4>| {
        let here =
            |cache: &ActivationCache| cache.get(site).clone().narrow(1, pos.start, pos.len());
        let products = (here(clean) - here(corrupted)) * gradient.narrow(1, 0, pos.len());
        let [batch, n_pos, n_heads, _] = products.dims();
        products.sum_dim(3).reshape([batch, n_pos, n_heads])
    };
    let at = |site: Site| along(site, gradients.get(site).clone());
    let mut parts: Vec<Tensor<3>> = (0..n_layers)
        .flat_map(|layer| [at(spec.trace.component.site(layer)), at(Site::Z(layer))])
        .collect();
    parts.extend(off.iter().map(|(layer, off)| {
        let [batch, n_pos, d_model] = off.dims();
        let off = off.clone().reshape([batch, n_pos, 1, d_model]);
        along(spec.trace.component.site(*layer), off)
    }));
    // All are copied back at once.
    let all = Tensor::cat(parts, 2);
    let [_, n_pos, n_values] = all.dims();
    let values: Vec<f32> = all.into_data().iter::<f32>().collect();
    values.chunks(n_pos * n_values).map(<[f32]>::to_vec).collect()
}
