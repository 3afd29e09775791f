//! Made-up results of the size of GPT-2 large's, the same on every machine.

use std::ops::Range;

use factscope::analysis::ablation::{self, Ablation, Part, Replacement};
use factscope::analysis::attention::{self, Attention};
use factscope::analysis::attention_knockout::{self, AttentionKnockout, Edges};
use factscope::analysis::attribution_patching::{self, AttributionPatching, BasePoint, Windows};
use factscope::analysis::causal_trace::{self, CausalTrace, NoiseLevel};
use factscope::analysis::logit_attribution::{
    self, Component, Contribution, LogitAttribution, Parts,
};
use factscope::analysis::logit_lens::{self, LensCell, LogitLens};
use factscope::analysis::prediction::{Candidate, Prediction};
use factscope::analysis::{Grid, Measurement, Metric, Positions};
use factscope::facts::Fact;
use factscope::intervention::NoiseRng;
use factscope::tokens::{Bos, GPT2_MERGES, TokenizedPrompt, Tokenizer, gpt2_vocabulary};

pub const N_LAYERS: usize = 36;
pub const N_HEADS: usize = 20;

pub fn tokenizer() -> Tokenizer {
    Tokenizer::from_vocabulary(gpt2_vocabulary(&GPT2_MERGES).unwrap(), &GPT2_MERGES).unwrap()
}

pub fn prompt(tokenizer: &Tokenizer, answer: &str, foil: Option<&str>) -> TokenizedPrompt {
    let text = "The Eiffel Tower is located in the city of";
    let fact = Fact {
        prompt: text.to_owned(),
        subject: Some(4..16),
        answer: Some(answer.to_owned()),
        foil: foil.map(str::to_owned),
    };
    TokenizedPrompt::new(tokenizer, &fact, Bos::Off).unwrap()
}

/// A made-up number between 0 and 1, the same on every machine.
fn noise(seed: usize) -> f32 {
    let mixed = (seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) as f32
        / (1_u32 << 24) as f32
}

fn bump(x: f32, center: f32, width: f32) -> f32 {
    (-((x - center) / width).powi(2)).exp()
}

fn measured(prob: f32) -> Measurement {
    Measurement {
        prob,
        log_prob: prob.ln(),
        logit: 18.0 + prob.ln(),
        rank: u32::from(prob < 0.2) * 3,
        answer_log_prob: prob.ln() - 0.21,
        logit_diff: None,
        kl: None,
    }
}

/// An early site at the subject's last token, and a late one at the prompt's.
pub fn trace(prompt: TokenizedPrompt, n_done: usize) -> CausalTrace {
    let n_pos = prompt.n_pos();
    let last_of_subject = prompt.subject.clone().unwrap().end - 1;
    let cell = |layer: usize, pos: usize| {
        let depth = layer as f32;
        let early = if pos == last_of_subject { 0.62 * bump(depth, 13.0, 8.0) } else { 0.0 };
        let late = if pos == n_pos - 1 { 0.85 * bump(depth, 35.0, 9.0) } else { 0.0 };
        let mean = 0.0421 + early + late + 0.02 * noise(layer * n_pos + pos);
        (0..10).map(|nth| measured(mean * (0.9 + 0.02 * nth as f32))).collect::<Vec<_>>()
    };
    // As they come in: every eighth layer first, the last positions first.
    let turn = |nth: usize| {
        let (layer, pos) = (nth / n_pos, nth % n_pos);
        (3 - layer.trailing_zeros().min(3), n_pos - pos, layer)
    };
    let mut order: Vec<usize> = (0..N_LAYERS * n_pos).collect();
    order.sort_by_key(|nth| turn(*nth));
    let mut cells = vec![Vec::new(); order.len()];
    for nth in order.into_iter().take(n_done) {
        cells[nth] = cell(nth / n_pos, nth % n_pos);
    }
    CausalTrace {
        spec: causal_trace::Spec {
            component: causal_trace::Component::Mlp,
            window: 10,
            noise: NoiseLevel::Multiple { factor: 3.0, tokens: [464].into() },
            rng: NoiseRng::Numpy,
            seed: 1,
            n_samples: 10,
            direction: causal_trace::Direction::Denoise,
            sever: None,
            sever_layers: None,
            corruption: causal_trace::Corruption::default(),
            map: causal_trace::Map::default(),
        },
        prompt,
        noise_std: 0.1324,
        corruptions: Vec::new(),
        clean: measured(0.9573),
        corrupted: (0..10).map(|nth| measured(0.03 + 0.003 * nth as f32)).collect(),
        restored: Grid::new(n_pos, cells),
    }
}

