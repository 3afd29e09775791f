//! Figures of what takes a logit, a head or the weights apart show the numbers of their results.

use std::collections::BTreeSet;

use factscope::analysis::contribution_graph::{self, AttentionEdges, Node, Via, Weights};
use factscope::analysis::logit_attribution::Parts;
use factscope::analysis::neuron_attribution::{self, Listing};
use factscope::analysis::{AnalysisCtx, AnalysisResult, AnalysisSpec, through_head};
use factscope::figure::{Bars, Cell, Chart, Figure, Lines, Look, Map, Pick, Scatter, Table};
use factscope::tokens::Tokenizer;
use factscope::worker::Engine;

use super::decompositions::all_specs;
use super::support::{assert_close, assert_far, engine, fixture, paris};

const LOGIT: f32 = 1e-4;
const N_LAYERS: usize = 4;
const N_HEADS: usize = 4;

fn tokenizer() -> Tokenizer {
    Tokenizer::from_dir(&fixture("tiny")).unwrap()
}

fn run(engine: &Engine, spec: &AnalysisSpec) -> AnalysisResult {
    engine.run(&paris(), spec, &AnalysisCtx::unwatched()).unwrap()
}

/// Results of all specs that one pattern fits, with their figures.
macro_rules! shown {
    ($kind:ident, $look:expr) => {{
        let engine = engine("tiny");
        let spec = all_specs().into_iter().find(|it| matches!(it, AnalysisSpec::$kind(_))).unwrap();
        let result = run(&engine, &spec);
        let figure = Figure::of(&result, $look);
        let AnalysisResult::$kind(found) = result else { panic!("another kind of result") };
        (found, figure)
    }};
}

macro_rules! named {
    ($function:ident, $kind:ident) => {
        fn $function<'a>(figure: &'a Figure, name: &str) -> &'a $kind {
            let mut charts = figure.charts.iter();
            match charts.find(|it| it.name() == name) {
                Some(Chart::$kind(it)) => it,
                other => panic!("{name}: {other:?} in {:?}", names(figure)),
            }
        }
    };
}
named!(map, Map);
named!(bars, Bars);
named!(lines, Lines);
named!(table, Table);
named!(scatter, Scatter);

fn names(figure: &Figure) -> Vec<&str> {
    figure.charts.iter().map(Chart::name).collect()
}

fn values(bars: &Bars) -> Vec<f32> {
    bars.bars.iter().map(|it| it.value).collect()
}

/// A number per head, as a map has it: one row per head.
fn by_head(value: impl Fn(usize, usize) -> f32) -> Vec<f32> {
    let value = &value;
    (0..N_HEADS).flat_map(|head| (0..N_LAYERS).map(move |layer| value(layer, head))).collect()
}

fn by_token(n_pos: usize, value: impl Fn(usize, usize) -> f32) -> Vec<f32> {
    let value = &value;
    (0..n_pos).flat_map(|pos| (0..N_LAYERS).map(move |layer| value(layer, pos))).collect()
}

fn check(figure: &Figure) {
    let title = &figure.title;
    assert!(!title.is_empty() && !figure.charts.is_empty() && !figure.notes.is_empty(), "{title}");
    assert!(figure.notes.iter().all(|it| !it.is_empty() && !it.contains('≠')), "{figure:?}");
    let unique: BTreeSet<&str> = names(figure).into_iter().collect();
    assert_eq!(unique.len(), figure.charts.len(), "{:?}", names(figure));
    for chart in &figure.charts {
        let name = chart.name();
        match chart {
            Chart::Map(it) => {
                let n_cells = it.n_rows() * it.n_columns();
                assert!(n_cells > 0 && !it.quantity.is_empty(), "{name}");
                assert_eq!(it.values.len(), n_cells, "{name}");
                assert!(it.range.0 < it.range.1, "{name}: {:?}", it.range);
                assert!(it.details.is_empty() || it.details.len() == n_cells, "{name}");
                assert!(it.values.iter().any(|it| it.is_finite()), "{name}");
            }
            Chart::Bars(it) => {
                assert!(!it.bars.is_empty() && !it.quantity.is_empty(), "{name}");
                let labels: BTreeSet<&str> = it.bars.iter().map(|it| it.label.as_str()).collect();
                assert_eq!(labels.len(), it.bars.len(), "{name}: labels tell bars apart");
                assert!(it.bars.iter().all(|it| it.value.is_finite()), "{name}");
            }
            Chart::Waterfall(it) => assert_eq!(it.starts.len(), it.bars.bars.len(), "{name}"),
            Chart::Lines(it) => {
                assert!(!it.layer_title.is_empty() && !it.quantity.is_empty(), "{name}");
                assert!(it.series.iter().all(|it| it.values.len() >= N_LAYERS), "{name}");
            }
            Chart::Scatter(it) => assert!(!it.points.is_empty(), "{name}"),
            Chart::Graph(it) => assert!(!it.nodes.is_empty() && !it.edges.is_empty(), "{name}"),
            Chart::Table(it) => {
                assert!(!it.rows.is_empty(), "{name}");
                let n_columns = it.columns.len();
                assert!(it.rows.iter().all(|it| it.cells.len() == n_columns), "{name}");
            }
        }
    }
}

