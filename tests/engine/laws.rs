//! What must hold for any weights.
//!
//! The model is the fixture `tiny`: random, but with weights large enough for every part to matter.
//!
//! Tolerances: where the same operations run on the same numbers, equality is to the bit. Where a
//! product has more rows, or the vocabulary is in pieces, sums may be taken in another order, and
//! logits of size 10 then differ by about 1e-5.

#![expect(clippy::single_range_in_vec_init, reason = "lists of ranges, some of one")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;

use factscope::analysis::ablation::{self, Ablation, Part, Replacement};
use factscope::analysis::attention_knockout::{self, AttentionKnockout, Edges, default_window};
use factscope::analysis::causal_trace::{
    self, CausalTrace, Component, Direction, NoiseLevel, Severed, plan,
};
use factscope::analysis::logit_attribution::{self, Parts};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Measurement, Metric, Positions,
    Reuse, attention, logit_lens, prediction, sweep,
};
use factscope::intervention::{
    Axes, Condition, Donor, Edit, Intervention, Noise, NoiseRng, Site, SiteSet, Span,
};
use factscope::model::{
    ActivationCache, ComputeDevice, Donors, Gpt2, Gpt2Config, Request, Row, Unembedding,
    write_random_checkpoint,
};
use factscope::task::{Cancelled, Progress, TaskCtx};
use factscope::tokens::TokenizedPrompt;

use super::support::{
    answer_of, assert_close, assert_far, engine, fixture, load, load_on, logits, logits_under,
    prompt, run,
};

/// Sums in another order.
const LOGIT: f32 = 1e-4;
const PROB: f32 = 5e-6;

const N_LAYERS: usize = 4;
const N_HEADS: usize = 4;

/// Prompts of different lengths, of tokens that mean nothing.
fn ids(len: usize, seed: u32) -> Vec<u32> {
    (0..len as u32).map(|pos| (seed * 131 + pos * pos * 17 + pos * 29 + 7) % 657).collect()
}

fn noise(std: f64, sample: usize) -> Edit {
    Edit::AddNoise(Noise { rng: NoiseRng::Numpy, seed: 1, std, sample })
}

/// Tokens 1 and 2 lose their meaning.
fn corruption() -> Intervention {
    Intervention::at(Site::Embed, Span::Only(1..3), noise(2.0, 0))
}

fn copy_clean(site: Site) -> Intervention {
    let edit = Edit::CopyFrom { donor: Donor::Clean, positions: Span::All };
    Intervention::at(site, Span::All, edit)
}

fn clean_donor(model: &Gpt2, ids: &[u32]) -> Donors {
    Donors::from([(Donor::Clean, model.run_clean(ids, &Site::all(N_LAYERS)).cache)])
}

fn trace_spec(component: Component, window: usize, n_samples: usize) -> causal_trace::Spec {
    causal_trace::Spec {
        component,
        window,
        noise: NoiseLevel::Std(1.5),
        rng: NoiseRng::Numpy,
        seed: 1,
        n_samples,
        direction: causal_trace::Direction::Denoise,
        sever: None,
        corruption: causal_trace::Corruption::default(),
        map: causal_trace::Map::default(),
    }
}

fn paris() -> TokenizedPrompt {
    let mut paris = prompt("Paris is the capital of", "Paris", None);
    paris.answer = Some(answer_of(&[507]));
    paris
}

fn trace(prompt: &TokenizedPrompt, spec: causal_trace::Spec) -> CausalTrace {
    let spec = AnalysisSpec::CausalTrace(spec);
    match engine("tiny").run(prompt, &spec, &AnalysisCtx::unwatched()) {
        Ok(AnalysisResult::CausalTrace(trace)) => trace,
        other => panic!("{other:?}"),
    }
}

/// The first `len` positions of one row: `[pos, head, width]`. Of attention, the keys there.
fn row_of(cache: &ActivationCache, site: Site, row: usize, len: usize) -> Vec<f32> {
    let tensor = cache.get(site).clone();
    let tensor = tensor.narrow(0, row, 1).narrow(1, 0, len);
    let tensor = match site.axes() {
        Axes::Attention => tensor.narrow(3, 0, len),
        Axes::Stream | Axes::Heads => tensor,
    };
    tensor.into_data().iter::<f32>().collect()
}

// Batches

#[test]
fn rows_of_a_batch_do_not_touch_each_other() {
    let model = load(&fixture("tiny"));
    let sites = Site::all(N_LAYERS);
    let prompts = [ids(9, 1), ids(9, 2), ids(9, 3)];
    let donors = clean_donor(&model, &prompts[0]);
    let conditions: [Condition; 3] = [
        vec![],
        vec![corruption(), copy_clean(Site::MlpOut(2)), copy_clean(Site::Z(1))],
        vec![
            Intervention::at(Site::ResidMid(1), Span::All, Edit::Scale(-3.0)),
            Intervention::at(Site::Pattern(2), Span::All, Edit::Set(0.25)),
            Intervention::at(Site::Z(3), Span::All, noise(1.0, 2)).of_heads(Span::one(1)),
        ],
    ];
    let rows: Vec<_> =
        prompts.iter().zip(&conditions).map(|(ids, condition)| Row::new(ids, condition)).collect();
    let together = run(&model, &rows, &donors, &sites);
    let d_vocab = model.config.d_vocab;
    for (nth, row) in rows.iter().enumerate() {
        let alone = run(&model, &[*row], &donors, &sites);
        let found = &logits(&together)[nth * d_vocab..(nth + 1) * d_vocab];
        assert_close(found, &logits(&alone), LOGIT, &format!("row {nth}"));
        for &site in &sites {
            let found = row_of(&together.cache, site, nth, 9);
            let expected = row_of(&alone.cache, site, 0, 9);
            assert_close(&found, &expected, LOGIT, &format!("row {nth} at {site}"));
        }
    }
}

#[test]
fn a_shorter_row_in_a_batch_is_as_if_it_were_alone() {
    let model = load(&fixture("tiny"));
    let sites = Site::all(N_LAYERS);
    let prompts = [ids(10, 1), ids(1, 2), ids(7, 3), ids(3, 4)];
    let rows: Vec<_> = prompts.iter().map(|ids| Row::new(ids, &[])).collect();
    let together = run(&model, &rows, &Donors::new(), &sites);
    let d_vocab = model.config.d_vocab;
    for (nth, row) in rows.iter().enumerate() {
        let alone = run(&model, &[*row], &Donors::new(), &sites);
        let found = &logits(&together)[nth * d_vocab..(nth + 1) * d_vocab];
        assert_close(found, &logits(&alone), LOGIT, &format!("row {nth}"));
        for &site in &sites {
            let found = row_of(&together.cache, site, nth, row.ids.len());
            let expected = row_of(&alone.cache, site, 0, row.ids.len());
            assert_close(&found, &expected, LOGIT, &format!("row {nth} at {site}"));
        }
    }
}

/// `Span::All` ends with the row: neither its padding nor another row is reached.
#[test]
fn a_change_of_a_shorter_row_is_as_if_it_were_alone() {
    let model = load(&fixture("tiny"));
    let prompts = [ids(10, 1), ids(4, 2), ids(7, 3)];
    let d_vocab = model.config.d_vocab;
    let clean: Vec<_> =
        prompts.iter().map(|ids| logits_under(&model, ids, &vec![], &Donors::new())).collect();
    for site in Site::all(N_LAYERS) {
        for edit in [Edit::Set(0.3), Edit::Scale(1.5), noise(0.5, 1), Edit::Zero] {
            if edit == Edit::Zero && site.to_string().ends_with("hook_scale") {
                // Nothing is divided by zero.
                continue;
            }
            let what = format!("{edit:?} at {site}");
            let condition = vec![Intervention::at(site, Span::All, edit)];
            let rows = [
                Row::new(&prompts[0], &[]),
                Row::new(&prompts[1], &condition),
                Row::new(&prompts[2], &condition),
            ];
            let together = logits(&run(&model, &rows, &Donors::new(), &SiteSet::new()));
            let found: Vec<_> = together.chunks(d_vocab).collect();
            assert_close(found[0], &clean[0], LOGIT, &what);
            for (found, ids) in found[1..].iter().zip(&prompts[1..]) {
                let alone = logits_under(&model, ids, &condition, &Donors::new());
                assert_close(found, &alone, LOGIT, &format!("{what}, {} tokens", ids.len()));
            }
        }
    }
}

#[test]
fn attention_weights_sum_to_one_and_look_only_back() {
    let model = load(&fixture("tiny"));
    let prompts = [ids(10, 1), ids(1, 2), ids(6, 3)];
    let rows: Vec<_> = prompts.iter().map(|ids| Row::new(ids, &[])).collect();
    let sites = (0..N_LAYERS).map(Site::Pattern).collect();
    let cache = run(&model, &rows, &Donors::new(), &sites).cache;
    for layer in 0..N_LAYERS {
        let pattern = cache.activation(Site::Pattern(layer));
        assert_eq!(pattern.shape, [3, N_HEADS, 10, 10]);
        for (nth, weights) in pattern.values.chunks(10).enumerate() {
            let (row, query) = (nth / (N_HEADS * 10), nth % 10);
            let last = query.min(prompts[row].len() - 1);
            let sum: f32 = weights.iter().sum();
            // Ten roundings of numbers below one.
            assert!((sum - 1.0).abs() < 1e-6, "{sum}");
            assert!(weights[..=last].iter().all(|&weight| weight > 0.0));
            assert!(weights[last + 1..].iter().all(|&weight| weight == 0.0));
        }
    }
}

