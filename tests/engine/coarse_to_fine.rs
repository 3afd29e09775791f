//! Laws of the order in which a map comes in: a part of it says something of all of it, and costs
//! no more than cell after cell.

use std::cell::Cell;

use factscope::analysis::causal_trace::{self, Component, Direction, Severed, plan};
use factscope::analysis::{AnalysisCtx, Measurement, Reuse, sweep};
use factscope::intervention::{Condition, Donor, Edit, Intervention, Noise, Site, SiteSet, Span};
use factscope::model::{BatchRow, ComputeDevice, Donors, ModelConfig, Transformer};
use factscope::task::{CancelToken, Progress, TaskCtx};
use factscope::tokens::TokenizedPrompt;

use crate::support::{answer_of, assert_close, gpt2_sites, lab, paris, prompt, run, trace_spec};

const N_LAYERS: usize = 36;
const N_SAMPLES: usize = 10;

/// As deep as GPT-2 large, and narrow; a pass takes as many rows of ten tokens as that model's.
fn deep_model() -> Transformer {
    let config = ModelConfig {
        n_layers: N_LAYERS,
        n_heads: 2,
        d_model: 8,
        d_mlp: 16,
        n_ctx: 32,
        d_vocab: 657,
        ..ModelConfig::SMALL
    };
    let mut model = Transformer::random(&config, 5, &ComputeDevice::cpu());
    model.max_rows = 305;
    model
}

/// What is known at some time, and how far the work is by then, from 0 to 1.
struct Seen {
    fraction: f64,
    is_there: Vec<bool>,
}

/// A sweep watched: what it finds, what it costs in tokens times layers, and what was there when.
fn swept(
    model: &Transformer,
    prompt: &TokenizedPrompt,
    conditions: &[Condition],
    donors: &Donors,
    reuse: Reuse,
) -> (Vec<Measurement>, u64, Vec<Seen>) {
    let now = Cell::new(Progress { done: 0, total: 0 });
    let report = |progress| now.set(progress);
    let task = TaskCtx { cancel: CancelToken::default(), report: &report };
    let ctx = AnalysisCtx { task, reuse, ..AnalysisCtx::unwatched() };
    let mut seen = Vec::new();
    let found = sweep(&lab(model, prompt, &ctx), conditions, donors, &mut |so_far| {
        let Progress { done, total } = now.get();
        seen.push(Seen {
            fraction: done as f64 / total as f64,
            is_there: so_far.iter().map(Option::is_some).collect(),
        });
    });
    (found.unwrap(), now.get().total, seen)
}

fn conditions_of(prompt: &TokenizedPrompt, spec: &causal_trace::Spec) -> Vec<Condition> {
    let subject = Span::Only(prompt.subject.clone().unwrap());
    let noise = |sample| Noise { rng: spec.rng, seed: spec.seed, std: 1.5, sample };
    let corruptions: Vec<_> = (0..spec.n_samples)
        .map(|nth| Intervention::at(Site::Embed, subject.clone(), Edit::AddNoise(noise(nth))))
        .collect();
    plan(prompt, spec, &corruptions, N_LAYERS, 2).unwrap()
}

/// The clean run, and those with each sample's corruption.
fn donors_of(model: &Transformer, prompt: &TokenizedPrompt, conditions: &[Condition]) -> Donors {
    let sites: SiteSet = gpt2_sites(N_LAYERS);
    let mut donors = Donors::from([(Donor::Clean, model.run_clean(&prompt.ids, &sites).cache)]);
    for (sample, corrupt) in conditions[..N_SAMPLES].iter().enumerate() {
        let rows = [BatchRow::new(&prompt.ids, corrupt)];
        let first = prompt.subject.clone().unwrap().start;
        let cache = run(model, &rows, &Donors::new(), &sites).cache;
        donors.insert(Donor::Corrupted { first, sample }, cache);
    }
    donors
}

/// How many layers one after the other have no cell, at one position.
fn largest_gap(is_filled: impl Iterator<Item = bool>) -> usize {
    let (mut gap, mut largest) = (0, 0);
    for filled in is_filled {
        gap = if filled { 0 } else { gap + 1 };
        largest = largest.max(gap);
    }
    largest
}

fn subject_later() -> TokenizedPrompt {
    let mut prompt = prompt("The Seine is in all of the known", "Seine", None);
    prompt.answer = Some(answer_of(&[300]));
    // Positions with few tokens are not split, so that most of a shorter one is done at once.
    let start = prompt.subject.as_ref().unwrap().start;
    assert!(start > 0 && prompt.n_pos() - start >= 9, "{}", prompt.n_pos());
    prompt
}