#[test]
fn every_part_has_a_figure_with_as_many_values_as_places() {
    let (engine, tokenizer) = (engine("tiny"), tokenizer());
    let pick = Pick { layer: Some(1), position: Some(1), head: Some(2) };
    let beyond = Pick { layer: Some(99), position: Some(99), head: Some(99) };
    let look = Look::new(&tokenizer);
    let looks = [
        look,
        Look { planted: Some(2), n_listed: 2, ..look },
        Look { pick, ..look },
        Look { pick: beyond, planted: Some(99), ..look },
    ];
    for spec in all_specs() {
        let result = run(&engine, &spec);
        for look in &looks {
            check(&Figure::of(&result, look));
        }
    }
    let first = through_head::Spec { layer: 0, head: 0, by: Parts::Heads };
    check(&Figure::of(&run(&engine, &AnalysisSpec::ThroughHead(first)), &look));
}

#[test]
fn neurons_are_those_found() {
    let tokenizer = tokenizer();
    let (found, figure) = shown!(NeuronAttribution, &Look::new(&tokenizer));
    let shown = bars(&figure, "Largest neurons");
    assert_eq!(values(shown), found.top.iter().map(|it| it.logit).collect::<Vec<_>>());
    assert_eq!(shown.bars[0].label, format!("L{} N{}", found.top[0].layer, found.top[0].index));
    assert_eq!(lines(&figure, "All neurons of each layer").series[0].values, found.layers);

    let spec = neuron_attribution::Spec { n_top: 5, listing: Listing::PerLayer };
    let result = run(&engine("tiny"), &AnalysisSpec::NeuronAttribution(spec));
    let few = Look { n_listed: 2, ..Look::new(&tokenizer) };
    let figure = Figure::of(&result, &few);
    let layers = bars(&figure, "Largest neurons").bars.iter().map(|it| it.pick.layer.unwrap());
    assert_eq!(layers.collect::<Vec<_>>(), [0, 0, 1, 1, 2, 2, 3, 3]);
}

#[test]
fn sources_are_those_of_the_picked_head() {
    let tokenizer = tokenizer();
    let (found, figure) = shown!(SourceAttribution, &Look::new(&tokenizer));
    let total = |layer, head| found.head(layer, head).unwrap().iter().sum::<f32>();
    let shown = map(&figure, "Each head over all sources");
    assert_close(&shown.values, &by_head(total), 1e-6, "heads");
    let pairs = values(bars(&figure, "Largest heads and sources"));
    let largest = found.heads().flat_map(|it| it.2).fold(0.0_f32, |a, b| a.max(b.abs()));
    assert_eq!(pairs[0].abs(), largest);
    assert!(pairs.is_sorted_by(|a, b| a.abs() >= b.abs()));

    let look = Look { pick: Pick::head(2, 1), ..Look::new(&tokenizer) };
    let figure = Figure::of(&AnalysisResult::SourceAttribution(found.clone()), &look);
    let shown = bars(&figure, "Sources of L2 H1");
    assert_eq!(values(shown), found.head(2, 1).unwrap());
    assert_eq!(shown.bars[1].pick, Pick { position: Some(1), ..Pick::head(2, 1) });
}