#[test]
fn an_incremental_pass_is_the_full_one() {
    let model = load(&fixture("tiny"));
    let full: Vec<Vec<u32>> = (0..3).map(|seed| ids(12, seed)).collect();
    let keep: SiteSet = (0..N_LAYERS).flat_map(|layer| [Site::K(layer), Site::V(layer)]).collect();
    let d_vocab = model.config.d_vocab;

    let ends = [12, 6, 9];
    let rows: Vec<_> =
        full.iter().zip(ends).map(|(ids, end)| Row::new(&ids[5..end], &[])).collect();
    let past = model.run_clean(&full[0][..5], &keep).cache;
    let request = Request {
        rows: &rows,
        donors: &Donors::new(),
        capture: &SiteSet::new(),
        past: Some(&past),
        n_read: 1,
    };
    let found = logits(&model.run(&request, &mut |_| Ok(())).unwrap());
    for ((found, ids), end) in found.chunks(d_vocab).zip(&full).zip(ends) {
        let ids = [&full[0][..5], &ids[5..end]].concat();
        let expected = logits_under(&model, &ids, &vec![], &Donors::new());
        assert_close(found, &expected, LOGIT, &format!("up to {end}"));
    }
}

#[test]
fn the_logits_read_are_those_of_each_rows_end() {
    let model = load(&fixture("tiny"));
    let prompts = [ids(9, 1), ids(5, 2)];
    let rows: Vec<_> = prompts.iter().map(|ids| Row::new(ids, &[])).collect();
    // Once read from all positions, once from the three alone.
    for capture in [SiteSet::new(), SiteSet::from([Site::LnFinalScale])] {
        let request = Request {
            rows: &rows,
            donors: &Donors::new(),
            capture: &capture,
            past: None,
            n_read: 3,
        };
        let run = model.run(&request, &mut |_| Ok(())).unwrap();
        assert_eq!(run.logits.dims(), [2, 3, 657]);
        let found = logits(&run);
        for (nth, found) in found.chunks(657).enumerate() {
            let ids = &prompts[nth / 3];
            let end = ids.len() - 2 + nth % 3;
            let expected = logits_under(&model, &ids[..end], &vec![], &Donors::new());
            assert_close(found, &expected, LOGIT, &format!("row {}, up to {end}", nth / 3));
        }
    }
}

// Sites

#[test]
fn only_what_was_asked_for_is_kept() {
    let model = load(&fixture("tiny"));
    let ids = ids(5, 1);
    for asked in [
        SiteSet::new(),
        SiteSet::from([Site::MlpPost(2)]),
        SiteSet::from([Site::LnFinalScale, Site::Embed, Site::Pattern(0)]),
        Site::all(N_LAYERS),
    ] {
        let kept: SiteSet = model.run_clean(&ids, &asked).cache.sites().collect();
        assert_eq!(kept, asked);
    }
}

/// Layer norms at which something is kept take the longer way.
#[test]
fn to_keep_something_changes_nothing() {
    let model = load(&fixture("tiny"));
    let ids = ids(11, 5);
    let plain = logits(&model.run_clean(&ids, &SiteSet::new()));
    for site in Site::all(N_LAYERS) {
        let found = logits(&model.run_clean(&ids, &SiteSet::from([site])));
        assert_close(&found, &plain, LOGIT, &site.to_string());
    }
    let found = logits(&model.run_clean(&ids, &Site::all(N_LAYERS)));
    assert_close(&found, &plain, LOGIT, "all");
}

#[test]
fn sites_are_written_as_they_are_read() {
    // Where TransformerLens puts its hook points in a GPT-2, as `HookedTransformer.hook_dict` lists
    // them; those that only exist with other settings are left out.
    let in_block = [
        "hook_resid_pre",
        "ln1.hook_scale",
        "ln1.hook_normalized",
        "attn.hook_q",
        "attn.hook_k",
        "attn.hook_v",
        "attn.hook_attn_scores",
        "attn.hook_pattern",
        "attn.hook_z",
        "hook_attn_out",
        "hook_resid_mid",
        "ln2.hook_scale",
        "ln2.hook_normalized",
        "mlp.hook_pre",
        "mlp.hook_post",
        "hook_mlp_out",
        "hook_resid_post",
    ];
    let outside =
        ["hook_embed", "hook_pos_embed", "ln_final.hook_scale", "ln_final.hook_normalized"];
    let mut expected: BTreeSet<String> = outside.map(str::to_owned).into();
    for layer in 0..12 {
        expected.extend(in_block.map(|name| format!("blocks.{layer}.{name}")));
    }
    let sites = Site::all(12);
    let names: BTreeSet<String> = sites.iter().map(|site| site.to_string()).collect();
    assert_eq!(names, expected);
    for site in sites {
        assert_eq!(site.to_string().parse::<Site>().unwrap(), site);
        let json = serde_json::to_string(&site).unwrap();
        assert_eq!(json, format!("\"{site}\""));
        assert_eq!(serde_json::from_str::<Site>(&json).unwrap(), site);
    }
    for name in ["", "hook_z", "blocks.hook_z", "blocks.1.hook_z", "blocks.-1.hook_resid_pre"] {
        assert!(name.parse::<Site>().is_err(), "{name}");
    }
}

// Edits

/// A site; positions, heads and units.
type Edited = (Site, Range<usize>, Range<usize>, Range<usize>);

/// One site each of a stream, of heads, and of attention; what a change may name there.
const EDITED: [Edited; 3] = [
    (Site::MlpPost(1), 2..5, 0..1, 30..77),
    (Site::Z(2), 1..4, 1..3, 2..5),
    (Site::Pattern(1), 3..6, 2..4, 1..3),
];

#[test]
fn an_edit_changes_the_addressed_entries_and_no_other() {
    let model = load(&fixture("tiny"));
    let (other, ids) = (ids(8, 3), ids(8, 4));
    for (site, positions, heads, units) in EDITED {
        let capture = SiteSet::from([site]);
        let rows = [Row::new(&other, &[]), Row::new(&ids, &[])];
        let clean = run(&model, &rows, &Donors::new(), &capture).cache;
        let donor_run = model.run_clean(&other, &capture).cache;
        let donor: Vec<f32> = donor_run.get(site).clone().into_data().iter::<f32>().collect();
        let donors = Donors::from([(Donor::Counterpart, donor_run)]);
        let [_, n_pos, n_heads, width] = clean.get(site).dims();
        let n_edited = positions.len() * heads.len() * units.len();

        // The draw, read where there is nothing else: the same number of entries of an empty site.
        let draw = drawn(&model, &ids, n_edited);
        let edits = [
            Edit::Zero,
            Edit::Set(-1.25),
            Edit::Block,
            Edit::Scale(1.5),
            noise(2.0, 1),
            Edit::Add(draw.as_slice().into()),
            Edit::Put(draw.as_slice().into()),
            Edit::CopyFrom {
                donor: Donor::Counterpart,
                // Other positions than those overwritten.
                positions: Span::Only(positions.start - 1..positions.end - 1),
            },
        ];
        for edit in edits {
            let what = format!("{edit:?} at {site}");
            let condition = vec![
                Intervention::at(site, Span::Only(positions.clone()), edit.clone())
                    .of_heads(Span::Only(heads.clone()))
                    .of_units(Span::Only(units.clone())),
            ];
            let rows = [Row::new(&other, &[]), Row::new(&ids, &condition)];
            let changed = run(&model, &rows, &donors, &capture).cache;
            let before = clean.get(site).clone().into_data();
            let after = changed.get(site).clone().into_data();
            let mut nth_edited = 0;
            for (index, (before, after)) in
                before.iter::<f32>().zip(after.iter::<f32>()).enumerate()
            {
                let unit = index % width;
                let head = index / width % n_heads;
                let pos = index / (width * n_heads) % n_pos;
                let row = index / (width * n_heads * n_pos);
                let is_addressed = row == 1
                    && positions.contains(&pos)
                    && heads.contains(&head)
                    && units.contains(&unit);
                let expected = match &edit {
                    _ if !is_addressed => before,
                    Edit::Zero => 0.0,
                    Edit::Set(value) => *value,
                    Edit::Block => f32::NEG_INFINITY,
                    Edit::Scale(factor) => before * factor,
                    Edit::AddNoise(_) | Edit::Add(_) => before + draw[nth_edited],
                    Edit::Put(_) => draw[nth_edited],
                    Edit::Tokens(_) => unreachable!("not an edit of any site"),
                    Edit::CopyFrom { .. } => donor[((pos - 1) * n_heads + head) * width + unit],
                };
                nth_edited += usize::from(is_addressed);
                assert_eq!(after, expected, "{what}: row {row}, {pos}, {head}, {unit}");
            }
            assert_eq!(nth_edited, n_edited);
        }
    }
}

/// The numbers that `noise(2.0, 1)` adds to so many entries.
fn drawn(model: &Gpt2, ids: &[u32], len: usize) -> Vec<f32> {
    // All `len` of them at one position of a site that is wide enough.
    let site = Site::MlpPre(0);
    assert!(len <= model.config.d_mlp * ids.len());
    let width = (1..=model.config.d_mlp).rev().find(|width| len.is_multiple_of(*width)).unwrap();
    let place = |edit| {
        Intervention::at(site, Span::Only(0..len / width), edit).of_units(Span::Only(0..width))
    };
    let condition = vec![place(Edit::Zero), place(noise(2.0, 1))];
    let cache =
        run(model, &[Row::new(ids, &condition)], &Donors::new(), &SiteSet::from([site])).cache;
    let values = cache.activation(site).values;
    let rows = values.chunks(model.config.d_mlp).take(len / width);
    rows.flat_map(|row| row[..width].to_vec()).collect()
}