#[test]
fn after_a_third_of_the_work_every_position_has_cells_in_layers_all_over() {
    let model = deep_model();
    let severed = |sever| causal_trace::Spec { sever, ..trace_spec(Component::Mlp, 10, N_SAMPLES) };
    let noising = causal_trace::Spec {
        direction: Direction::Noise,
        ..trace_spec(Component::Hidden, 1, N_SAMPLES)
    };
    let mut specs: Vec<_> =
        Component::ALL.map(|component| trace_spec(component, 10, N_SAMPLES)).into();
    specs.extend([severed(Some(Severed::Attn)), noising]);
    for prompt in [paris(), subject_later()] {
        let n_pos = prompt.n_pos();
        for spec in &specs {
            let conditions = conditions_of(&prompt, spec);
            let donors = donors_of(&model, &prompt, &conditions);
            let (found, _, seen) = swept(&model, &prompt, &conditions, &donors, Reuse::Exact);
            let early = seen.iter().find(|it| it.fraction > 1.0 / 3.0).unwrap();
            assert!(early.fraction < 0.45, "{}", early.fraction);
            let cells: Vec<bool> = early.is_there[N_SAMPLES..]
                .chunks(N_SAMPLES)
                .map(|samples| samples.iter().all(|it| *it))
                .collect();
            assert!(!cells.iter().all(|it| *it));
            for pos in 0..n_pos {
                let gap = largest_gap((0..N_LAYERS).map(|layer| cells[layer * n_pos + pos]));
                // Windows are named by their centre, so that those of a quarter of the layers may
                // leave the first whole one and the last one of their kind open.
                let allowed = if spec.component == Component::Hidden { 4 } else { 8 };
                assert!(gap <= allowed, "{gap} layers are empty at {pos}: {spec:?}");
            }

            let naive = swept(&model, &prompt, &conditions, &donors, Reuse::Off).0;
            for (found, naive) in found.iter().zip(&naive) {
                assert_close(&[found.prob], &[naive.prob], 1e-6, "reuse");
                assert_close(&[found.log_prob], &[naive.log_prob], 1e-5, "reuse");
            }
        }
    }
}

/// Each row from the first layer that it changes and the first position on, and rows that go
/// together until they part only once: what positions at once would cost, to the token. Only
/// windows clipped at the first layer lose something.
#[test]
fn coarse_to_fine_costs_what_one_position_after_the_other_costs() {
    let model = deep_model();
    for prompt in [paris(), subject_later()] {
        let (n_pos, first) = (prompt.n_pos(), prompt.subject.clone().unwrap().start);
        for component in Component::ALL {
            let spec = trace_spec(component, 10, N_SAMPLES);
            let conditions = conditions_of(&prompt, &spec);
            let donors = donors_of(&model, &prompt, &conditions);
            let cost = swept(&model, &prompt, &conditions, &donors, Reuse::Exact).1;

            let layers_computed = |layer: usize, pos: usize| match (component, layer) {
                // Read by nobody.
                _ if layer + 1 == N_LAYERS && component == Component::Hidden && pos + 1 < n_pos => {
                    0
                }
                (Component::Hidden, _) => N_LAYERS - layer - 1,
                // Clipped windows begin alike.
                (_, 0) => N_LAYERS - 1,
                (_, 1..=5) => N_LAYERS - (layer + 4),
                _ => N_LAYERS - (layer - 5) - 1,
            };
            let cells = (first..n_pos).flat_map(|pos| {
                (0..N_LAYERS).map(move |layer| layers_computed(layer, pos) * (n_pos - pos))
            });
            let at_once = (1 + N_SAMPLES) * N_LAYERS * n_pos + N_SAMPLES * cells.sum::<usize>();
            let at_once = at_once as u64;
            if component == Component::Hidden {
                assert_eq!(cost, at_once);
            } else {
                assert!((at_once..at_once + at_once / 100).contains(&cost), "{cost}, {at_once}");
            }
        }
    }
}

#[test]
fn heads_are_weakened_in_layers_all_over() {
    let model = deep_model();
    let prompt = paris();
    let conditions: Vec<Condition> = (0..N_LAYERS * 4)
        .map(|nth| {
            let edit = if nth % 4 < 2 { Edit::Zero } else { Edit::Scale(0.5) };
            let weaken = Intervention::at(Site::Z(nth / 4), Span::All, edit);
            vec![weaken.of_heads(Span::one(nth % 2))]
        })
        .collect();
    let (found, _, seen) = swept(&model, &prompt, &conditions, &Donors::new(), Reuse::Exact);
    let naive = swept(&model, &prompt, &conditions, &Donors::new(), Reuse::Off).0;
    for (found, naive) in found.iter().zip(&naive) {
        assert_close(&[found.prob], &[naive.prob], 1e-6, "reuse");
    }
    // Of 1440 tokens a half makes a pass, and a fourth does not.
    let first = seen.iter().find(|it| it.is_there.iter().any(|it| *it)).unwrap();
    let layers = first.is_there.chunks(4).map(|heads| heads.iter().all(|it| *it));
    assert_eq!(layers.collect::<Vec<_>>(), (0..N_LAYERS).map(|it| it % 2 == 0).collect::<Vec<_>>());
}
