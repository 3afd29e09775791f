//! Laws of the effects of edges that are estimated from gradients, which hold for any weights.

use factscope::analysis::atp_star::{self, Node};
use factscope::analysis::attribution_patching::{BasePoint, Windows};
use factscope::analysis::causal_trace::Component;
use factscope::analysis::edge_attribution::{self, EdgeAttribution, EdgeBase, n_edges};
use factscope::analysis::{
    AnalysisCtx, AnalysisResult, AnalysisSpec, Contrast, Method as _, Metric, Sender,
};
use factscope::model::{ModelConfig, Transformer, Wiring};
use factscope::tokens::TokenizedPrompt;

use super::estimates::{N_HEADS, N_LAYERS, analyse, largest, noise, other_of, windowed};
use super::support::{assert_close, fixture, lab, load, paris_or, seine};

pub(super) fn edges(
    prompt: &TokenizedPrompt,
    contrast: Contrast,
    metric: Metric,
    base: EdgeBase,
    n_edges: usize,
    n_verified: usize,
) -> EdgeAttribution {
    let spec = edge_attribution::Spec { contrast, metric, base, n_edges, n_verified };
    match analyse(prompt, &AnalysisSpec::EdgeAttribution(spec)) {
        AnalysisResult::EdgeAttribution(found) => found,
        other => panic!("{other:?}"),
    }
}

#[test]
fn gpt2_large_has_as_many_edges_as_in_eap_ig() {
    assert_eq!(n_edges(&ModelConfig::LARGE), 810_703);
    assert_eq!(n_edges(&ModelConfig::SMALL), 32_491);
}

/// What leaves a part adds up to what the part does: the score of an output is along its gradient.
#[test]
fn edges_add_up_to_their_senders_and_these_are_attributions() {
    check_edges(&load(&fixture("tiny")), "tiny");
}

pub fn check_edges(model: &Transformer, name: &str) {
    for (prompt, contrast) in [(paris_or(12), other_of(&paris_or(12))), (seine(), noise(1.5, 3))] {
        let metric = Metric::Prob;
        let ctx = AnalysisCtx::unwatched();
        let lab = lab(model, &prompt, &ctx);
        let all = edge_attribution::Spec {
            contrast: contrast.clone(),
            metric,
            base: EdgeBase::Clean,
            n_edges: usize::MAX,
            n_verified: 0,
        };
        let all = all.run(&lab).expect("it makes sense");
        assert_eq!(all.edges.len(), all.n_edges, "{name}");
        let sum_of = |sender: Sender| -> f32 {
            all.edges.iter().filter(|it| it.from == sender).map(|it| it.score).sum()
        };
        let scale =
            all.heads.values().iter().chain(&all.mlps).fold(0.0, |a: f32, b| a.max(b.abs()));
        let plain = atp_star::Spec { contrast, metric, n_verified: 0 };
        let plain = plain.run(&lab).expect("it makes sense");
        let what = |part: &str| format!("{name}, {part}");
        let over_positions = |node, layer, head| -> f32 {
            let at = |pos| plain.effect(node, layer, pos, head).unwrap().plain;
            (0..prompt.n_pos()).map(at).sum()
        };
        for (layer, heads) in all.heads.rows().enumerate() {
            for (head, &score) in heads.iter().enumerate() {
                let sum = sum_of(Sender::Head { layer, head });
                assert_close(&[sum], &[score], 1e-4 * scale, &what("edges of a head"));
                let z = over_positions(Node::Z, layer, head);
                assert_close(&[score], &[z], 1e-4 * scale, &what("a head"));
            }
            let score = all.mlps[layer];
            assert_close(
                &[sum_of(Sender::Mlp { layer })],
                &[score],
                1e-4 * scale,
                &what("edges of an MLP"),
            );
            let mlp = over_positions(Node::Mlp, layer, 0);
            assert_close(&[score], &[mlp], 1e-4 * scale, &what("an MLP"));
        }
        assert_close(&[sum_of(Sender::Embed)], &[all.embed], 1e-3 * all.embed.abs(), name);
    }
}

