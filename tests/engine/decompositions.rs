//! Laws of what takes a logit or a head apart, which hold for any weights.
//!
//! The model is the fixture `tiny`. Tolerances: sums of f32 of size 10 in another order differ by about
//! 1e-5.

use std::ops::Range;

use factscope::analysis::accumulated_resid::{self, AccumulatedResid, LensScale};
use factscope::analysis::attention::{self, Weighting};
use factscope::analysis::attribution_difference::{self, ScaleOf, SecondRun};
use factscope::analysis::circuit::{self, Circuit};
use factscope::analysis::composition::{self, Mode};
use factscope::analysis::contribution_graph::{
    self, AttentionEdges, ContributionGraph, Node, Via, Weights,
};
use factscope::analysis::head_scores::{self, HeadSummary};
use factscope::analysis::logit_attribution::{self, Component, Contribution, Parts};
use factscope::analysis::logit_lens;
use factscope::analysis::neuron_attribution::{self, Listing, NeuronAttribution};
use factscope::analysis::residual_norms::{self, ResidualNorms};
use factscope::analysis::source_attribution::{self, SourceAttribution};
use factscope::analysis::through_head::{self, ThroughHead};
use factscope::analysis::{AnalysisCtx, AnalysisError, AnalysisSpec};
use factscope::intervention::Site;
use factscope::model::Processing;
use factscope::task::Cancelled;
use factscope::tokens::TokenizedPrompt;
use factscope::worker::Engine;

use super::support::{
    answer_of, assert_close, assert_far, engine, fixture, found, gpt2_sites, load, paris, paris_or,
    prompt,
};

const LOGIT: f32 = 1e-4;
const N_LAYERS: usize = 4;
const N_HEADS: usize = 4;

/// With a token that occurs twice.
pub fn rome() -> TokenizedPrompt {
    prompt("Rome is not like Rome in", "Rome", None)
}

pub fn by_component(parts: &[Contribution], component: Component) -> f32 {
    parts.iter().find(|it| it.component == component).unwrap().logit
}

// Splits add up

#[test]
fn neurons_sources_and_heads_are_the_same_logit() {
    let engine = engine("tiny");
    for foil in [None, Some(3)] {
        let prompt = foil.map_or_else(paris, paris_or);
        let heads =
            found!(engine, &prompt, LogitAttribution(logit_attribution::Spec { by: Parts::Heads }));
        let sources: SourceAttribution =
            found!(engine, &prompt, SourceAttribution(source_attribution::Spec));
        assert_close(&[sources.sum()], &[sources.logit], LOGIT, "sources");
        assert_close(&[sources.logit], &[heads.logit], LOGIT, "the same logit");
        for (layer, head, values) in sources.heads() {
            assert_eq!(sources.head(layer, head), Some(values));
            let expected = by_component(&heads.contributions, Component::Head { layer, head });
            assert_close(&[values.iter().sum()], &[expected], LOGIT, "a head's sources");
        }
        assert_eq!(sources.heads().count(), N_LAYERS * N_HEADS);
        assert_eq!((sources.head(N_LAYERS, 0), sources.head(0, N_HEADS)), (None, None));
        let of_heads: f32 = sources.heads().flat_map(|it| it.2).sum();
        assert_close(&[sources.sources().iter().sum()], &[of_heads], LOGIT, "all sources");

        let n_top = 5;
        let spec = neuron_attribution::Spec { n_top, listing: Listing::Overall };
        let neurons: NeuronAttribution = found!(engine, &prompt, NeuronAttribution(spec));
        assert_close(&[neurons.sum()], &[neurons.logit], LOGIT, "neurons");
        assert_close(&[neurons.logit], &[heads.logit], LOGIT, "the same logit");
        let spec = neuron_attribution::Spec { n_top, listing: Listing::PerLayer };
        let per_layer: NeuronAttribution = found!(engine, &prompt, NeuronAttribution(spec));
        assert_eq!(per_layer.top.len(), N_LAYERS * n_top);
        // The largest of all are among the largest of their layers, in order.
        assert!(neurons.top.is_sorted_by(|a, b| a.logit.abs() >= b.logit.abs()));
        assert!(neurons.top.iter().all(|it| per_layer.top.contains(it)));
        // With every neuron listed, a layer's list is its sum.
        let spec = neuron_attribution::Spec { n_top: usize::MAX, listing: Listing::PerLayer };
        let all: NeuronAttribution = found!(engine, &prompt, NeuronAttribution(spec));
        for (layer, expected) in all.layers.iter().enumerate() {
            let of_layer = all.top.iter().filter(|it| it.layer == layer).map(|it| it.logit);
            assert_close(&[of_layer.sum()], &[*expected], LOGIT, "a layer's neurons");
        }
    }
}