/// As straight lines are: right about where, too sure of how much.
pub fn estimate(complete: &CausalTrace) -> AttributionPatching {
    let effects = complete.restored.map(|runs| {
        let pairs = runs.iter().zip(&complete.corrupted);
        pairs.map(|(run, corrupted)| 1.1 * (run.log_prob - corrupted.log_prob)).collect()
    });
    AttributionPatching {
        spec: attribution_patching::Spec {
            trace: complete.spec.clone(),
            base: BasePoint::Corrupted,
            metric: Metric::LogProb,
            windows: Windows::Held,
            n_verified: 0,
        },
        prompt: complete.prompt.clone(),
        noise_std: complete.noise_std,
        corruptions: Vec::new(),
        clean: complete.clean,
        corrupted: complete.corrupted.clone(),
        effects,
        heads: Vec::new(),
        verified: Vec::new(),
    }
}

pub fn patterns(prompt: TokenizedPrompt, layers: Range<usize>) -> Attention {
    let n_pos = prompt.n_pos();
    let mut weights = Vec::new();
    for nth in layers.start * N_HEADS..layers.end * N_HEADS {
        let reach = 1.0 + 8.0 * noise(nth);
        let rest = 3.0 * noise(nth + 1000);
        for query in 0..n_pos {
            let score = |key: usize| {
                let distance = (query - key) as f32;
                (-distance / reach).exp()
                    + if key == 0 { rest } else { 0.0 }
                    + 0.8 * noise(nth * 121 + query * 11 + key).powi(6)
            };
            let sum: f32 = (0..=query).map(score).sum();
            weights.extend((0..n_pos).map(|key| if key <= query { score(key) / sum } else { 0.0 }));
        }
    }
    Attention::from_weights(attention::Spec::all_heads(layers), prompt, N_HEADS, weights)
}

pub fn attribution(prompt: TokenizedPrompt, by: Parts) -> LogitAttribution {
    let part = |component: Component, logit: f32| Contribution { component, logit };
    let spread = |seed: usize, layer: usize| {
        let depth = layer as f32 / N_LAYERS as f32;
        (noise(seed) - 0.42) * 2.2 * depth.powi(2)
    };
    let mut contributions = vec![part(Component::Embed, 0.31), part(Component::PosEmbed, -0.12)];
    for layer in 0..N_LAYERS {
        match by {
            Parts::Layers => {
                let attn = spread(layer, layer);
                contributions.push(part(Component::AttnOut(layer), attn));
            }
            Parts::Heads => contributions.extend((0..N_HEADS).map(|head| {
                let logit = spread(77 + layer * N_HEADS + head, layer).powi(3);
                part(Component::Head { layer, head }, logit)
            })),
        }
        contributions.push(part(Component::MlpOut(layer), spread(500 + layer, layer)));
    }
    let mut attribution = LogitAttribution {
        spec: logit_attribution::Spec { by },
        prompt,
        contributions,
        unembed_bias: 0.214,
        logit: 0.0,
        raw_logit: -31.207,
        logit_cap: None,
    };
    attribution.logit = attribution.sum() + 0.00002;
    attribution
}

