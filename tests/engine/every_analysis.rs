//! One result of every analysis and of every form of map, for the tests that walk through all.

use factscope::analysis::causal_trace::{
    self, Component, Corruption, Direction, Map as Cells, NoiseLevel, Severed,
};
use factscope::analysis::logit_attribution::Parts;
use factscope::analysis::{
    AnalysisCtx, AnalysisResult, AnalysisSpec, Contrast, Metric, Pair, Positions, ablation,
    accumulated_resid, activation_patching, atp_star, attention, attention_knockout,
    attribution_difference, attribution_patching, circuit, comparison, composition,
    contribution_graph, corruption_bench, edge_attribution, edge_cut, generation, head_scores,
    logit_attribution, logit_lens, neuron_ablation, neuron_attribution, path_patching, prediction,
    rank_one_edit, residual_norms, source_attribution, steering, through_head, trace_average,
    trace_cell,
};
use factscope::tokens::TokenizedPrompt;
use factscope::worker::{Engine, Processing};

use crate::support::{prompt, trace_spec};

pub fn trace() -> causal_trace::Spec {
    let noise = NoiseLevel::Std(0.3);
    causal_trace::Spec { noise, ..trace_spec(Component::Hidden, 2, 2) }
}

fn edit(prompt: &TokenizedPrompt) -> rank_one_edit::Spec {
    let subject_last = prompt.subject.as_ref().unwrap().end - 1;
    rank_one_edit::Spec {
        layer: 1,
        target: prompt.answer.clone().unwrap(),
        contexts: vec![rank_one_edit::Context { ids: prompt.ids.clone(), subject_last }],
        essence: None,
        descent: rank_one_edit::Descent { n_steps: 2, ..Default::default() },
        covariance: rank_one_edit::Covariance::Identity,
        asked: vec![rank_one_edit::Asked {
            kind: rank_one_edit::PromptKind::Prompt,
            prompt: prompt.clone(),
        }],
    }
}

fn cell(trace: causal_trace::Spec) -> AnalysisSpec {
    AnalysisSpec::TraceCell(trace_cell::Spec { trace, pos: 2, layer: 1, n_top: 4 })
}

/// With a fact that is not known, one that is, and one that cannot be traced; and with none at all.
fn averages(prompt: &TokenizedPrompt) -> [AnalysisSpec; 2] {
    let asked = |prompt| trace_average::AskedFact { prompt, right: Vec::new(), corruption: None };
    let guess = TokenizedPrompt { answer: None, ..prompt.clone() };
    let unmarked = TokenizedPrompt { subject: None, ..prompt.clone() };
    let facts = [prompt.clone(), guess, unmarked].map(asked);
    let average = |facts| trace_average::Spec {
        trace: trace(),
        components: vec![Component::Hidden, Component::Mlp],
        facts,
        kept: trace_average::Kept::All,
        draws: trace_average::FactDraws::Anew,
        left_out: [trace_average::LeftOut {
            prompt: "x".to_owned(),
            cause: trace_average::Cause::NotTraced,
            reason: "y".to_owned(),
        }]
        .into(),
        sample: None,
    };
    [average(facts.into()), average([].into())].map(AnalysisSpec::TraceAverage)
}