#[test]
fn what_goes_through_a_head_is_what_the_head_writes() {
    let engine = engine("tiny");
    let prompt = paris_or(3);
    let heads =
        found!(engine, &prompt, LogitAttribution(logit_attribution::Spec { by: Parts::Heads }));
    for (layer, head) in [(0, 0), (1, 3), (3, 2)] {
        let expected = by_component(&heads.contributions, Component::Head { layer, head });
        let mut of_layers = Vec::new();
        for by in [Parts::Layers, Parts::Heads] {
            let spec = through_head::Spec { layer, head, by };
            let found: ThroughHead = found!(engine, &prompt, ThroughHead(spec));
            assert_close(&[found.logit], &[expected], LOGIT, "the head");
            assert_close(&[found.sum()], &[expected], LOGIT, "its parts");
            let nth = found.components.iter().position(|it| *it == Component::Embed).unwrap();
            of_layers.push(found.weighted(nth));
        }
        assert_close(&of_layers[..1], &of_layers[1..], 1e-6, "embeddings are embeddings");
    }
}

#[test]
fn the_logit_builds_up_by_what_layers_add() {
    let engine = engine("tiny");
    for foil in [None, Some(3)] {
        let prompt = foil.map_or_else(paris, paris_or);
        let last = prompt.last();
        let layers = found!(
            engine,
            &prompt,
            LogitAttribution(logit_attribution::Spec { by: Parts::Layers })
        );
        let spec = accumulated_resid::Spec { scale: LensScale::Final };
        let states: AccumulatedResid = found!(engine, &prompt, AccumulatedResid(spec));
        assert_eq!(states.labels.len(), 2 * N_LAYERS + 1);
        let at = |state: usize| *states.logits.get(state, last).unwrap();
        for layer in 0..N_LAYERS {
            for (state, part) in
                [(2 * layer, Component::AttnOut(layer)), (2 * layer + 1, Component::MlpOut(layer))]
            {
                let expected = by_component(&layers.contributions, part);
                assert_close(&[at(state + 1) - at(state)], &[expected], LOGIT, "what is added");
            }
        }
        assert_close(&[at(2 * N_LAYERS)], &[layers.logit], LOGIT, "the end");
        // At the last state both scales are one.
        let spec = accumulated_resid::Spec { scale: LensScale::Own };
        let own: AccumulatedResid = found!(engine, &prompt, AccumulatedResid(spec));
        let of = |it: &AccumulatedResid, row: usize| it.logits.rows().nth(row).unwrap().to_vec();
        let n = 2 * N_LAYERS;
        assert_close(&of(&own, n), &of(&states, n), LOGIT, "the last state");
        assert_far(&of(&own, 1), &of(&states, 1), "an early state");
    }
}

#[test]
fn both_lenses_end_at_the_model_and_list_the_likeliest() {
    let engine = engine("tiny");
    let prompt = paris();
    let lens = |scale: LensScale, n_top: usize| {
        found!(engine, &prompt, LogitLens(logit_lens::Spec { scale, n_top }))
    };
    let (own, last) = (lens(LensScale::Own, 3), lens(LensScale::Final, 3));
    let probs = |it: &logit_lens::LogitLens, layer: usize| -> Vec<f32> {
        it.cells.rows().nth(layer).unwrap().iter().map(|cell| cell.answer_prob).collect()
    };
    let end = N_LAYERS - 1;
    assert_close(&probs(&own, end), &probs(&last, end), 1e-6, "the last layer");
    for it in [&own, &last] {
        for (cell, top) in it.cells.values().iter().zip(it.top.values()) {
            assert_eq!(top.len(), 3);
            assert!(top.is_sorted_by(|a, b| a.prob >= b.prob));
            assert_eq!(cell.top_token, top[0].id);
            assert!((cell.top_prob - top[0].prob).abs() < 1e-6);
        }
    }
    assert_ne!(own.cells, last.cells);
    assert!(lens(LensScale::Own, 0).top.values().iter().all(Vec::is_empty));
}

