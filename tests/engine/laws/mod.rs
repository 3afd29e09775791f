//! Laws of passes and methods, which hold for any weights.
//!
//! The model is the fixture `tiny`: random, but with weights large enough for every part to matter.
//!
//! Tolerances: where the same operations run on the same numbers, equality is to the bit. Where a
//! product has more rows, or the vocabulary is in pieces, sums may be taken in another order, and
//! logits of size 10 then differ by about 1e-5.

use factscope::analysis::ablation::{self, Part, Replacement};
use factscope::analysis::attention_knockout::{self, Edges};
use factscope::analysis::causal_trace::{self, CausalTrace};
use factscope::analysis::{Measurement, Positions, Reuse};
use factscope::intervention::{Axes, Donor, Edit, Intervention, Noise, NoiseRng, Site, Span};
use factscope::model::{ActivationCache, Donors, Transformer};
use factscope::tokens::TokenizedPrompt;

use crate::support::{answer_of, assert_close, gpt2_sites, prompt, traced};
pub(super) use crate::support::{paris, trace_spec};

mod edits;
mod errors;
mod methods;
mod passes;
mod removing;
mod tracing;

/// Sums in another order.
pub(super) const LOGIT: f32 = 1e-4;
pub(super) const PROB: f32 = 5e-6;

pub(super) const N_LAYERS: usize = 4;
pub(super) const N_HEADS: usize = 4;

/// Prompts of different lengths, of tokens that mean nothing.
pub(super) fn ids(len: usize, seed: u32) -> Vec<u32> {
    (0..len as u32).map(|pos| (seed * 131 + pos * pos * 17 + pos * 29 + 7) % 657).collect()
}

pub(super) fn noise(std: f64, sample: usize) -> Edit {
    Edit::AddNoise(Noise { rng: NoiseRng::Numpy, seed: 1, std, sample })
}

/// Tokens 1 and 2 lose their meaning.
pub(super) fn corruption() -> Intervention {
    Intervention::at(Site::Embed, Span::Only(1..3), noise(2.0, 0))
}

pub(super) fn copy_clean(site: Site) -> Intervention {
    let edit = Edit::CopyFrom { donor: Donor::Clean, positions: Span::All };
    Intervention::at(site, Span::All, edit)
}

pub(super) fn clean_donor(model: &Transformer, ids: &[u32]) -> Donors {
    Donors::from([(Donor::Clean, model.run_clean(ids, &gpt2_sites(N_LAYERS)).cache)])
}

pub(super) fn trace(prompt: &TokenizedPrompt, spec: &causal_trace::Spec) -> CausalTrace {
    traced(prompt, spec, Reuse::Exact).unwrap()
}

/// The first `len` positions of one row: `[pos, head, width]`. Of attention, the keys there.
pub(super) fn row_of(cache: &ActivationCache, site: Site, row: usize, len: usize) -> Vec<f32> {
    let tensor = cache.get(site).clone();
    let tensor = tensor.narrow(0, row, 1).narrow(1, 0, len);
    let tensor = match site.axes() {
        Axes::Attention => tensor.narrow(3, 0, len),
        Axes::Stream | Axes::Heads => tensor,
    };
    tensor.into_data().iter::<f32>().collect()
}

pub(super) fn log_probs(runs: &[Measurement]) -> Vec<f32> {
    runs.iter().map(|run| run.log_prob).collect()
}

/// That reuse changes no reading.
#[track_caller]
pub(super) fn assert_same(found: &[Measurement], expected: &[Measurement], what: &str) {
    type Reading = fn(&Measurement) -> f32;
    let readings: [(Reading, f32); 4] = [
        (|it| it.prob, PROB),
        (|it| it.answer_log_prob.exp(), PROB),
        (|it| it.logit, LOGIT),
        (|it| it.log_prob, LOGIT),
    ];
    for (reading, tolerance) in readings {
        let of = |runs: &[Measurement]| runs.iter().map(reading).collect::<Vec<_>>();
        assert_close(&of(found), &of(expected), tolerance, what);
    }
}

/// A subject in the middle.
pub(super) fn seine() -> TokenizedPrompt {
    let mut prompt = prompt("The Seine is in", "Seine", None);
    prompt.answer = Some(answer_of(&[300]));
    prompt
}

pub(super) fn ablation_spec(
    part: Part,
    positions: Positions,
    replacement: Replacement,
) -> ablation::Spec {
    ablation::Spec { part, positions, replacement, together: None }
}

pub(super) fn mean_of_others() -> Replacement {
    Replacement::Mean { prompts: [ids(9, 1), ids(4, 2), ids(12, 3)].into() }
}

pub(super) fn to_last(window: usize) -> attention_knockout::Spec {
    attention_knockout::Spec { edges: Edges::to_last(), window }
}
