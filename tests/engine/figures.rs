//! What figures promise: every analysis has one, it says what its numbers are, and files hold the
//! same numbers.

use std::collections::{BTreeSet, HashSet};
use std::mem::discriminant;

use factscope::analysis::causal_trace::CausalTrace;
use factscope::analysis::{
    AnalysisCtx, AnalysisResult, AnalysisSpec, Contrast, Grid, Measurement, Metric,
    attribution_patching, edge_attribution,
};
use factscope::figure::{
    AttributionForm, Chart, Effect, Figure, Look, Map, Page, Pick, Series, to_csv, to_svg,
};
use factscope::worker::Engine;
use quick_xml::events::Event;

use super::every_analysis::{is_listed, results, trace};
use crate::support::{engine, prompt};

/// All ways of looking at it that a window has.
pub fn looks(engine: &Engine) -> Vec<Look<'_>> {
    let plain = Look::new(&engine.info.tokenizer);
    let metrics = Metric::ALL.map(|metric| Look { metric, ..plain });
    let effects = [Effect::Indirect, Effect::Direct, Effect::Recovery];
    let effects = effects.map(|effect| Look { effect, ..plain });
    let far = Pick { layer: Some(99), position: Some(99), head: Some(99) };
    let picks = [Pick::head(1, 1), far].map(|pick| Look { pick, n_listed: 2, ..plain });
    let planted = Look { planted: Some(1), ..plain };
    let forms = [AttributionForm::RunningSum, AttributionForm::Waterfall];
    let forms = forms.map(|attribution| Look { attribution, n_listed: 3, ..plain });
    metrics.into_iter().chain(effects).chain(picks).chain([planted]).chain(forms).collect()
}

#[test]
fn every_analysis_has_a_figure_that_says_what_it_shows() {
    let engine = engine("tiny");
    let mut kinds = HashSet::new();
    for result in results(&engine) {
        is_listed(&result);
        kinds.insert(discriminant(&result));
        for look in looks(&engine) {
            let figure = Figure::of(&result, &look);
            assert!(!figure.title.is_empty() && !figure.notes.is_empty());
            assert!(!figure.charts.is_empty(), "{}", figure.title);
            let names: BTreeSet<&str> = figure.charts.iter().map(Chart::name).collect();
            assert_eq!(names.len(), figure.charts.len(), "{names:?}");
            for chart in &figure.charts {
                check(chart);
            }
            assert!(figure.notes.iter().all(|it| !it.contains("NaN")), "{:?}", figure.notes);
        }
    }
    assert_eq!(kinds.len(), 31);
}

#[track_caller]
fn check(chart: &Chart) {
    match chart {
        Chart::Map(map) => {
            let n = map.n_rows() * map.n_columns();
            assert!(n > 0 && map.values.len() == n, "{}", map.name);
            assert!(map.range.0 < map.range.1, "{}: {:?}", map.name, map.range);
            for len in [map.estimated.len(), map.texts.len(), map.details.len()] {
                assert!(len == 0 || len == n, "{}", map.name);
            }
            assert!(!map.quantity.is_empty());
            for side in [&map.rows, &map.columns] {
                assert!(!side.title.is_empty() && !side.noun.is_empty());
                assert!(side.marked.end <= side.labels.len().max(side.marked.start));
            }
        }
        Chart::Bars(bars) => assert!(!bars.bars.is_empty() && !bars.quantity.is_empty()),
        Chart::Waterfall(it) => {
            assert!(!it.bars.quantity.is_empty());
            // A bar from zero is a sum: the first, and the last.
            let ends: Vec<f32> = it.ends().collect();
            let n = ends.len();
            assert!(
                n > 2 && it.starts.len() == n && it.starts[0] == 0.0 && it.starts[n - 1] == 0.0
            );
            for (end, start) in ends.iter().zip(&it.starts[1..n - 1]) {
                assert!((end - start).abs() < 1e-4, "{end} {start}");
            }
            assert!((ends[n - 2] - ends[n - 1]).abs() < 1e-3, "{ends:?}");
        }
        Chart::Lines(lines) => {
            assert!(!lines.series.is_empty() && !lines.quantity.is_empty());
            let n_layers = lines.series[0].values.len();
            assert!(n_layers > 0 && lines.series.iter().all(|it| it.values.len() == n_layers));
            for Series { values, band, .. } in &lines.series {
                assert!(band.is_empty() || band.len() == n_layers);
                let is_within = |(value, (low, high)): (&f32, &(f32, f32))| {
                    !low.is_finite() || (low <= value && value <= high)
                };
                assert!(values.iter().zip(band).all(is_within), "{}", lines.name);
            }
        }
        Chart::Scatter(scatter) => {
            assert!(!scatter.points.is_empty());
            assert!(!scatter.x_title.is_empty() && !scatter.y_title.is_empty());
        }
        Chart::Graph(graph) => {
            assert!(!graph.edges.is_empty() && !graph.quantity.is_empty());
            assert!(graph.edges.is_sorted_by(|a, b| a.weight <= b.weight));
            let is_there = |at: usize| at < graph.nodes.len();
            assert!(graph.edges.iter().all(|it| is_there(it.from) && is_there(it.to)));
            // Time goes to the right.
            let x = |nth: usize| graph.nodes[nth].at[0];
            assert!(graph.edges.iter().all(|it| x(it.from) < x(it.to)));
        }
        Chart::Table(table) => {
            assert!(!table.rows.is_empty(), "{}", table.name);
            assert!(table.rows.iter().all(|row| row.cells.len() == table.columns.len()));
        }
    }
}