/// Printed by numpy: `RandomState(1).randn(6)`, and the same draw's next numbers as the second
/// sample.
#[test]
fn noise_fills_positions_then_units_and_samples_follow_each_other() {
    let model = load(&fixture("tiny"));
    let site = Site::ResidPre(1);
    // Printed by numpy: `RandomState(1).randn(6)`.
    let numpy = [
        1.6243453636632417,
        -0.6117564136500754,
        -0.5281717522634557,
        -1.0729686221561705,
        0.8654076293246785,
        -2.3015386968802827,
    ];
    let numpy = numpy.map(|it: f64| it as f32);
    for (sample, expected) in [(0, &numpy[..2]), (1, &numpy[2..4]), (2, &numpy[4..])] {
        let place = |edit| Intervention::at(site, Span::Only(2..4), edit).of_units(Span::one(5));
        let condition = vec![place(Edit::Zero), place(noise(1.0, sample))];
        let ids = ids(6, 1);
        let rows = [Row::new(&ids, &condition)];
        let cache = run(&model, &rows, &Donors::new(), &SiteSet::from([site])).cache;
        let values = cache.activation(site).values;
        assert_eq!([values[2 * 32 + 5], values[3 * 32 + 5]], expected);
    }
}

#[test]
fn interventions_at_one_site_apply_in_order() {
    let model = load(&fixture("tiny"));
    let ids = ids(6, 1);
    for site in [Site::ResidPost(1), Site::Q(2), Site::AttnScores(0)] {
        let at = |edit| Intervention::at(site, Span::All, edit);
        let part = |edit| Intervention::at(site, Span::Only(1..3), edit).of_units(Span::Only(2..4));
        let value = |condition: &Condition| {
            let rows = [Row::new(&ids, &[]), Row::new(&ids, condition)];
            let cache = run(&model, &rows, &Donors::new(), &SiteSet::from([site])).cache;
            let row = row_of(&cache, site, 1, 6);
            let width = row.len() / 6 / cache.get(site).dims()[2];
            // Position 2, first head: unit 3 is in the part, unit 4 is not.
            let n_heads = cache.get(site).dims()[2];
            (row[2 * n_heads * width + 3], row[2 * n_heads * width + 4])
        };
        let (set, scale) = (Edit::Set(3.0), Edit::Scale(2.0));
        assert_eq!(value(&vec![at(set.clone()), at(scale.clone())]), (6.0, 6.0), "{site}");
        assert_eq!(value(&vec![at(scale.clone()), at(set.clone())]), (3.0, 3.0), "{site}");
        assert_eq!(value(&vec![at(set.clone()), part(scale.clone())]), (6.0, 3.0), "{site}");
        assert_eq!(value(&vec![part(scale), at(set.clone())]), (3.0, 3.0), "{site}");
        assert_eq!(value(&vec![at(set), part(Edit::Zero), part(Edit::Set(1.0))]), (1.0, 3.0));
    }
}

#[test]
fn a_patch_may_come_from_another_position_of_another_prompt() {
    let model = load(&fixture("tiny"));
    let (long, short) = (ids(9, 1), ids(4, 2));
    for site in [Site::ResidPost(1), Site::K(2), Site::MlpPost(3)] {
        let capture = SiteSet::from([site]);
        let donor = model.run_clean(&short, &capture).cache;
        let expected = row_of(&donor, site, 0, 4);
        let size = expected.len() / 4;
        let donors = Donors::from([(Donor::Counterpart, donor)]);
        let edit = Edit::CopyFrom { donor: Donor::Counterpart, positions: Span::Only(1..3) };
        let condition = vec![Intervention::at(site, Span::Only(6..8), edit)];
        let patched = run(&model, &[Row::new(&long, &condition)], &donors, &capture).cache;
        let found = row_of(&patched, site, 0, 9);
        assert_eq!(found[6 * size..8 * size], expected[size..3 * size], "{site}");
    }
}

#[test]
#[should_panic(expected = "as many donor positions")]
fn a_patch_that_does_not_fit_is_a_bug() {
    let model = load(&fixture("tiny"));
    let ids = ids(6, 1);
    let donors = clean_donor(&model, &ids);
    let edit = Edit::CopyFrom { donor: Donor::Clean, positions: Span::Only(0..3) };
    let condition = vec![Intervention::at(Site::Z(0), Span::Only(0..2), edit)];
    logits_under(&model, &ids, &condition, &donors);
}

#[test]
fn a_zeroed_z_still_adds_the_output_bias() {
    let model = load(&fixture("tiny"));
    let file = fs::read(fixture("tiny").join("model.safetensors")).unwrap();
    let weights = safetensors::SafeTensors::deserialize(&file).unwrap();
    let ids = ids(5, 1);
    for layer in 0..N_LAYERS {
        let bias = weights.tensor(&format!("h.{layer}.attn.c_proj.bias")).unwrap();
        let bias: Vec<f32> =
            bias.data().as_chunks::<4>().0.iter().map(|&it| f32::from_le_bytes(it)).collect();
        let condition = vec![Intervention::at(Site::Z(layer), Span::All, Edit::Zero)];
        let capture = SiteSet::from([Site::AttnOut(layer)]);
        let cache = run(&model, &[Row::new(&ids, &condition)], &Donors::new(), &capture).cache;
        let found = cache.activation(Site::AttnOut(layer)).values;
        // Sums of zeros, plus the bias.
        assert_close(&found, &bias.repeat(5), 0.0, &format!("layer {layer}"));
        assert!(bias.iter().any(|&it| it != 0.0));
    }
}

#[test]
fn noise_is_the_same_in_every_call() {
    let model = load(&fixture("tiny"));
    let ids = ids(8, 1);
    for rng in [NoiseRng::Numpy, NoiseRng::Chacha] {
        let of = |seed, sample| {
            let noise = Noise { rng, seed, std: 1.0, sample };
            let edit = Edit::AddNoise(noise);
            let condition = vec![Intervention::at(Site::Embed, Span::Only(0..3), edit)];
            logits_under(&model, &ids, &condition, &Donors::new())
        };
        assert_close(&of(1, 0), &of(1, 0), 0.0, "drawn twice");
        assert_close(&of(7, 5), &of(7, 5), 0.0, "drawn twice");
        assert_far(&of(1, 0), &of(1, 1), "samples");
        assert_far(&of(1, 0), &of(2, 0), "seeds");
    }
}

// Restoring

#[test]
fn restoring_a_whole_layer_undoes_the_corruption() {
    let model = load(&fixture("tiny"));
    let ids = ids(9, 6);
    let clean = logits_under(&model, &ids, &vec![], &Donors::new());
    let corrupted = logits_under(&model, &ids, &vec![corruption()], &Donors::new());
    assert_far(&clean, &corrupted, "the corruption");
    let everywhere =
        [Site::Embed].into_iter().chain((0..N_LAYERS).flat_map(|layer| {
            [Site::ResidPre(layer), Site::ResidMid(layer), Site::ResidPost(layer)]
        }));
    for site in everywhere {
        let donors = Donors::from([(Donor::Clean, model.run_clean(&ids, &[site].into()).cache)]);
        let condition = vec![corruption(), copy_clean(site)];
        let restored = logits_under(&model, &ids, &condition, &donors);
        // The copy is exact, and the rest is the same arithmetic.
        assert_close(&restored, &clean, 0.0, &site.to_string());
    }
}

#[test]
fn restoring_every_site_restores_the_run() {
    let model = load(&fixture("tiny"));
    let ids = ids(9, 6);
    let sites = Site::all(N_LAYERS);
    let donors = clean_donor(&model, &ids);
    let mut condition = vec![corruption()];
    condition.extend(sites.iter().copied().map(copy_clean));
    let restored = run(&model, &[Row::new(&ids, &condition)], &donors, &sites);
    for &site in &sites {
        let found = restored.cache.activation(site);
        let expected = donors[&Donor::Clean].activation(site);
        assert_close(&found.values, &expected.values, 0.0, &site.to_string());
    }
    let clean = logits(&model.run_clean(&ids, &sites));
    assert_close(&logits(&restored), &clean, 0.0, "logits");
}

#[test]
fn restoring_a_clean_run_changes_nothing() {
    let model = load(&fixture("tiny"));
    let ids = ids(9, 6);
    let donors = clean_donor(&model, &ids);
    let clean = logits_under(&model, &ids, &vec![], &donors);
    for site in Site::all(N_LAYERS) {
        let found = logits_under(&model, &ids, &vec![copy_clean(site)], &donors);
        assert_close(&found, &clean, LOGIT, &site.to_string());
    }
}

// Methods

#[test]
fn attributions_add_up_to_the_logit() {
    let engine = engine("tiny");
    for (text, subject) in [("Paris is the capital of", "Paris"), ("The Seine is in", "Seine")] {
        for by in [Parts::Layers, Parts::Heads] {
            for foil in [None, Some(answer_of(&[67, 12]))] {
                let mut prompt = prompt(text, subject, None);
                prompt.answer = Some(answer_of(&[300, 4]));
                prompt.foil = foil;
                let spec = AnalysisSpec::LogitAttribution(logit_attribution::Spec { by });
                let AnalysisResult::LogitAttribution(it) =
                    engine.run(&prompt, &spec, &AnalysisCtx::unwatched()).unwrap()
                else {
                    panic!("not an attribution");
                };
                // About 25 parts of size 1, each a sum of 32 products.
                assert_close(&[it.sum()], &[it.logit], LOGIT, &format!("{text}, {by:?}"));
                let n_parts = match by {
                    Parts::Layers => 2 + 2 * N_LAYERS,
                    Parts::Heads => N_LAYERS * (N_HEADS + 1) + 3,
                };
                assert_eq!(it.contributions.len(), n_parts);
            }
        }
    }
}