pub fn lens(tokenizer: &Tokenizer, prompt: TokenizedPrompt, n_layers: usize) -> LogitLens {
    let n_pos = prompt.n_pos();
    let id = |text: &str| tokenizer.encode(text).unwrap()[0].id;
    let words = [" the", ",", " tallest", " France", " Paris", " course"].map(id);
    let cells = (0..n_layers * n_pos)
        .map(|nth| {
            let (layer, pos) = (nth / n_pos, nth % n_pos);
            let depth = layer as f32 / n_layers as f32;
            let belief = if pos == n_pos - 1 { depth.powi(6) } else { 0.05 * noise(nth) * depth };
            let nth_word = if belief > 0.4 { 4 } else { (noise(nth) * 5.99) as usize };
            LensCell {
                top_token: words[nth_word],
                top_prob: belief.max(0.2 + 0.5 * noise(nth + 7)),
                answer_prob: belief,
                answer_log_prob: None,
                answer_rank: ((1.0 - belief) * 900.0) as u32,
            }
        })
        .collect();
    let top = Grid::new(n_pos, vec![Vec::new(); n_layers * n_pos]);
    let spec = logit_lens::Spec::default();
    LogitLens { spec, prompt, cells: Grid::new(n_pos, cells), top }
}

pub fn prediction(tokenizer: &Tokenizer, prompt: TokenizedPrompt) -> Prediction {
    let words = [" London", " Paris", " the", " Lyon", " Marseille", "\n", " Brussels", " Nice"];
    let probs = [0.4121, 0.2203, 0.0812, 0.0403, 0.0201, 0.0111, 0.0052, 0.00041];
    let top = words.iter().zip(probs).map(|(word, prob): (_, f32)| Candidate {
        id: tokenizer.encode(word).unwrap()[0].id,
        prob,
        logit: -29.0 + prob.ln(),
    });
    let measured = Measurement { rank: 12_345, logit: -39.8, ..measured(0.000_021) };
    Prediction { top: top.collect(), answer: Some(measured), prompt }
}

/// A few heads speak for the answer, one against it.
pub fn ablation(prompt: TokenizedPrompt, part: Part, n_done: usize) -> Ablation {
    let clean = measured(0.9573);
    let n_columns = if part == Part::Heads { N_HEADS } else { 1 };
    let lost = |layer: usize, column: usize| match (layer, column) {
        (24, 7) => 0.62,
        (27, 3) => 0.31,
        (21, 15) => -0.03,
        _ if part == Part::Heads => 0.04 * noise(layer * N_HEADS + column).powi(4),
        _ => 0.8 * bump(layer as f32, 17.0, 5.0) * noise(layer),
    };
    let cells = (0..N_LAYERS * n_columns).map(|nth| {
        let lost = lost(nth / n_columns, nth % n_columns);
        (nth < n_done).then(|| measured((clean.prob - lost).max(0.001)))
    });
    let replacement = match part {
        Part::Heads => Replacement::Mean { prompts: vec![vec![464]; 256].into() },
        Part::Attn | Part::Mlp | Part::Layers => Replacement::Zero,
    };
    Ablation {
        spec: ablation::Spec { part, positions: Positions::All, replacement, together: None },
        prompt,
        clean,
        ablated: Grid::new(n_columns, cells.collect()),
        together: None,
    }
}

/// The paper's three phases, and a fourth line.
pub fn knockout(prompt: TokenizedPrompt, n_done: usize) -> AttentionKnockout {
    let clean = measured(0.8512);
    let mut edges = Edges::to_last();
    edges.push(Edges { from: Positions::Only(4..5), to: Positions::Last });
    let lost = |nth: usize, layer: usize| {
        let depth = layer as f32;
        let at = [(24.0, 0.66), (5.0, 0.41), (34.0, 0.12), (25.0, 0.33)][nth];
        at.1 * bump(depth, at.0, 6.0) + 0.02 * (noise(nth * 100 + layer) - 0.5)
    };
    let cells = (0..edges.len() * N_LAYERS).map(|nth| {
        let lost = lost(nth / N_LAYERS, nth % N_LAYERS);
        (nth < n_done).then(|| measured(clean.prob * (1.0 - lost)))
    });
    AttentionKnockout {
        cut: Grid::new(N_LAYERS, cells.collect()),
        spec: attention_knockout::Spec { edges, window: 9 },
        prompt,
        clean,
    }
}