#[test]
fn norms_are_those_of_the_activations() {
    let engine = engine("tiny");
    let prompt = paris();
    let norms: ResidualNorms = found!(engine, &prompt, ResidualNorms(residual_norms::Spec));
    let model = load(&fixture("tiny"));
    let cache = model.run_clean(&prompt.ids, &gpt2_sites(N_LAYERS)).cache;
    let of = |site: Site| -> Vec<f32> {
        let values = cache.activation(site).values;
        let norm = |row: &[f32]| row.iter().map(|it| it * it).sum::<f32>().sqrt();
        values.chunks(model.config.d_model).map(norm).collect()
    };
    assert_close(&norms.embed, &of(Site::Embed), LOGIT, "embed");
    assert_close(&norms.pos_embed, &of(Site::PosEmbed), LOGIT, "pos_embed");
    for layer in 0..N_LAYERS {
        for (grid, site) in [
            (&norms.resid_pre, Site::ResidPre(layer)),
            (&norms.attn_out, Site::AttnOut(layer)),
            (&norms.resid_mid, Site::ResidMid(layer)),
            (&norms.mlp_out, Site::MlpOut(layer)),
            (&norms.resid_post, Site::ResidPost(layer)),
        ] {
            assert_close(grid.rows().nth(layer).unwrap(), &of(site), LOGIT, "a site");
        }
    }
}

// Attention

#[test]
fn rolled_out_attention_is_attention_and_weights_keep_zeros() {
    let engine = engine("tiny");
    let prompt = paris();
    let n_pos = prompt.n_pos();
    let show = |weighting: Weighting, layers: std::ops::Range<usize>| {
        found!(engine, &prompt, Attention(attention::Spec { layers, head: None, weighting }))
    };
    let rolled = show(Weighting::Rollout, 0..N_LAYERS);
    assert_eq!((rolled.n_heads, rolled.pattern(0, 1)), (1, None));
    for layer in 0..N_LAYERS {
        for (query, row) in rolled.pattern(layer, 0).unwrap().chunks(n_pos).enumerate() {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            assert!(row[query + 1..].iter().all(|it| *it == 0.0));
        }
    }
    // A single layer is cut out of the whole.
    let one = show(Weighting::Rollout, 2..3);
    assert_eq!(one.pattern(2, 0), rolled.pattern(2, 0));

    let plain = show(Weighting::Pattern, 1..2);
    for weighting in [Weighting::ValueWeighted, Weighting::NormBased] {
        let weighted = show(weighting, 1..2);
        for head in 0..N_HEADS {
            let (plain, weighted) =
                (plain.pattern(1, head).unwrap(), weighted.pattern(1, head).unwrap());
            // One size per key, the same for all queries.
            for key in 0..n_pos {
                let size =
                    |query: usize| weighted[query * n_pos + key] / plain[query * n_pos + key];
                assert!((key + 1..n_pos).all(|it| (size(it) / size(key) - 1.0).abs() < 1e-4));
            }
            assert!(plain.iter().zip(weighted).all(|(a, b)| (*a == 0.0) == (*b == 0.0)));
        }
    }
}

#[test]
fn heads_are_scored_by_where_they_look() {
    let engine = engine("tiny");
    let spec = head_scores::Spec { n_random: 6, n_sequences: 2, seed: 4 };
    let score = |prompt: &TokenizedPrompt, spec| -> HeadSummary {
        found!(engine, prompt, HeadScores(spec))
    };
    let none = score(&paris(), spec);
    let twice = score(&rome(), spec);
    assert_eq!(none.heads.values().len(), N_LAYERS * N_HEADS);
    for (none, twice) in none.heads.values().iter().zip(twice.heads.values()) {
        assert_eq!((none.duplicate_token, none.induction), (None, None));
        let scores = [
            none.previous_token,
            none.first_token,
            none.subject,
            twice.duplicate_token,
            twice.induction,
            Some(none.random_duplicate_token),
            Some(none.random_induction),
            Some(none.random_previous_token),
        ];
        assert!(scores.iter().all(|it| (0.0..=1.0).contains(&it.unwrap())), "{none:?}");
        let n_pos = paris().n_pos() as f32;
        assert!((0.0..=n_pos.ln() + 1e-5).contains(&none.entropy));
        // The random tokens do not depend on the prompt.
        assert_eq!(none.random_induction, twice.random_induction);
    }
    for ids in &none.random_ids {
        assert_eq!(ids.len(), 12);
        assert_eq!(ids[..6], ids[6..]);
    }
    assert_ne!(none.random_ids[0], none.random_ids[1]);
    assert_ne!(score(&rome(), head_scores::Spec { seed: 5, ..spec }).random_ids, none.random_ids);

    // Of two tokens, the first is the previous one.
    let mut two = paris();
    two.ids.truncate(2);
    two.pieces.truncate(2);
    two.subject = None;
    for it in score(&two, spec).heads.values() {
        assert_eq!(it.previous_token, it.first_token);
    }
    let mut one = two;
    one.ids.truncate(1);
    one.pieces.truncate(1);
    for it in score(&one, spec).heads.values() {
        assert_eq!((it.previous_token, it.entropy), (None, 0.0));
    }
}