#[test]
fn the_lens_after_the_last_layer_is_the_model() {
    let engine = engine("tiny");
    let mut prompt = paris();
    let AnalysisResult::LogitLens(lens) = engine
        .run(
            &prompt,
            &AnalysisSpec::LogitLens(logit_lens::Spec::default()),
            &AnalysisCtx::unwatched(),
        )
        .unwrap()
    else {
        panic!("not a lens");
    };
    let n_pos = prompt.n_pos();
    assert_eq!((lens.cells.n_rows(), lens.cells.n_columns()), (N_LAYERS, n_pos));
    for pos in (0..n_pos).rev() {
        prompt.ids.truncate(pos + 1);
        let spec = AnalysisSpec::Prediction(prediction::Spec { n_top: 1 });
        let AnalysisResult::Prediction(it) =
            engine.run(&prompt, &spec, &AnalysisCtx::unwatched()).unwrap()
        else {
            panic!("not a prediction");
        };
        let cell = lens.cells.get(N_LAYERS - 1, pos).unwrap();
        let answer = it.answer.unwrap();
        assert_eq!(cell.top_token, it.top[0].id);
        assert_eq!(cell.answer_rank, answer.rank);
        let found = [cell.top_prob, cell.answer_prob];
        assert_close(&found, &[it.top[0].prob, answer.prob], PROB, &format!("position {pos}"));
    }
}

#[test]
fn an_answer_of_several_tokens_is_as_likely_as_its_tokens_one_by_one() {
    let model = load(&fixture("tiny"));
    let answer = [507, 12, 300, 67];
    let mut whole = paris();
    whole.answer = Some(answer_of(&answer));
    let measure = |prompt: &TokenizedPrompt| {
        let spec = prediction::Spec { n_top: 0 };
        let ctx = AnalysisCtx::unwatched();
        prediction::prediction(&model, prompt, spec, &ctx).unwrap().answer.unwrap()
    };
    let found = measure(&whole);
    let mut log_prob = 0.0;
    for nth in 0..answer.len() {
        let mut part = paris();
        part.ids.extend(&answer[..nth]);
        part.answer = Some(answer_of(&[answer[nth]]));
        log_prob += measure(&part).log_prob;
    }
    // Four log-probabilities of size 5.
    assert_close(&[found.answer_log_prob], &[log_prob], LOGIT, "the answer");
    let first = measure(&paris());
    assert_close(&[found.log_prob], &[first.log_prob], LOGIT, "its first token");
    assert_close(&[found.prob], &[first.prob], PROB, "its first token");
    assert_eq!(found.rank, first.rank);
}

/// What is appended to score the rest of an answer is beyond any intervention, and nothing before
/// it may look at it.
#[test]
fn an_answers_first_token_does_not_depend_on_the_rest() {
    let model = load(&fixture("tiny"));
    let short = paris();
    let mut long = paris();
    long.answer = Some(answer_of(&[507, 12, 300]));
    for site in Site::all(N_LAYERS) {
        for edit in [Edit::Set(0.3), Edit::Scale(1.5), noise(0.5, 1)] {
            let what = format!("{edit:?} at {site}");
            let conditions = [vec![Intervention::at(site, Span::All, edit)]];
            let measure = |prompt: &TokenizedPrompt| {
                [Reuse::Nothing, Reuse::Exact].map(|reuse| {
                    let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
                    let donors = Donors::new();
                    let found = sweep(&model, prompt, &conditions, &donors, &ctx, &mut |_| ());
                    found.unwrap()[0].log_prob
                })
            };
            assert_close(&measure(&long), &measure(&short), LOGIT, &what);
        }
    }
}

#[test]
fn a_vocabulary_in_pieces_is_the_same_model() {
    for name in ["tiny", "tiny-sharded"] {
        let whole = load(&fixture(name));
        assert_eq!(whole.n_vocabulary_shards(), 1);
        let row_bytes = whole.config.d_model as u64 * 4;
        for (max_binding_bytes, n_shards) in
            [(row_bytes * 100, 7), (row_bytes * 219 + 1, 3), (row_bytes * 656, 2), (1, 657)]
        {
            let device = ComputeDevice {
                max_binding_bytes: Some(max_binding_bytes),
                ..ComputeDevice::cpu()
            };
            let split = load_on(&fixture(name), &device);
            assert_eq!(split.n_vocabulary_shards(), n_shards, "{name}");
            let ids = [656, 0, 99, 100, 101, 656, 219, 218, 7];
            let what = format!("{name} in {n_shards}");
            // The embeddings are copied, so to the bit.
            assert_eq!(split.embeddings(&ids), whole.embeddings(&ids), "{what}");
            let found = logits(&split.run_clean(&ids, &SiteSet::new()));
            let expected = logits(&whole.run_clean(&ids, &SiteSet::new()));
            assert_close(&found, &expected, LOGIT, &what);

            let mut prompt = paris();
            prompt.foil = Some(answer_of(&[656]));
            let spec = logit_attribution::Spec { by: Parts::Heads };
            let attribute = |model: &Gpt2| {
                let ctx = AnalysisCtx::unwatched();
                let it = logit_attribution::logit_attribution(model, &prompt, spec, &ctx);
                it.unwrap().contributions.iter().map(|it| it.logit).collect::<Vec<_>>()
            };
            assert_close(&attribute(&split), &attribute(&whole), LOGIT, &what);
        }
    }
}

#[test]
fn a_written_random_model_is_the_one_made_in_memory() {
    let config = Gpt2Config {
        n_layers: 2,
        n_heads: 3,
        d_model: 24,
        d_mlp: 40,
        n_ctx: 16,
        d_vocab: 50,
        layer_norm_epsilon: 1e-5,
        unembedding: Unembedding::Separate,
    };
    let dir = tempfile::tempdir().unwrap();
    write_random_checkpoint(&config, 9, dir.path(), &TaskCtx::unwatched()).unwrap();
    let read = load(dir.path());
    assert_eq!(read.config, config);
    let made = Gpt2::random(&config, 9, &ComputeDevice::cpu());
    let ids = [3, 1, 4, 1, 49, 0];
    let of = |model: &Gpt2| logits(&model.run_clean(&ids, &SiteSet::new()));
    assert_close(&of(&read), &of(&made), 0.0, "the same seed");
    assert_ne!(of(&made), of(&Gpt2::random(&config, 10, &ComputeDevice::cpu())));
}

// Causal tracing

/// With ROME's noise.
fn plan_of(
    prompt: &TokenizedPrompt,
    spec: &causal_trace::Spec,
    std: f64,
    n_layers: usize,
) -> Vec<Condition> {
    let subject = Span::Only(prompt.subject.clone().unwrap());
    let noise = |sample| Noise { rng: spec.rng, seed: spec.seed, std, sample };
    let corruptions: Vec<_> = (0..spec.n_samples)
        .map(|nth| Intervention::at(Site::Embed, subject.clone(), Edit::AddNoise(noise(nth))))
        .collect();
    plan(prompt, spec, &corruptions, n_layers, N_HEADS).unwrap()
}

#[test]
fn a_plan_is_a_function_of_its_arguments() {
    let prompt = paris();
    let spec = trace_spec(Component::Mlp, 3, 2);
    let planned = || plan_of(&prompt, &spec, 0.5, N_LAYERS);
    assert_eq!(planned(), planned());
    assert_eq!(planned().len(), 2 + N_LAYERS * prompt.n_pos() * 2);
    // Every condition corrupts the subject first, with the draw of its sample.
    for (nth, condition) in planned().iter().enumerate() {
        let noise = Noise { rng: spec.rng, seed: spec.seed, std: 0.5, sample: nth % 2 };
        let corrupt = Intervention::at(Site::Embed, Span::Only(0..3), Edit::AddNoise(noise));
        assert_eq!(condition[0], corrupt);
    }
}

/// `max(0, l - w // 2) .. min(L, l + ceil(w / 2))`, from ROME's `trace_important_window`.
#[test]
fn windows_are_clipped_as_romes() {
    let prompt = paris();
    let restored = |component, window, layer: usize, n_layers: usize| -> Range<usize> {
        let spec = trace_spec(component, window, 1);
        let plan = plan_of(&prompt, &spec, 0.5, n_layers);
        let position = 4;
        let condition = &plan[1 + layer * prompt.n_pos() + position];
        let sites = condition[1..].iter().map(|it| {
            assert_eq!(it.positions, Span::one(position));
            let copy = Edit::CopyFrom { donor: Donor::Clean, positions: Span::one(position) };
            assert_eq!(it.edit, copy);
            it.site
        });
        let layers: Vec<_> = sites
            .map(|site| match (component, site) {
                (Component::Hidden, Site::ResidPost(layer))
                | (Component::Mlp, Site::MlpOut(layer))
                | (Component::Attn, Site::AttnOut(layer)) => layer,
                other => panic!("{other:?}"),
            })
            .collect();
        let range = layers[0]..layers[layers.len() - 1] + 1;
        assert_eq!(layers, range.clone().collect::<Vec<_>>());
        range
    };
    for (window, layer, expected) in [
        (10, 0, 0..5),
        (10, 4, 0..9),
        (10, 5, 0..10),
        (10, 18, 13..23),
        (10, 31, 26..36),
        (10, 35, 30..36),
        (1, 0, 0..1),
        (1, 35, 35..36),
        (2, 0, 0..1),
        (2, 7, 6..8),
        (3, 0, 0..2),
        (3, 7, 6..9),
        (3, 35, 34..36),
        (100, 7, 0..36),
    ] {
        for component in [Component::Mlp, Component::Attn] {
            assert_eq!(restored(component, window, layer, 36), expected, "{window} at {layer}");
        }
        assert_eq!(restored(Component::Hidden, window, layer, 36), layer..layer + 1);
    }
    let shown = trace(&prompt, trace_spec(Component::Mlp, 3, 1));
    let windows = (0..N_LAYERS).map(|layer| shown.window(layer)).collect::<Vec<_>>();
    assert_eq!(windows, [0..2, 0..3, 1..4, 2..4]);
}