/// Every analysis, and every form of map that it has.
#[expect(clippy::too_many_lines, reason = "one of each analysis")]
pub fn specs(prompt: &TokenizedPrompt) -> Vec<AnalysisSpec> {
    let heads = Cells::Heads { at: Positions::All };
    let widths = Cells::Together { at: Positions::Subject, widths: vec![1, 2, 4] };
    let attn = |map| causal_trace::Spec { component: Component::Attn, map, ..trace() };
    let severed = causal_trace::Spec {
        component: Component::Mlp,
        sever: Some(Severed::Attn),
        direction: Direction::Noise,
        ..trace()
    };
    let random = causal_trace::Spec { corruption: Corruption::RandomTokens, ..trace() };
    let ablation = |part| ablation::Spec {
        part,
        positions: Positions::All,
        replacement: ablation::Replacement::Zero,
        together: None,
    };
    let compared = |map| {
        AnalysisSpec::Comparison(comparison::Spec {
            second: comparison::Second::Inverse,
            mapped: comparison::Mapped::Prompts,
            inverse: prompt.clone(),
            right: [vec![], vec![]],
            map,
            n_top: 2,
            n_permutations: 9,
            seed: 1,
        })
    };
    let metric = Metric::Logit;
    let mut specs = of_parts(prompt);
    specs.extend(averages(prompt));
    specs.extend([
        AnalysisSpec::Prediction(prediction::Spec { n_top: 5 }),
        AnalysisSpec::CausalTrace(trace()),
        AnalysisSpec::CausalTrace(attn(heads)),
        AnalysisSpec::CausalTrace(attn(widths)),
        AnalysisSpec::CausalTrace(severed.clone()),
        cell(severed),
        cell(random.clone()),
        cell(trace()),
        AnalysisSpec::CausalTrace(random),
        AnalysisSpec::CorruptionBench(corruption_bench::Spec {
            trace: trace(),
            corruptions: [Corruption::Zero, Corruption::RandomTokens]
                .map(|corruption| corruption_bench::Entry {
                    name: format!("{corruption:?}"),
                    corruption,
                    n_samples: 1,
                })
                .into(),
            windows: vec![1],
            left_out: vec![corruption_bench::LeftOut {
                name: "others".to_owned(),
                reason: "there are none".to_owned(),
            }],
        }),
        AnalysisSpec::AttributionPatching(attribution_patching::Spec {
            trace: trace(),
            base: attribution_patching::BasePoint::Clean,
            metric,
            windows: attribution_patching::Windows::Added,
            n_verified: 3,
        }),
        AnalysisSpec::LogitAttribution(logit_attribution::Spec { by: Parts::Layers }),
        AnalysisSpec::LogitAttribution(logit_attribution::Spec { by: Parts::Heads }),
        AnalysisSpec::LogitLens(logit_lens::Spec { n_top: 2, ..Default::default() }),
        AnalysisSpec::Attention(attention::Spec::all_heads(0..2)),
        AnalysisSpec::Attention(attention::Spec {
            layers: 1..2,
            head: Some(1),
            weighting: attention::Weighting::NormBased,
        }),
        AnalysisSpec::Attention(attention::Spec {
            layers: 0..2,
            head: None,
            weighting: attention::Weighting::Rollout,
        }),
        AnalysisSpec::Ablation(ablation(ablation::Part::Heads)),
        AnalysisSpec::Ablation(ablation(ablation::Part::Mlp)),
        AnalysisSpec::NeuronAblation(neuron_ablation::Spec {
            n_top: 5,
            layers: Vec::new(),
            metric,
            positions: Positions::All,
            replacement: ablation::Replacement::Zero,
        }),
        AnalysisSpec::AttentionKnockout(attention_knockout::Spec {
            edges: attention_knockout::Edges::to_last(),
            window: 1,
        }),
        AnalysisSpec::EdgeCut(edge_cut::Spec::of([edge_cut::Edge { query: 2, key: 0 }], 0..2)),
        compared(comparison::MapSpec::Trace { spec: trace(), metric }),
        compared(comparison::MapSpec::Ablation { spec: ablation(ablation::Part::Mlp), metric }),
        compared(comparison::MapSpec::Attribution),
        AnalysisSpec::Generation(generation::Spec {
            n_tokens: 3,
            choice: generation::Choice::Greedy,
            end: None,
        }),
        AnalysisSpec::RankOneEdit(edit(prompt)),
        AnalysisSpec::Steering(steering::Spec {
            direction: steering::Direction::Tokens { plus: 5, minus: None },
            layer: 1,
            positions: Positions::Last,
            scale: 1.0,
            n_top: 3,
            asked: Vec::new(),
        }),
    ]);
    specs
}