#[test]
fn contributions_to_a_place_add_up_to_one() {
    let engine = engine("tiny");
    let prompt = paris();
    let n_pos = prompt.n_pos();
    let graph = |threshold, edges, weights, pos| -> ContributionGraph {
        let spec = contribution_graph::Spec { threshold, edges, weights, pos };
        found!(engine, &prompt, ContributionGraph(spec))
    };
    let all = graph(0.0, AttentionEdges::PerHead, Weights::Shares, None);
    // Per layer: a residual edge and the heads' for each pair of positions, and three of the MLP.
    let n_pairs = n_pos * (n_pos + 1) / 2;
    let n_before = (N_LAYERS - 1) * (n_pos * 4 + n_pairs * N_HEADS);
    assert_eq!(all.n_edges, n_before + n_pos * 4 + n_pairs * N_HEADS);
    // In the last layer nothing but the last token is on the way.
    assert_eq!(all.edges.len(), n_before + 4 + n_pos * N_HEADS);
    assert_eq!(all.nodes.len(), n_pos + 3 * (N_LAYERS - 1) * n_pos + 3);
    let into = |graph: &ContributionGraph, node: Node| -> f32 {
        graph.edges.iter().filter(|it| it.to == node).map(|it| it.weight).sum()
    };
    let is_stream = |node: &Node| matches!(node, Node::ResidMid { .. } | Node::ResidPost { .. });
    for node in all.nodes.iter().copied().filter(is_stream) {
        assert!((into(&all, node) - 1.0).abs() < 1e-5, "{node:?}");
    }
    let by_token = graph(0.0, AttentionEdges::PerToken, Weights::Shares, None);
    for edge in by_token.edges.iter().filter(|it| it.via == Via::Attention) {
        let same = all.edges.iter().filter(|it| {
            (it.from, it.to) == (edge.from, edge.to) && matches!(it.via, Via::Head(_))
        });
        assert!((same.map(|it| it.weight).sum::<f32>() - edge.weight).abs() < 1e-5);
    }
    let few = graph(0.05, AttentionEdges::PerHead, Weights::Shares, None);
    assert!(!few.edges.is_empty() && few.edges.len() < all.edges.len());
    assert!(few.edges.iter().all(|it| it.weight > 0.05 && all.edges.contains(it)));
    assert!(few.edges.iter().all(|it| few.nodes.contains(&it.from) && few.nodes.contains(&it.to)));
    let again = graph(0.05, AttentionEdges::PerHead, Weights::Renormalized, None);
    for node in again.nodes.iter().copied().filter(is_stream) {
        assert!((into(&again, node) - 1.0).abs() < 1e-5, "{node:?}");
    }
    // What explains an earlier token never comes from later ones.
    let first = graph(0.0, AttentionEdges::PerHead, Weights::Shares, Some(0));
    assert_eq!(first.root, Node::ResidPost { layer: N_LAYERS - 1, pos: 0 });
    assert_eq!(first.nodes.len(), 1 + 3 * N_LAYERS);
}

// What cannot be done

pub fn all_specs() -> Vec<AnalysisSpec> {
    let second = SecondRun::Prompt { ids: [5, 6].into() };
    vec![
        AnalysisSpec::NeuronAttribution(neuron_attribution::Spec {
            n_top: 3,
            listing: Listing::Overall,
        }),
        AnalysisSpec::SourceAttribution(source_attribution::Spec),
        AnalysisSpec::AttributionDifference(attribution_difference::Spec {
            by: Parts::Layers,
            second,
            scale_of: ScaleOf::Clean,
            n_top: None,
        }),
        AnalysisSpec::ThroughHead(through_head::Spec { layer: 1, head: 1, by: Parts::Heads }),
        AnalysisSpec::AccumulatedResid(accumulated_resid::Spec::default()),
        AnalysisSpec::ResidualNorms(residual_norms::Spec),
        AnalysisSpec::ContributionGraph(contribution_graph::Spec {
            threshold: 0.1,
            edges: AttentionEdges::PerHead,
            weights: Weights::Shares,
            pos: None,
        }),
        AnalysisSpec::HeadScores(head_scores::Spec { n_random: 4, n_sequences: 1, seed: 1 }),
        AnalysisSpec::Circuit(circuit::Spec {
            layer: 0,
            head: 0,
            circuit: Circuit::Ov,
            n_vectors: 1,
            n_tokens: 1,
            processing: Processing::of_transformer_lens(),
        }),
        AnalysisSpec::Composition(composition::Spec {
            modes: vec![Mode::Q],
            n_top: 1,
            processing: Processing::default(),
        }),
    ]
}