#[test]
fn bars_of_a_difference_add_up_to_it() {
    let tokenizer = tokenizer();
    let (found, figure) = shown!(AttributionDifference, &Look::new(&tokenizer));
    let sum: f32 = values(bars(&figure, "Differences in order of depth")).iter().sum();
    assert_close(&[sum], &[found.logit_difference()], LOGIT, "the difference");
    assert_far(&[sum], &[0.0], "two prompts");

    let AnalysisSpec::AttributionDifference(spec) = all_specs().remove(2) else { panic!() };
    let spec = factscope::analysis::attribution_difference::Spec { by: Parts::Heads, ..spec };
    let result = run(&engine("tiny"), &AnalysisSpec::AttributionDifference(spec));
    let figure = Figure::of(&result, &Look::new(&tokenizer));
    check(&figure);
    let heads = map(&figure, "Differences of heads").values.iter();
    let mlps = lines(&figure, "Differences of MLPs").series[0].values.iter();
    let others = values(bars(&figure, "Of no head or MLP"));
    let sum: f32 = heads.chain(mlps).chain(&others).sum();
    assert_close(&[sum], &[found.logit_difference()], LOGIT, "the same difference");
}

#[test]
fn what_goes_through_a_head_adds_up_to_what_it_writes() {
    let tokenizer = tokenizer();
    let all = Look { n_listed: usize::MAX, ..Look::new(&tokenizer) };
    for by in [Parts::Layers, Parts::Heads] {
        let spec = through_head::Spec { layer: 2, head: 1, by };
        let result = run(&engine("tiny"), &AnalysisSpec::ThroughHead(spec));
        let figure = Figure::of(&result, &all);
        check(&figure);
        let AnalysisResult::ThroughHead(found) = result else { panic!() };
        let (of_bars, of_map) = match by {
            Parts::Layers => ("Parts in order of depth", "Parts by token"),
            Parts::Heads => ("Largest parts", "Largest parts by token"),
        };
        let sums =
            [values(bars(&figure, of_bars)).iter().sum(), map(&figure, of_map).values.iter().sum()];
        assert_close(&sums, &[found.logit; 2], LOGIT, "the head");
    }
}

#[test]
fn norms_and_states_stand_where_they_were_found() {
    let tokenizer = tokenizer();
    let look = Look::new(&tokenizer);
    let (found, figure) = shown!(ResidualNorms, &look);
    let n_pos = found.prompt.n_pos();
    for (name, norms) in [
        ("Residual stream behind each layer", &found.resid_post),
        ("Attention outputs", &found.attn_out),
        ("MLP outputs", &found.mlp_out),
    ] {
        let expected = by_token(n_pos, |layer, pos| *norms.get(layer, pos).unwrap());
        assert_eq!(map(&figure, name).values, expected, "{name}");
    }
    assert_eq!(values(bars(&figure, "Token embeddings")), found.embed);

    let (found, figure) = shown!(AccumulatedResid, &look);
    let Chart::Lines(shown) = &figure.charts[0] else { panic!("no lines") };
    let [before, between] = shown.series.as_slice() else { panic!("not two kinds of states") };
    // As long, though there is no MLP behind the last layer.
    assert_eq!((before.values.len(), between.values.len()), (N_LAYERS + 1, N_LAYERS + 1));
    assert!(between.values[N_LAYERS].is_nan());
    for state in 0..=2 * N_LAYERS {
        let series = if state % 2 == 0 { before } else { between };
        let expected = *found.logits.get(state, found.prompt.last()).unwrap();
        assert_eq!(series.values[state / 2], expected, "{}", found.labels[state]);
    }
    let states = map(&figure, "States and tokens");
    assert_eq!(states.columns.labels, found.labels);
    let row: Vec<f32> = found.logits.rows().map(|it| it[1]).collect();
    assert_eq!(&states.values[row.len()..2 * row.len()], row);
}