#[test]
fn a_trace_has_every_cell_and_what_cannot_matter_does_not() {
    let mut prompt = prompt("The Seine is in", "Seine", None);
    prompt.answer = Some(answer_of(&[300]));
    let subject = prompt.subject.clone().unwrap();
    for component in Component::ALL {
        let trace = trace(&prompt, trace_spec(component, 2, 3));
        assert_eq!(trace.restored.n_rows(), N_LAYERS);
        assert_eq!(trace.restored.n_columns(), prompt.n_pos());
        assert!(trace.restored.values().iter().all(|runs| runs.len() == 3));
        assert_eq!(trace.corrupted.len(), 3);
        let log_probs =
            |runs: &[Measurement]| -> Vec<f32> { runs.iter().map(|run| run.log_prob).collect() };
        let corrupted = log_probs(&trace.corrupted);
        assert_far(&corrupted, &[trace.clean.log_prob; 3], "the corruption");
        for layer in 0..N_LAYERS {
            for pos in 0..subject.start {
                // Nothing before the subject was corrupted.
                let cell = log_probs(trace.restored.get(layer, pos).unwrap());
                assert_close(&cell, &corrupted, LOGIT, "before the subject");
            }
        }
        if component == Component::Hidden {
            let last = trace.restored.rows().last().unwrap();
            for cell in &last[..prompt.n_pos() - 1] {
                assert_close(&log_probs(cell), &corrupted, LOGIT, "the last layer, read by nobody");
            }
            let restored = log_probs(&last[prompt.n_pos() - 1]);
            assert_close(&restored, &[trace.clean.log_prob; 3], LOGIT, "the last state");
        }
    }
}

/// Conditions of all kinds, in an order that mixes bases, first layers and first positions.
fn mixed_conditions() -> Vec<Condition> {
    let clean = |positions: Range<usize>| Edit::CopyFrom {
        donor: Donor::Clean,
        positions: Span::Only(positions),
    };
    let elsewhere = Edit::CopyFrom { donor: Donor::Counterpart, positions: Span::Only(1..3) };
    let from_corrupted = |positions: Range<usize>| Edit::CopyFrom {
        donor: Donor::Corrupted { first: 4, sample: 0 },
        positions: Span::Only(positions),
    };
    let corrupted = |sample| Intervention::at(Site::Embed, Span::Only(4..6), noise(2.0, sample));
    let at = |site, positions, edit| Intervention::at(site, Span::Only(positions), edit);
    let mut conditions = vec![
        vec![],
        vec![Intervention::at(Site::PosEmbed, Span::All, Edit::Scale(0.5))],
        // Restores what something other than the input has changed.
        vec![
            at(Site::ResidPost(0), 2..3, Edit::Scale(-2.0)),
            at(Site::MlpOut(1), 2..3, clean(2..3)),
        ],
        vec![
            at(Site::MlpOut(1), 2..3, clean(2..3)),
            at(Site::ResidPost(1), 2..3, Edit::Set(0.2)),
            at(Site::AttnOut(2), 2..3, clean(2..3)),
        ],
        // Restores before what it restores is changed.
        vec![at(Site::ResidMid(2), 1..2, clean(1..2)), at(Site::Z(0), 6..7, Edit::Zero)],
        // Keys by their place, not counted from where it begins.
        vec![
            at(Site::AttnScores(3), 9..10, Edit::Set(-1e30)).of_units(Span::Only(0..3)),
            at(Site::LnFinalScale, 9..10, Edit::Scale(1.5)),
        ],
        vec![at(Site::LnFinalNormalized, 8..10, elsewhere.clone()).of_units(Span::Only(3..9))],
        vec![Intervention::at(Site::Q(2), Span::All, Edit::Scale(1.5)).of_heads(Span::one(2))],
        // Keys of two spans, in two layers, cut off for good.
        vec![
            at(Site::AttnScores(2), 8..10, Edit::Block).of_units(Span::Only(0..2)),
            at(Site::AttnScores(2), 8..10, Edit::Block).of_units(Span::Only(4..6)),
            at(Site::AttnScores(1), 9..10, Edit::Block).of_units(Span::Only(4..6)),
        ],
        // A corrupted state in a clean run: before the corruption it changes nothing.
        vec![at(Site::ResidPost(1), 3..4, from_corrupted(3..4))],
        vec![
            at(Site::ResidPost(1), 5..6, from_corrupted(5..6)),
            at(Site::MlpOut(2), 5..6, clean(5..6)),
        ],
        // What the restored token would write is held at its corrupted values.
        vec![
            Intervention::at(Site::Embed, Span::Only(4..6), noise(2.0, 0)),
            at(Site::ResidPost(1), 4..5, clean(4..5)),
            at(Site::MlpOut(2), 4..5, from_corrupted(4..5)),
            at(Site::MlpOut(3), 4..5, from_corrupted(4..5)),
        ],
    ];
    for sample in 0..3 {
        for layer in (0..N_LAYERS).rev() {
            for pos in [9, 0, 4, 5, 3] {
                conditions.push(vec![
                    corrupted(sample),
                    at(Site::ResidPost(layer), pos..pos + 1, clean(pos..pos + 1)),
                ]);
                conditions.push(vec![
                    at(Site::V(layer), pos..pos + 1, noise(1.0, sample)),
                    corrupted(sample),
                    at(Site::Pattern(layer), pos..pos + 1, Edit::Set(0.1)),
                ]);
            }
            conditions
                .push(vec![corrupted(sample), at(Site::MlpPost(layer), 6..8, elsewhere.clone())]);
        }
    }
    conditions
}

#[test]
fn reuse_changes_no_number() {
    let model = load(&fixture("tiny"));
    for answer in [&[507][..], &[507, 12, 300]] {
        let mut prompt = paris();
        prompt.answer = Some(answer_of(answer));
        let asked = [&prompt.ids, &answer[..answer.len() - 1]].concat();
        let mut donors = clean_donor(&model, &asked);
        let counterpart = model.run_clean(&ids(asked.len(), 2), &Site::all(N_LAYERS)).cache;
        donors.insert(Donor::Counterpart, counterpart);
        let corrupt = vec![Intervention::at(Site::Embed, Span::Only(4..6), noise(2.0, 0))];
        let rows = [Row::new(&asked, &corrupt)];
        let corrupted = run(&model, &rows, &Donors::new(), &Site::all(N_LAYERS)).cache;
        donors.insert(Donor::Corrupted { first: 4, sample: 0 }, corrupted);
        let conditions = mixed_conditions();
        let measure = |reuse| {
            let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
            sweep(&model, &prompt, &conditions, &donors, &ctx, &mut |_| ()).unwrap()
        };
        let (expected, found) = (measure(Reuse::Nothing), measure(Reuse::Exact));
        for ((expected, found), condition) in expected.iter().zip(&found).zip(&conditions) {
            let what = format!("{condition:?}");
            assert_close(&[found.logit], &[expected.logit], LOGIT, &what);
            assert_close(&[found.answer_log_prob], &[expected.answer_log_prob], LOGIT, &what);
        }
        let different = expected.iter().filter(|it| (it.logit - expected[0].logit).abs() > 0.01);
        assert!(different.count() > conditions.len() / 2, "most conditions must matter");
    }
}

#[test]
fn a_trace_is_the_same_in_batches_and_one_by_one() {
    // 60 samples of 10 tokens are more than one batch.
    let prompt = paris();
    let spec = trace_spec(Component::Attn, 2, 60);
    let trace = trace(&prompt, spec.clone());
    let model = load(&fixture("tiny"));
    let donors = clean_donor(&model, &prompt.ids);
    let plan = plan_of(&prompt, &spec, 1.5, N_LAYERS);
    let found: Vec<_> =
        trace.corrupted.iter().chain(trace.restored.values().iter().flatten()).collect();
    assert_eq!(found.len(), plan.len());
    for (found, condition) in found.iter().zip(&plan).step_by(97) {
        let logits = logits_under(&model, &prompt.ids, condition, &donors);
        assert_close(&[found.logit], &[logits[507]], LOGIT, "one by one");
    }
    let mean = Measurement::mean(&trace.corrupted, Metric::Prob).unwrap();
    assert!(mean < trace.clean.prob);
}

#[test]
fn a_cancelled_method_says_so() {
    let engine = engine("tiny");
    let prompt = paris();
    let specs = [
        AnalysisSpec::CausalTrace(trace_spec(Component::Mlp, 2, 60)),
        AnalysisSpec::Prediction(prediction::Spec { n_top: 1 }),
        AnalysisSpec::LogitAttribution(logit_attribution::Spec { by: Parts::Heads }),
        AnalysisSpec::LogitLens(logit_lens::Spec::default()),
        AnalysisSpec::Attention(attention::Spec::all_heads(0..N_LAYERS)),
        AnalysisSpec::Ablation(ablation_spec(Part::Heads, Positions::All, mean_of_others())),
        AnalysisSpec::AttentionKnockout(to_last(1)),
    ];
    for spec in specs {
        let ctx = AnalysisCtx::unwatched();
        ctx.task.cancel.cancel();
        let result = engine.run(&prompt, &spec, &ctx);
        assert_eq!(result, Err(AnalysisError::Cancelled(Cancelled)), "{spec:?}");
    }

    // In the middle: after so many steps, no step is taken.
    let steps = Cell::new(0);
    let cancel = factscope::task::CancelToken::default();
    let report = |_: Progress| {
        steps.set(steps.get() + 1);
        if steps.get() == 7 {
            cancel.cancel();
        }
    };
    let ctx = AnalysisCtx {
        task: TaskCtx { cancel: cancel.clone(), report: &report },
        partial: &|_| (),
        reuse: Reuse::Exact,
        tokenizer: None,
    };
    let spec = AnalysisSpec::CausalTrace(trace_spec(Component::Mlp, 2, 60));
    let result = engine.run(&prompt, &spec, &ctx);
    assert_eq!(result, Err(AnalysisError::Cancelled(Cancelled)));
    assert_eq!(steps.get(), 7);
}