#[test]
fn a_cancelled_method_says_so_and_a_spec_can_be_stored() {
    let engine = engine("tiny");
    for spec in all_specs() {
        let ctx = AnalysisCtx::unwatched();
        ctx.task.cancel.cancel();
        let result = engine.run(&paris(), &spec, &ctx);
        assert_eq!(result, Err(AnalysisError::Cancelled(Cancelled)), "{spec:?}");
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<AnalysisSpec>(&text).unwrap(), spec, "{text}");
    }
}

#[test]
fn what_is_not_there_is_an_error() {
    let engine = engine("tiny");
    let error = |prompt: &TokenizedPrompt, spec: &AnalysisSpec| {
        engine.run(prompt, spec, &AnalysisCtx::unwatched()).unwrap_err()
    };
    for spec in &all_specs()[..8] {
        let mut unknown = paris();
        unknown.ids[3] = 657;
        let expected = AnalysisError::UnknownToken { id: 657, d_vocab: 657 };
        assert_eq!(error(&unknown, spec), expected, "{spec:?}");
        let mut long = paris();
        long.ids = vec![1; 65];
        assert_eq!(error(&long, spec), AnalysisError::TooLong { n_pos: 65, n_ctx: 64 });
    }
    for spec in &all_specs()[..5] {
        let mut prompt = paris();
        prompt.foil = Some(answer_of(&[700]));
        let expected = AnalysisError::UnknownToken { id: 700, d_vocab: 657 };
        assert_eq!(error(&prompt, spec), expected, "{spec:?}");
    }
    check_ranges(&engine);

    let random = |n_random, n_sequences| {
        let spec = head_scores::Spec { n_random, n_sequences, seed: 1 };
        error(&paris(), &AnalysisSpec::HeadScores(spec))
    };
    assert_eq!(random(33, 1), AnalysisError::TooLong { n_pos: 66, n_ctx: 64 });
    assert!(matches!(random(0, 1), AnalysisError::Zero { .. }));
    assert!(matches!(random(1, 0), AnalysisError::Zero { .. }));
    let none = composition::Spec { modes: vec![], n_top: 1, processing: Processing::default() };
    let none = error(&paris(), &AnalysisSpec::Composition(none));
    assert!(matches!(none, AnalysisError::Zero { .. }));
}

fn check_ranges(engine: &Engine) {
    let error =
        |spec: AnalysisSpec| engine.run(&paris(), &spec, &AnalysisCtx::unwatched()).unwrap_err();
    for weighting in [Weighting::Pattern, Weighting::Rollout] {
        let backwards = Range { start: 3, end: 1 };
        let spec = attention::Spec { layers: backwards, head: None, weighting };
        let wrong = error(AnalysisSpec::Attention(spec));
        assert!(matches!(wrong, AnalysisError::OutOfBounds { .. }), "{wrong:?}");
    }
    let through = |layer, head| {
        error(AnalysisSpec::ThroughHead(through_head::Spec { layer, head, by: Parts::Layers }))
    };
    let circuit = |layer, head| {
        error(AnalysisSpec::Circuit(circuit::Spec {
            layer,
            head,
            circuit: Circuit::Qk,
            n_vectors: 1,
            n_tokens: 1,
            processing: Processing::default(),
        }))
    };
    for wrong in [through(4, 0), circuit(4, 0)] {
        assert_eq!(wrong, AnalysisError::OutOfRange { what: "layer", index: 4, n: 4 });
    }
    for wrong in [through(0, 9), circuit(3, 9)] {
        assert_eq!(wrong, AnalysisError::OutOfRange { what: "head", index: 9, n: 4 });
    }
    let n_pos = paris().n_pos();
    let graph = contribution_graph::Spec {
        threshold: 0.0,
        edges: AttentionEdges::PerHead,
        weights: Weights::Shares,
        pos: Some(n_pos),
    };
    let wrong = error(AnalysisSpec::ContributionGraph(graph));
    assert_eq!(wrong, AnalysisError::NoPosition { pos: n_pos, n_pos });
}