#[test]
fn a_figures_svg_is_xml_and_its_csv_holds_every_number() {
    let engine = engine("tiny");
    let look = Look::new(&engine.info.tokenizer);
    for result in results(&engine) {
        let figure = Figure::of(&result, &look);
        let svg = to_svg(&figure, Page::default());
        let mut reader = quick_xml::Reader::from_str(&svg);
        let mut depth = 0;
        let mut texts = String::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(_) => depth += 1,
                Event::End(_) => depth -= 1,
                Event::Text(text) => texts.push_str(&text.decode().unwrap()),
                Event::Eof => break,
                _ => (),
            }
        }
        assert_eq!(depth, 0);
        assert!(texts.contains(&figure.title), "{}", figure.title);

        let csv = to_csv(&figure);
        let tables: Vec<&str> = csv.split("\n\n").collect();
        assert_eq!(tables.len(), figure.charts.len(), "{}", figure.title);
        for (chart, table) in figure.charts.iter().zip(tables) {
            if let Chart::Map(map) = chart {
                assert_eq!(bits(&read_back(table, map)), bits(&map.values), "{}", map.name);
            }
        }
    }
}

/// The column of a map's numbers.
fn read_back(table: &str, map: &Map) -> Vec<f32> {
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let head = reader.headers().unwrap().clone();
    let column = head.iter().position(|it| it == map.quantity).unwrap();
    let number = |record: csv::StringRecord| match &record[column] {
        "" => f32::NAN,
        text => text.parse().unwrap(),
    };
    reader.records().map(|it| number(it.unwrap())).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|it| if it.is_nan() { 0 } else { it.to_bits() }).collect()
}

#[test]
fn estimates_stand_in_for_cells_that_are_not_computed() {
    let engine = engine("tiny");
    let prompt = prompt("In Paris it is", "Paris", Some("it"));
    let spec = attribution_patching::Spec {
        trace: trace(),
        base: attribution_patching::BasePoint::Corrupted,
        metric: Metric::Prob,
        windows: attribution_patching::Windows::Added,
        n_verified: 0,
    };
    let spec = AnalysisSpec::AttributionPatching(spec);
    let found = engine.run(&prompt, &spec, &AnalysisCtx::unwatched()).unwrap();
    let AnalysisResult::AttributionPatching(estimate) = found else { unreachable!() };
    // The first cell, layer 0 at token 0, is there.
    let mut trace = estimate.unfilled_trace();
    let n_columns = trace.restored.n_columns();
    let mut runs = trace.restored.values().to_vec();
    runs[0] = trace.corrupted.clone();
    trace.restored = Grid::new(n_columns, runs);
    let result = AnalysisResult::CausalTrace(trace);

    let plain = Look::new(&engine.info.tokenizer);
    let map = |look: &Look<'_>| match &Figure::of(&result, look).charts[0] {
        Chart::Map(map) => map.clone(),
        other => panic!("a map comes first, not {other:?}"),
    };
    let alone = map(&plain);
    assert!(alone.values[0].is_finite() && alone.values[1..].iter().all(|it| it.is_nan()));
    assert!(alone.estimated.is_empty());
    let with = map(&Look { estimate: Some(&estimate), ..plain });
    assert_eq!(with.values[0], alone.values[0]);
    assert!(!with.estimated[0] && with.estimated[1..].iter().all(|it| *it));
    let scores = estimate.scores(Metric::Prob).unwrap();
    let n_layers = scores.n_rows();
    for (nth, value) in with.values.iter().enumerate().skip(1) {
        assert_eq!(Some(value), scores.get(nth % n_layers, nth / n_layers));
    }
    let notes = Figure::of(&result, &Look { estimate: Some(&estimate), ..plain }).notes;
    assert!(notes.iter().any(|it| it.contains("dotted are estimates")), "{notes:?}");
}

#[test]
fn edges_are_listed_as_far_as_lists_may_be_long() {
    let engine = engine("tiny");
    let spec = edge_attribution::Spec {
        contrast: Contrast::Subject(trace().draws()),
        metric: Metric::Logit,
        base: edge_attribution::EdgeBase::Clean,
        n_edges: 12,
        n_verified: 0,
    };
    let prompt = prompt("In Paris it is", "Paris", Some("it"));
    let spec = AnalysisSpec::EdgeAttribution(spec);
    let found = engine.run(&prompt, &spec, &AnalysisCtx::unwatched()).unwrap();
    for (n_listed, n_rows) in [(7, 7), (20, 12)] {
        let look = Look { n_listed, ..Look::new(&engine.info.tokenizer) };
        let figure = Figure::of(&found, &look);
        let rows = figure.charts.iter().find_map(|it| match it {
            Chart::Table(table) if table.name == "Edges" => Some(table.rows.len()),
            _ => None,
        });
        assert_eq!(rows, Some(n_rows));
        assert_eq!(figure.notes[0].contains(", 7 of them listed"), n_rows < 12);
        assert!(figure.notes[0].contains("the 12 largest of "), "{}", figure.notes[0]);
    }
}