#[test]
fn progress_grows_to_its_total_and_partial_traces_grow_to_the_whole() {
    let engine = engine("tiny");
    let (progress, filled) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let report = |it: Progress| progress.borrow_mut().push(it);
    let partial = |result: AnalysisResult| {
        let AnalysisResult::CausalTrace(trace) = result else { panic!("not a trace") };
        filled.borrow_mut().push(trace.restored.values().iter().map(Vec::len).sum::<usize>());
    };
    let ctx = AnalysisCtx {
        task: TaskCtx { cancel: factscope::task::CancelToken::default(), report: &report },
        partial: &partial,
        reuse: Reuse::Exact,
        tokenizer: None,
    };
    let spec = AnalysisSpec::CausalTrace(trace_spec(Component::Mlp, 2, 12));
    engine.run(&paris(), &spec, &ctx).unwrap();
    let (progress, filled) = (progress.into_inner(), filled.into_inner());
    let last = progress.last().unwrap();
    assert_eq!(last.done, last.total);
    assert!(progress.iter().all(|it| it.total == last.total));
    assert!(progress.is_sorted_by_key(|it| it.done));
    assert!(filled.len() > 1 && filled.is_sorted());
    assert_eq!(*filled.last().unwrap(), N_LAYERS * 10 * 12);
}

// Severed paths, and the other direction

fn severed(component: Component, window: usize, sever: Severed) -> causal_trace::Spec {
    causal_trace::Spec { sever: Some(sever), ..trace_spec(component, window, 3) }
}

fn noising(component: Component, window: usize) -> causal_trace::Spec {
    causal_trace::Spec { direction: Direction::Noise, ..trace_spec(component, window, 3) }
}

fn log_probs(runs: &[Measurement]) -> Vec<f32> {
    runs.iter().map(|run| run.log_prob).collect()
}