/// Analyses that take parts of a model, or its weights, apart.
fn of_parts(prompt: &TokenizedPrompt) -> Vec<AnalysisSpec> {
    let contrast = Contrast::Subject(causal_trace::Spec { n_samples: 1, ..trace() }.draws());
    let pairs = Pair::by_role(prompt, prompt);
    let patched = |part, places| {
        AnalysisSpec::ActivationPatching(activation_patching::Spec {
            donor: prompt.clone().into(),
            pairs: pairs.clone(),
            places,
            part,
            window: 1,
        })
    };
    let difference = |by| {
        AnalysisSpec::AttributionDifference(attribution_difference::Spec {
            by,
            second: attribution_difference::SecondRun::Prompt { ids: [5, 6].into() },
            scale_of: attribution_difference::ScaleOf::Clean,
            n_top: None,
        })
    };
    let circuit = |circuit| {
        AnalysisSpec::Circuit(circuit::Spec {
            layer: 1,
            head: 1,
            circuit,
            n_vectors: 2,
            n_tokens: 3,
            processing: Processing::default(),
        })
    };
    let metric = Metric::Logit;
    vec![
        patched(activation_patching::Part::Heads, activation_patching::Places::Together),
        patched(activation_patching::Part::Mlp, activation_patching::Places::Each),
        AnalysisSpec::PathPatching(path_patching::Spec {
            donor: prompt.clone().into(),
            pairs: pairs.clone(),
            receivers: vec!["MLP1".parse().unwrap()],
            receiver_positions: Positions::Last,
            between: path_patching::Between::Frozen,
        }),
        AnalysisSpec::AtpStar(atp_star::Spec { contrast: contrast.clone(), metric, n_verified: 3 }),
        AnalysisSpec::EdgeAttribution(edge_attribution::Spec {
            contrast,
            metric,
            base: edge_attribution::EdgeBase::Clean,
            n_edges: 5,
            n_verified: 3,
        }),
        AnalysisSpec::NeuronAttribution(neuron_attribution::Spec {
            n_top: 3,
            listing: neuron_attribution::Listing::PerLayer,
        }),
        AnalysisSpec::SourceAttribution(source_attribution::Spec),
        difference(Parts::Layers),
        difference(Parts::Heads),
        AnalysisSpec::AttributionDifference(attribution_difference::Spec {
            by: Parts::Heads,
            second: attribution_difference::SecondRun::Subject(trace().draws()),
            scale_of: attribution_difference::ScaleOf::Corrupted,
            n_top: None,
        }),
        AnalysisSpec::AttributionDifference(attribution_difference::Spec {
            by: Parts::Layers,
            second: attribution_difference::SecondRun::Subject(trace().draws()),
            scale_of: attribution_difference::ScaleOf::Clean,
            n_top: Some(3),
        }),
        AnalysisSpec::ThroughHead(through_head::Spec { layer: 1, head: 0, by: Parts::Heads }),
        AnalysisSpec::ResidualNorms(residual_norms::Spec),
        AnalysisSpec::AccumulatedResid(accumulated_resid::Spec::default()),
        AnalysisSpec::ContributionGraph(contribution_graph::Spec {
            threshold: 0.01,
            edges: contribution_graph::AttentionEdges::PerHead,
            weights: contribution_graph::Weights::Shares,
            pos: None,
        }),
        AnalysisSpec::HeadScores(head_scores::Spec { n_random: 4, n_sequences: 1, seed: 1 }),
        circuit(circuit::Circuit::Ov),
        circuit(circuit::Circuit::Qk),
        AnalysisSpec::Composition(composition::Spec {
            modes: vec![composition::Mode::Q, composition::Mode::V],
            n_top: 3,
            processing: Processing::default(),
        }),
    ]
}

/// A new analysis belongs in the lists above.
pub fn is_listed(result: &AnalysisResult) {
    match result {
        AnalysisResult::Prediction(_)
        | AnalysisResult::CausalTrace(_)
        | AnalysisResult::TraceCell(_)
        | AnalysisResult::TraceAverage(_)
        | AnalysisResult::AttributionPatching(_)
        | AnalysisResult::LogitAttribution(_)
        | AnalysisResult::LogitLens(_)
        | AnalysisResult::Attention(_)
        | AnalysisResult::Ablation(_)
        | AnalysisResult::AttentionKnockout(_)
        | AnalysisResult::EdgeCut(_)
        | AnalysisResult::Comparison(_)
        | AnalysisResult::Generation(_)
        | AnalysisResult::RankOneEdit(_)
        | AnalysisResult::Steering(_)
        | AnalysisResult::NeuronAttribution(_)
        | AnalysisResult::SourceAttribution(_)
        | AnalysisResult::AttributionDifference(_)
        | AnalysisResult::ThroughHead(_)
        | AnalysisResult::ResidualNorms(_)
        | AnalysisResult::AccumulatedResid(_)
        | AnalysisResult::ContributionGraph(_)
        | AnalysisResult::HeadScores(_)
        | AnalysisResult::CorruptionBench(_)
        | AnalysisResult::Circuit(_)
        | AnalysisResult::Composition(_)
        | AnalysisResult::ActivationPatching(_)
        | AnalysisResult::PathPatching(_)
        | AnalysisResult::AtpStar(_)
        | AnalysisResult::EdgeAttribution(_)
        | AnalysisResult::NeuronAblation(_) => {}
    }
}

/// Of every analysis, in every form of map that it has.
pub fn results(engine: &Engine) -> Vec<AnalysisResult> {
    let prompt = prompt("In Paris it is", "Paris", Some("it"));
    let run = |spec: &AnalysisSpec| engine.run(&prompt, spec, &AnalysisCtx::unwatched()).unwrap();
    specs(&prompt).iter().map(run).collect()
}