#[test]
fn the_first_edges_are_the_largest() {
    let of = |n| {
        edges(&paris_or(12), other_of(&paris_or(12)), Metric::Logit, EdgeBase::Clean, n, 0).edges
    };
    let all = of(usize::MAX);
    assert!(all.is_sorted_by(|a, b| a.score.abs() >= b.score.abs()));
    for it in &all {
        assert!(
            it.from.reaches(it.to.site(N_LAYERS), Wiring::Sequential),
            "{} to {}",
            it.from,
            it.to
        );
    }
    assert_eq!(of(17), all[..17]);
}

/// With one step the gradient is that of the corrupted run, where restoring starts from.
#[test]
fn one_step_is_the_attribution_at_the_corrupted_run() {
    let found =
        edges(&paris_or(12), noise(1.5, 2), Metric::Logit, EdgeBase::Between { n_steps: 1 }, 1, 0);
    let restored =
        windowed(&load(&fixture("tiny")), Component::Mlp, 1, BasePoint::Corrupted, Windows::Added);
    let scale = largest(found.heads.values());
    for layer in 0..N_LAYERS {
        let mlps = restored.effects.rows().nth(layer).unwrap().iter();
        let sum: f32 = mlps.map(|draws| draws.iter().sum::<f32>() / 2.0).sum();
        assert_close(&[found.mlps[layer]], &[-sum], 1e-4 * scale, "MLP");
        for head in 0..N_HEADS {
            let sum: f32 = restored.heads.iter().map(|it| it.get(layer, head).unwrap()).sum();
            let score = *found.heads.get(layer, head).unwrap();
            assert_close(&[score], &[-sum], 1e-4 * scale, "head");
        }
    }
}

/// The mean slope between two runs is the whole way (Sundararajan et al. 2017, completeness).
#[test]
fn with_many_steps_the_embeddings_explain_everything() {
    for (contrast, metric) in [
        (other_of(&paris_or(12)), Metric::LogitDiff),
        (noise(0.7, 2), Metric::LogProb),
        (noise(0.7, 1), Metric::Prob),
    ] {
        let off = |n_steps: usize| {
            let base = EdgeBase::Between { n_steps };
            let found = edges(&paris_or(12), contrast.clone(), metric, base, 1, 0);
            let clean = found.runs.clean.get(metric).unwrap();
            let corrupted: f32 =
                found.runs.corrupted.iter().map(|it| it.get(metric).unwrap()).sum();
            let whole = corrupted / found.runs.corrupted.len() as f32 - clean;
            ((found.embed - whole) / whole).abs()
        };
        let few = off(40);
        let many = off(400);
        assert!(many < 0.03 && many < few.max(0.01), "{metric:?}: off by {many} after {few}");
    }
}

#[test]
fn edges_that_are_corrupted_a_little_do_what_was_estimated() {
    for base in [EdgeBase::Clean, EdgeBase::Between { n_steps: 3 }] {
        let found = edges(&paris_or(12), noise(0.003, 2), Metric::LogitDiff, base, 60, 60);
        assert_eq!(found.verified.len(), 60);
        let scores: Vec<f32> = found.edges.iter().map(|it| it.score).collect();
        let tolerance = 0.05 * largest(&scores) + 2e-5;
        assert_close(&found.verified, &scores, tolerance, "patched for real");
        let kinds = |it: &edge_attribution::Edge| it.to.to_string();
        let to: Vec<String> = found.edges.iter().map(kinds).collect();
        for kind in ["logits", "MLP", ".v"] {
            assert!(to.iter().any(|it| it.contains(kind)), "{kind} is not among {to:?}");
        }
        assert!(found.agreement.unwrap().pearson.unwrap() > 0.99);
    }
}