/// That reuse changes no reading.
#[track_caller]
fn assert_same(found: &[Measurement], expected: &[Measurement], what: &str) {
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
fn seine() -> TokenizedPrompt {
    let mut prompt = prompt("The Seine is in", "Seine", None);
    prompt.answer = Some(answer_of(&[300]));
    prompt
}

#[test]
fn every_trace_is_the_same_with_and_without_reuse() {
    let engine = engine("tiny");
    for prompt in [paris(), seine()] {
        for component in Component::ALL {
            for direction in Direction::ALL {
                for sever in [None, Some(Severed::Mlp), Some(Severed::Attn)] {
                    let spec =
                        causal_trace::Spec { direction, sever, ..trace_spec(component, 2, 3) };
                    let what = format!("{spec:?}");
                    let [exact, naive] = [Reuse::Exact, Reuse::Nothing].map(|reuse| {
                        let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
                        let spec = AnalysisSpec::CausalTrace(spec.clone());
                        match engine.run(&prompt, &spec, &ctx) {
                            Ok(AnalysisResult::CausalTrace(trace)) => trace,
                            other => panic!("{other:?}"),
                        }
                    });
                    let runs = |trace: &CausalTrace| -> Vec<Measurement> {
                        let cells = trace.restored.values().iter().flatten();
                        trace.corrupted.iter().chain(cells).copied().collect()
                    };
                    assert_same(&runs(&exact), &runs(&naive), &what);
                }
            }
        }
    }
}

#[test]
fn to_sever_something_where_nothing_was_corrupted_changes_nothing() {
    for prompt in [paris(), seine()] {
        for sever in Severed::ALL {
            for direction in Direction::ALL {
                let quiet = causal_trace::Spec {
                    noise: NoiseLevel::Std(0.0),
                    direction,
                    ..severed(Component::Hidden, 1, sever)
                };
                let trace = trace(&prompt, quiet);
                for cell in trace.restored.values() {
                    assert_close(&log_probs(cell), &[trace.clean.log_prob; 3], LOGIT, "no noise");
                }
            }
        }
    }
}

#[test]
fn a_severed_trace_differs_only_where_the_severed_outputs_are_still_to_come() {
    let prompt = seine();
    let subject = prompt.subject.clone().unwrap();
    let plain = trace(&prompt, trace_spec(Component::Hidden, 1, 3));
    for sever in Severed::ALL {
        let severed = trace(&prompt, severed(Component::Hidden, 1, sever));
        let (found, expected) = (log_probs(&severed.corrupted), log_probs(&plain.corrupted));
        assert_close(&found, &expected, LOGIT, "corrupted");
        let cell =
            |trace: &CausalTrace, layer, pos| log_probs(trace.restored.get(layer, pos).unwrap());
        for pos in 0..prompt.n_pos() {
            // After the last layer there is nothing left to sever.
            let (found, expected) =
                (cell(&severed, N_LAYERS - 1, pos), cell(&plain, N_LAYERS - 1, pos));
            assert_close(&found, &expected, LOGIT, "the last layer");
        }
        for layer in 0..N_LAYERS {
            let (found, expected) = (cell(&severed, layer, 0), cell(&plain, layer, 0));
            assert_close(&found, &expected, LOGIT, "before the subject");
        }
        let at_subject = |trace| cell(trace, 0, subject.end - 1);
        assert_far(&at_subject(&severed), &at_subject(&plain), "what is severed");
    }
}

/// With both of a later layer's outputs held, the corrupted residual stream is still exchanged for
/// the clean one; with attention alone held, MLPs react. The plan says which.
#[test]
fn a_severed_plan_holds_what_the_restored_token_would_write() {
    let prompt = paris();
    let held = |spec: &causal_trace::Spec, layer: usize, pos: usize| -> Vec<Site> {
        let plan = plan_of(&prompt, spec, 0.5, N_LAYERS);
        let condition = &plan[3 + (layer * prompt.n_pos() + pos) * 3 + 1];
        let donor = match spec.direction {
            Direction::Denoise => Donor::Corrupted { first: 0, sample: 1 },
            Direction::Noise => Donor::Clean,
        };
        let edit = Edit::CopyFrom { donor, positions: Span::one(pos) };
        let held = condition.iter().filter(|it| it.edit == edit);
        held.inspect(|it| assert_eq!(it.positions, Span::one(pos))).map(|it| it.site).collect()
    };
    let mlps = |layers: Range<usize>| layers.map(Site::MlpOut).collect::<Vec<_>>();
    let hidden = severed(Component::Hidden, 1, Severed::Mlp);
    assert_eq!(held(&hidden, 1, 4), mlps(2..4));
    assert_eq!(held(&hidden, 3, 4), []);
    let noised = causal_trace::Spec { direction: Direction::Noise, ..hidden };
    assert_eq!(held(&noised, 0, 2), mlps(1..4));
    // Attention in layers 0 and 1 is restored; the MLPs of layer 0 see it already.
    assert_eq!(held(&severed(Component::Attn, 2, Severed::Mlp), 1, 4), mlps(0..4));
    // What is restored is not held.
    let same = severed(Component::Mlp, 2, Severed::Mlp);
    assert_eq!(held(&same, 1, 4), mlps(2..4));
}

#[test]
fn noising_is_denoising_seen_from_the_other_side() {
    let prompt = seine();
    let subject = prompt.subject.clone().unwrap();
    for component in Component::ALL {
        let noised = trace(&prompt, noising(component, 2));
        let denoised = trace(&prompt, trace_spec(component, 2, 3));
        // Runs at which something else is kept.
        let found = [&[noised.clean][..], &noised.corrupted].concat();
        let expected = [&[denoised.clean][..], &denoised.corrupted].concat();
        assert_close(&log_probs(&found), &log_probs(&expected), LOGIT, "the two runs");
        let clean = [noised.clean.log_prob; 3];
        for layer in 0..N_LAYERS {
            for pos in 0..subject.start {
                let cell = log_probs(noised.restored.get(layer, pos).unwrap());
                assert_close(&cell, &clean, LOGIT, "before the subject");
            }
        }
        let corrupted = log_probs(&noised.corrupted);
        assert_far(&corrupted, &clean, "the corruption");
        if component == Component::Hidden {
            let last = noised.restored.get(N_LAYERS - 1, prompt.n_pos() - 1).unwrap();
            // The last state of a corrupted run gives the corrupted run's answer.
            assert_close(&log_probs(last), &corrupted, LOGIT, "the last state");
            for pos in 0..prompt.n_pos() - 1 {
                let cell = log_probs(noised.restored.get(N_LAYERS - 1, pos).unwrap());
                assert_close(&cell, &clean, LOGIT, "the last layer, read by nobody");
            }
        }
    }
}

#[test]
fn a_spec_without_the_variants_is_romes() {
    let json = serde_json::to_string(&trace_spec(Component::Mlp, 3, 2)).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let fields = value.as_object_mut().unwrap();
    for name in ["direction", "sever", "corruption", "map"] {
        assert!(fields.remove(name).is_some(), "{name}");
    }
    let old: causal_trace::Spec = serde_json::from_value(value).unwrap();
    assert_eq!(old, trace_spec(Component::Mlp, 3, 2));
}

// Ablation

fn ablation_spec(part: Part, positions: Positions, replacement: Replacement) -> ablation::Spec {
    ablation::Spec { part, positions, replacement }
}

fn mean_of_others() -> Replacement {
    Replacement::Mean { prompts: [ids(9, 1), ids(4, 2), ids(12, 3)].into() }
}

fn resampled(prompt: &TokenizedPrompt) -> Replacement {
    Replacement::Resample { ids: ids(prompt.n_pos(), 7).into() }
}

fn ablate(prompt: &TokenizedPrompt, spec: ablation::Spec, reuse: Reuse) -> Ablation {
    let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
    match engine("tiny").run(prompt, &AnalysisSpec::Ablation(spec), &ctx) {
        Ok(AnalysisResult::Ablation(ablation)) => ablation,
        other => panic!("{other:?}"),
    }
}

fn readings(ablation: &Ablation) -> Vec<f32> {
    ablation.ablated.values().iter().map(|it| it.unwrap().logit).collect()
}

#[test]
fn every_ablation_is_the_same_with_and_without_reuse() {
    let mut long = paris();
    long.answer = Some(answer_of(&[507, 12]));
    for prompt in [paris(), seine(), long] {
        for part in Part::ALL {
            for positions in
                [Positions::All, Positions::Subject, Positions::NonSubject, Positions::Last]
            {
                for replacement in [Replacement::Zero, mean_of_others(), resampled(&prompt)] {
                    let spec = ablation_spec(part, positions.clone(), replacement);
                    let what = format!("{spec:?}");
                    let exact = ablate(&prompt, spec.clone(), Reuse::Exact);
                    let naive = ablate(&prompt, spec, Reuse::Nothing);
                    let n_columns = if part == Part::Heads { N_HEADS } else { 1 };
                    assert_eq!(exact.ablated.n_rows(), N_LAYERS);
                    assert_eq!(exact.ablated.n_columns(), n_columns);
                    assert_close(&readings(&exact), &readings(&naive), LOGIT, &what);
                    let runs = |it: &Ablation| -> Vec<Measurement> {
                        it.ablated.values().iter().copied().flatten().collect()
                    };
                    assert_same(&runs(&exact), &runs(&naive), &what);
                }
            }
        }
    }
}

#[test]
fn to_put_in_what_is_there_changes_nothing() {
    let prompt = paris();
    let itself = Replacement::Resample { ids: prompt.ids.clone().into() };
    for part in Part::ALL {
        for positions in [Positions::All, Positions::Subject, Positions::Only(3..5)] {
            let found =
                ablate(&prompt, ablation_spec(part, positions, itself.clone()), Reuse::Exact);
            let clean = vec![found.clean.logit; found.ablated.values().len()];
            assert_close(&readings(&found), &clean, LOGIT, &format!("{part:?}"));
            for layer in 0..N_LAYERS {
                let change = found.change(layer, 0, Metric::Prob).unwrap();
                assert_close(&[change], &[0.0], PROB, "the change");
            }
        }
    }
    // The mean over one prompt of one token is that token.
    let mut short = paris();
    short.ids.truncate(1);
    let itself = Replacement::Mean { prompts: [short.ids.clone()].into() };
    let found = ablate(&short, ablation_spec(Part::Mlp, Positions::All, itself), Reuse::Exact);
    assert_close(&readings(&found), &[found.clean.logit; N_LAYERS], LOGIT, "the mean of itself");
}

#[test]
fn all_heads_of_a_layer_are_its_z_and_both_outputs_its_layer() {
    let model = load(&fixture("tiny"));
    let prompt = paris();
    let heads = ablation_spec(Part::Heads, Positions::Subject, Replacement::Zero);
    let plan = ablation::plan(&heads, &[0..3], N_LAYERS, N_HEADS);
    assert_eq!(plan.len(), 1 + N_LAYERS * N_HEADS);
    assert!(plan[0].is_empty());
    let of = |condition: &Condition| logits_under(&model, &prompt.ids, condition, &Donors::new());
    for layer in 0..N_LAYERS {
        let together: Condition = plan[1 + layer * N_HEADS..][..N_HEADS].concat();
        let z = vec![Intervention::at(Site::Z(layer), Span::Only(0..3), Edit::Zero)];
        assert_close(&of(&together), &of(&z), LOGIT, "all heads");
    }
    // Without both outputs a block leaves the residual stream as it was.
    let layers = ablation_spec(Part::Layers, Positions::All, Replacement::Zero);
    let plan = ablation::plan(&layers, &[0..prompt.n_pos()], N_LAYERS, N_HEADS);
    let everything: Condition = plan[1..].concat();
    let cache = run(
        &model,
        &[Row::new(&prompt.ids, &everything)],
        &Donors::new(),
        &[Site::ResidPre(0), Site::ResidPost(N_LAYERS - 1)].into(),
    )
    .cache;
    let (first, last) =
        (cache.activation(Site::ResidPre(0)), cache.activation(Site::ResidPost(N_LAYERS - 1)));
    assert_eq!(first.values, last.values);
}

/// Position 0 is a class of its own.
#[test]
fn the_mean_is_over_first_tokens_and_over_later_ones() {
    let engine = engine("tiny");
    let model = load(&fixture("tiny"));
    let prompt = paris();
    let others = [ids(9, 1), ids(4, 2), ids(12, 3)];
    let site = Site::MlpOut(2);
    let mut sums = [vec![0.0_f64; 32], vec![0.0_f64; 32]];
    let mut counts = [0.0, 0.0];
    for ids in &others {
        let cache = model.run_clean(ids, &SiteSet::from([site])).cache;
        for (pos, vector) in cache.activation(site).values.chunks(32).enumerate() {
            let class = usize::from(pos > 0);
            counts[class] += 1.0;
            for (sum, value) in sums[class].iter_mut().zip(vector) {
                *sum += f64::from(*value);
            }
        }
    }
    // Put in number by number.
    let mut condition = Vec::new();
    for pos in 0..prompt.n_pos() {
        let class = usize::from(pos > 0);
        for (unit, sum) in sums[class].iter().enumerate() {
            let mean = Edit::Set((sum / counts[class]) as f32);
            condition.push(Intervention::at(site, Span::one(pos), mean).of_units(Span::one(unit)));
        }
    }
    let expected = logits_under(&model, &prompt.ids, &condition, &Donors::new())[507];
    let spec =
        ablation_spec(Part::Mlp, Positions::All, Replacement::Mean { prompts: others.into() });
    let AnalysisResult::Ablation(found) =
        engine.run(&prompt, &AnalysisSpec::Ablation(spec), &AnalysisCtx::unwatched()).unwrap()
    else {
        panic!("not an ablation");
    };
    let found = found.ablated.get(2, 0).unwrap().unwrap();
    assert_close(&[found.logit], &[expected], LOGIT, "the mean");
}

// Attention knockout

fn to_last(window: usize) -> attention_knockout::Spec {
    attention_knockout::Spec { edges: Edges::to_last(), window }
}

fn cut(
    prompt: &TokenizedPrompt,
    spec: attention_knockout::Spec,
    reuse: Reuse,
) -> AttentionKnockout {
    let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
    match engine("tiny").run(prompt, &AnalysisSpec::AttentionKnockout(spec), &ctx) {
        Ok(AnalysisResult::AttentionKnockout(knockout)) => knockout,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_knockout_is_the_same_with_and_without_reuse() {
    let mut long = paris();
    long.answer = Some(answer_of(&[507, 12]));
    for prompt in [paris(), seine(), long] {
        let mut edges = Edges::to_last();
        edges.push(Edges { from: Positions::Subject, to: Positions::Only(3..5) });
        if prompt.subject.as_ref().unwrap().start == 0 {
            // Elsewhere that would leave the first token nothing.
            edges.push(Edges { from: Positions::NonSubject, to: Positions::NonSubject });
        }
        for window in [1, 2, 9] {
            let spec = attention_knockout::Spec { edges: edges.clone(), window };
            let exact = cut(&prompt, spec.clone(), Reuse::Exact);
            let naive = cut(&prompt, spec, Reuse::Nothing);
            let runs = |it: &AttentionKnockout| -> Vec<Measurement> {
                it.cut.values().iter().copied().flatten().collect()
            };
            assert_same(&runs(&exact), &runs(&naive), &format!("window {window}"));
        }
    }
}

/// Geva's edges are cut, no others; what is left is shared out anew.
#[test]
fn cutting_all_earlier_tokens_leaves_a_token_to_itself() {
    let model = load(&fixture("tiny"));
    let prompt = paris();
    let last = prompt.last();
    let edges = vec![Edges { from: Positions::Only(0..last), to: Positions::Last }];
    let spec = attention_knockout::Spec { edges, window: 1 };
    let plan = attention_knockout::plan(&prompt, &spec, N_LAYERS).unwrap();
    let n_pos = prompt.n_pos();
    for layer in 0..N_LAYERS {
        let sites = SiteSet::from([Site::Pattern(layer)]);
        let rows = [Row::new(&prompt.ids, &plan[1 + layer]), Row::new(&prompt.ids, &[])];
        let weights =
            run(&model, &rows, &Donors::new(), &sites).cache.activation(Site::Pattern(layer));
        let (cut, clean) = weights.values.split_at(N_HEADS * n_pos * n_pos);
        for (nth, (cut, clean)) in cut.chunks(n_pos).zip(clean.chunks(n_pos)).enumerate() {
            if nth % n_pos == last {
                assert_eq!(cut[..last], vec![0.0; last]);
                assert_eq!(cut[last], 1.0);
            } else {
                assert_close(cut, clean, 0.0, "another query");
            }
        }
    }
}

#[test]
fn cutting_later_tokens_changes_nothing() {
    let prompt = paris();
    let edges = vec![Edges { from: Positions::Only(5..9), to: Positions::Only(0..5) }];
    let found = cut(&prompt, attention_knockout::Spec { edges, window: 4 }, Reuse::Exact);
    for layer in 0..N_LAYERS {
        assert_close(
            &[found.cut.get(0, layer).unwrap().unwrap().logit],
            &[found.clean.logit],
            LOGIT,
            "",
        );
        let change = found.relative_change(0, layer, Metric::Prob).unwrap();
        assert_close(&[change], &[0.0], LOGIT, "the change");
    }
    assert_eq!(found.relative_change(0, 0, Metric::Logit), None);
}

#[test]
fn the_window_is_the_papers_and_smaller_in_smaller_models() {
    let windows = [48, 36, 28, 24, 12, 6, 4, 1].map(default_window);
    assert_eq!(windows, [9, 9, 5, 5, 3, 1, 1, 1]);
    let shown = cut(&paris(), to_last(3), Reuse::Exact);
    let windows: Vec<_> = (0..N_LAYERS).map(|layer| shown.window(layer)).collect();
    assert_eq!(windows, [0..2, 0..3, 1..4, 2..4]);
}

#[test]
fn tokens_are_named_as_they_are_typed() {
    let seine = seine();
    let (subject, last) = (seine.subject.clone().unwrap(), seine.last());
    for (text, expected) in [
        ("all", vec![0..seine.n_pos()]),
        ("subject", vec![subject.clone()]),
        ("non-subject", vec![0..subject.start, subject.end..last]),
        ("last", vec![last..last + 1]),
        ("3", vec![3..4]),
        ("1..4", vec![1..4]),
    ] {
        let place: Positions = text.parse().unwrap();
        assert_eq!(place.ranges(&seine), Ok(expected), "{text}");
        assert_eq!(place.to_string(), text);
        let json = serde_json::to_string(&place).unwrap();
        assert_eq!(serde_json::from_str::<Positions>(&json).unwrap(), place);
    }
    for text in ["", "-1", "4..4", "5..3", "first", "1..", "1-3"] {
        let error = text.parse::<Positions>().unwrap_err();
        assert!(error.to_string().contains("non-subject"), "{error}");
    }
    // All of the prompt is the subject.
    let mut whole = seine;
    whole.subject = Some(0..whole.n_pos());
    assert_eq!(Positions::NonSubject.ranges(&whole), Ok(vec![]));
}

#[test]
fn a_map_that_makes_no_sense_is_an_error() {
    let engine = engine("tiny");
    let error = |prompt: &TokenizedPrompt, spec: AnalysisSpec| {
        engine.run(prompt, &spec, &AnalysisCtx::unwatched()).unwrap_err()
    };
    let ablated = |positions, replacement| {
        AnalysisSpec::Ablation(ablation_spec(Part::Heads, positions, replacement))
    };
    let mut no_subject = paris();
    no_subject.subject = None;
    let spec = ablated(Positions::Subject, Replacement::Zero);
    assert_eq!(error(&no_subject, spec), AnalysisError::NoSubject);
    assert_eq!(
        error(&no_subject, AnalysisSpec::AttentionKnockout(to_last(1))),
        AnalysisError::NoSubject
    );
    let spec = ablated(Positions::Only(8..11), Replacement::Zero);
    assert_eq!(error(&paris(), spec), AnalysisError::NoPosition { pos: 10, n_pos: 10 });
    let spec = ablated(Positions::All, Replacement::Resample { ids: ids(9, 1).into() });
    assert_eq!(error(&paris(), spec), AnalysisError::OtherLength { n_pos: 10, n_other: 9 });
    let of = |prompts: &[Vec<u32>]| Replacement::Mean { prompts: prompts.into() };
    for prompts in [&[][..], &[vec![]], &[vec![1], vec![2]]] {
        let found = error(&paris(), ablated(Positions::All, of(prompts)));
        assert!(matches!(found, AnalysisError::Zero { .. }), "{prompts:?}: {found:?}");
    }
    let unknown = AnalysisError::UnknownToken { id: 657, d_vocab: 657 };
    assert_eq!(error(&paris(), ablated(Positions::All, of(&[vec![1, 657]]))), unknown);

    let knockout = |edges: Vec<Edges>, window| {
        AnalysisSpec::AttentionKnockout(attention_knockout::Spec { edges, window })
    };
    for spec in [knockout(vec![], 1), knockout(Edges::to_last(), 0)] {
        assert!(matches!(error(&paris(), spec), AnalysisError::Zero { .. }));
    }
    // The first token sees only itself.
    let spec = knockout(vec![Edges { from: Positions::Subject, to: Positions::All }], 1);
    assert_eq!(error(&paris(), spec), AnalysisError::NothingToLookAt { pos: 0 });
}

// What cannot be done

#[test]
fn what_cannot_be_done_is_an_error() {
    let engine = engine("tiny");
    let error = |prompt: &TokenizedPrompt, spec: &AnalysisSpec| {
        engine.run(prompt, spec, &AnalysisCtx::unwatched()).unwrap_err()
    };
    let specs = || {
        [
            AnalysisSpec::CausalTrace(trace_spec(Component::Hidden, 2, 1)),
            AnalysisSpec::Prediction(prediction::Spec { n_top: 1 }),
            AnalysisSpec::Ablation(ablation_spec(Part::Heads, Positions::All, Replacement::Zero)),
            AnalysisSpec::AttentionKnockout(to_last(2)),
            AnalysisSpec::LogitAttribution(logit_attribution::Spec { by: Parts::Layers }),
            AnalysisSpec::LogitLens(logit_lens::Spec::default()),
            AnalysisSpec::Attention(attention::Spec::all_heads(0..1)),
        ]
    };
    for spec in specs() {
        let mut long = paris();
        long.ids = ids(65, 1);
        assert_eq!(error(&long, &spec), AnalysisError::TooLong { n_pos: 65, n_ctx: 64 });
        let mut unknown = paris();
        unknown.ids[3] = 657;
        let unknown_token = AnalysisError::UnknownToken { id: 657, d_vocab: 657 };
        assert_eq!(error(&unknown, &spec), unknown_token);
        // Also if the model is asked for an answer first.
        unknown.answer = None;
        assert_eq!(error(&unknown, &spec), unknown_token);
    }
    for spec in &specs()[..6] {
        let mut prompt = paris();
        prompt.answer = Some(answer_of(&[u32::MAX]));
        let unknown_token = AnalysisError::UnknownToken { id: u32::MAX, d_vocab: 657 };
        assert_eq!(error(&prompt, spec), unknown_token);
    }
    let mut full = paris();
    full.ids = ids(64, 1);
    for spec in specs() {
        assert!(engine.run(&full, &spec, &AnalysisCtx::unwatched()).is_ok(), "{spec:?}");
    }
    full.answer = Some(answer_of(&[1, 2]));
    for spec in &specs()[..4] {
        assert_eq!(error(&full, spec), AnalysisError::TooLong { n_pos: 65, n_ctx: 64 });
    }

    let attention = AnalysisSpec::Attention(attention::Spec::all_heads(2..5));
    let out_of_range = AnalysisError::OutOfRange { what: "layer", index: 4, n: 4 };
    assert_eq!(error(&paris(), &attention), out_of_range);
}

#[test]
fn a_trace_that_makes_no_sense_is_an_error() {
    let engine = engine("tiny");
    let error = |prompt: &TokenizedPrompt, spec: causal_trace::Spec| {
        engine.run(prompt, &AnalysisSpec::CausalTrace(spec), &AnalysisCtx::unwatched()).unwrap_err()
    };
    let spec = trace_spec(Component::Mlp, 2, 3);
    let mut no_subject = paris();
    no_subject.subject = None;
    assert_eq!(error(&no_subject, spec.clone()), AnalysisError::NoSubject);
    let is_zero = |error: AnalysisError, says: &str| {
        assert!(error.to_string().contains(says), "{error}");
        assert!(matches!(error, AnalysisError::Zero { .. }), "{error:?}");
    };
    is_zero(error(&paris(), causal_trace::Spec { n_samples: 0, ..spec.clone() }), "samples");
    is_zero(error(&paris(), causal_trace::Spec { window: 0, ..spec.clone() }), "window");
    let noise = NoiseLevel::Multiple { factor: 3.0, tokens: [].into() };
    is_zero(error(&paris(), causal_trace::Spec { noise, ..spec.clone() }), "tokens");
    let noise = NoiseLevel::Multiple { factor: 3.0, tokens: [1, 999].into() };
    let unknown = AnalysisError::UnknownToken { id: 999, d_vocab: 657 };
    assert_eq!(error(&paris(), causal_trace::Spec { noise, ..spec }), unknown);
}

#[test]
fn without_an_answer_the_methods_themselves_are_errors() {
    let model = load(&fixture("tiny"));
    let mut prompt = paris();
    prompt.answer = None;
    let ctx = AnalysisCtx::unwatched();
    let spec = trace_spec(Component::Mlp, 2, 3);
    let trace = causal_trace::causal_trace(&model, &prompt, &spec, &ctx);
    assert_eq!(trace, Err(AnalysisError::NoAnswer));
    let lens = logit_lens::logit_lens(&model, &prompt, logit_lens::Spec::default(), &ctx);
    assert_eq!(lens, Err(AnalysisError::NoAnswer));
    let spec = logit_attribution::Spec { by: Parts::Heads };
    let attribution = logit_attribution::logit_attribution(&model, &prompt, spec, &ctx);
    assert_eq!(attribution, Err(AnalysisError::NoAnswer));
}

#[test]
fn shown_attention_is_the_models() {
    let engine = engine("tiny");
    let prompt = paris();
    let n_pos = prompt.n_pos();
    let spec = AnalysisSpec::Attention(attention::Spec::all_heads(1..3));
    let AnalysisResult::Attention(it) =
        engine.run(&prompt, &spec, &AnalysisCtx::unwatched()).unwrap()
    else {
        panic!("not attention");
    };
    let model = load(&fixture("tiny"));
    let sites = SiteSet::from([Site::Pattern(1), Site::Pattern(2)]);
    let cache = model.run_clean(&prompt.ids, &sites).cache;
    for layer in [1, 2] {
        let expected = cache.activation(Site::Pattern(layer)).values;
        for (head, expected) in expected.chunks(n_pos * n_pos).enumerate() {
            assert_eq!(it.pattern(layer, head), Some(expected));
        }
        assert_eq!(it.pattern(layer, N_HEADS), None);
    }
    assert_eq!((it.pattern(0, 0), it.pattern(3, 0)), (None, None));
}