#[test]
fn shares_of_a_place_add_up_to_one() {
    let spec = contribution_graph::Spec {
        threshold: 0.0,
        edges: AttentionEdges::PerHead,
        weights: Weights::Shares,
        pos: None,
    };
    let result = run(&engine("tiny"), &AnalysisSpec::ContributionGraph(spec));
    let tokenizer = tokenizer();
    let figure = Figure::of(&result, &Look::new(&tokenizer));
    let AnalysisResult::ContributionGraph(found) = result else { panic!() };
    let n_pos = found.prompt.n_pos();
    let residual = |to: Node| {
        let mut edges = found.edges.iter().filter(|it| it.via == Via::Residual);
        edges.find(|it| it.to == to).map_or(f32::NAN, |it| it.weight)
    };
    let mids = by_token(n_pos, |layer, pos| residual(Node::ResidMid { layer, pos }));
    let posts = by_token(n_pos, |layer, pos| residual(Node::ResidPost { layer, pos }));
    for (name, rests) in
        [("Attention's share of the stream", mids), ("The MLP's share of the stream", posts)]
    {
        let shares = &map(&figure, name).values;
        let mut n_reached = 0;
        for (share, rest) in shares.iter().zip(rests).filter(|it| it.0.is_finite()) {
            assert_close(&[share + rest], &[1.0], 1e-5, name);
            n_reached += 1;
        }
        assert!(n_reached > N_LAYERS, "{name}: {n_reached}");
    }
    let rows = &table(&figure, "Strongest edges of attention and MLPs").rows;
    let shares: Vec<f32> = rows.iter().map(|it| number(&it.cells[3])).collect();
    assert!(shares.is_sorted_by(|a, b| a >= b));
    let new = found.edges.iter().filter(|it| it.via != Via::Residual);
    assert_eq!(shares[0], new.map(|it| it.weight).fold(0.0, f32::max));
}

fn number(cell: &Cell) -> f32 {
    match cell {
        Cell::Number(value) => *value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn heads_and_weights_are_shown_as_they_are() {
    let tokenizer = tokenizer();
    let look = Look::new(&tokenizer);
    let (found, figure) = shown!(HeadScores, &look);
    let of = |layer, head| *found.heads.get(layer, head).unwrap();
    let entropy = by_head(|layer, head| of(layer, head).entropy);
    assert_eq!(map(&figure, "Entropy, at the last token").values, entropy);
    let induction = by_head(|layer, head| of(layer, head).random_induction);
    assert_eq!(map(&figure, "Induction, on repeated random tokens").values, induction);
    let previous = by_head(|layer, head| of(layer, head).previous_token.unwrap());
    assert_eq!(map(&figure, "Previous token, on the prompt").values, previous);
    // No token of the prompt occurs twice.
    assert!(!names(&figure).contains(&"Duplicate token, on the prompt"));
    assert!(figure.notes.contains(&"Not in this prompt: duplicate token, induction".to_owned()));

    let (found, figure) = shown!(Circuit, &look);
    let singular = values(bars(&figure, "Singular values"));
    assert_eq!(singular, found.singular_values[..singular.len()]);
    let Some(Chart::Table(tokens)) = figure.charts.get(1) else { panic!("no tokens") };
    let expected = found.vectors[0].writes.positive[0];
    assert_eq!(number(&tokens.rows[0].cells[3]), expected.score);
    let points = &scatter(&figure, "Eigenvalues from token to logit").points;
    assert_eq!(points.len(), found.copying.unwrap().eigenvalues.len());

    let pick = Pick::head(1, 2);
    let (found, figure) = shown!(Composition, &Look { pick, ..look });
    let pairs = values(bars(&figure, "Highest pairs by Q-composition"));
    assert_eq!(pairs[0], found.top()[0].score);
    let of_pick = &map(&figure, "Q-composition with L1 H2").values;
    let (n_all, picked) = (N_LAYERS * N_HEADS, N_HEADS + 2);
    let expected = by_head(|layer, head| {
        let other = layer * N_HEADS + head;
        match layer {
            0 => found.modes[0].scores[other * n_all + picked],
            1 => f32::NAN,
            _ => found.modes[0].scores[picked * n_all + other],
        }
    });
    assert!(of_pick.iter().zip(&expected).all(|(a, b)| a == b || (a.is_nan() && b.is_nan())));
    assert!(expected.iter().filter(|it| **it > 0.0).count() == n_all - N_HEADS);
}