/// Instead of a blank map on a scale without a span.
#[test]
fn a_trace_whose_corruption_takes_nothing_away_says_so_and_shows_all_its_numbers() {
    let engine = engine("tiny");
    let prompt = prompt("In Paris it is", "Paris", Some("it"));
    let spec = AnalysisSpec::CausalTrace(trace());
    let found = engine.run(&prompt, &spec, &AnalysisCtx::unwatched()).unwrap();
    let AnalysisResult::CausalTrace(mut found) = found else { unreachable!() };
    let look = Look::new(&engine.info.tokenizer);
    for rise in [0.0, 1e-6] {
        let clean = found.clean;
        found.corrupted.iter_mut().for_each(|it| it.prob = clean.prob + rise);
        let figure = Figure::of(&AnalysisResult::CausalTrace(found.clone()), &look);
        let says = "Nothing to restore: the corruption does not lower p(·it)";
        assert!(figure.warnings.iter().any(|it| it.starts_with(says)), "{:?}", figure.warnings);
        let Chart::Map(map) = &figure.charts[0] else { panic!("{:?}", figure.charts) };
        assert!(map.values.iter().all(|it| (map.range.0..=map.range.1).contains(it)));
    }
    found.corrupted.iter_mut().for_each(|it| it.prob = 0.0);
    let figure = Figure::of(&AnalysisResult::CausalTrace(found), &look);
    assert!(figure.warnings.iter().all(|it| !it.contains("does not lower")));
}

/// A little noise on a scale of its own would look like a strong result.
#[test]
fn a_trace_with_next_to_nothing_to_restore_says_so_and_is_pale() {
    let engine = engine("tiny");
    let prompt = prompt("In Paris it is", "Paris", Some("it"));
    let spec = AnalysisSpec::CausalTrace(trace());
    let found = engine.run(&prompt, &spec, &AnalysisCtx::unwatched()).unwrap();
    let AnalysisResult::CausalTrace(mut found) = found else { unreachable!() };
    // How dark the darkest cell is, 0 to 1, and what is warned of.
    let darkest = |found: &CausalTrace, effect: Effect| {
        let look = Look { effect, ..Look::new(&engine.info.tokenizer) };
        let figure = Figure::of(&AnalysisResult::CausalTrace(found.clone()), &look);
        let Chart::Map(map) = &figure.charts[0] else { panic!("{:?}", figure.charts) };
        let (low, high) = map.range;
        let largest = map.values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        (((largest - low) / (high - low)), figure.warnings.join("\n"))
    };
    let mut set = |corrupted: f32, clean: f32| {
        found.clean.prob = clean;
        found.corrupted.iter_mut().for_each(|it| it.prob = corrupted);
        let mut nth = 0.0;
        found.restored = found.restored.map(|runs| {
            nth += 1.0;
            let prob = corrupted + (0.5 + 0.5 * f32::sin(nth)) * (clean - corrupted);
            runs.iter().map(|it| Measurement { prob, ..*it }).collect()
        });
        found.clone()
    };
    for (corrupted, clean) in [(0.82, 0.83), (2e-5, 3e-5)] {
        let found = set(corrupted, clean);
        for effect in [Effect::Score, Effect::Indirect] {
            let (darkest, warnings) = darkest(&found, effect);
            assert!(warnings.contains("the corruption hardly lowers p("), "{warnings}");
            assert!(warnings.contains("Next to nothing to restore"), "{warnings}");
            // Zero is in the middle of the colours of effects.
            let most = if effect == Effect::Score { 0.15 } else { 0.55 };
            assert!(darkest < most, "{darkest}");
        }
    }
    let (darkest, warnings) = darkest(&set(0.6, 0.83), Effect::Score);
    assert!(darkest > 0.99 && !warnings.contains("to restore"), "{darkest} {warnings}");
}

#[test]
fn an_edit_says_in_its_title_whether_it_worked() {
    let engine = engine("tiny");
    let look = Look::new(&engine.info.tokenizer);
    let mut edits = results(&engine).into_iter().filter_map(|it| match it {
        AnalysisResult::RankOneEdit(it) => Some(it),
        _ => None,
    });
    let mut found = edits.next().unwrap();
    let target = found.spec.target.first();
    for (id, says) in [(target, "The edit worked: "), (target + 1, "The edit did not work: ")] {
        found.told[0].after.top.id = id;
        let figure = Figure::of(&AnalysisResult::RankOneEdit(found.clone()), &look);
        assert!(figure.title.starts_with(says), "{}", figure.title);
    }
}
