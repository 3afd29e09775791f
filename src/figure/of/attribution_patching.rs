//! A causal trace as one gradient estimates it, its heads, and how well that fits.

use super::causal_trace::{patched, settings, warnings};
use super::{Look, by_row, estimates_against, head_map, number};
use crate::analysis::Measurement;
use crate::analysis::attribution_patching::{AttributionPatching, BasePoint, Verified, Windows};
use crate::figure::number::significant;
use crate::figure::words::{long_answer, metric_name, token_at};
use crate::figure::{Cell, Chart, ColorMap, Figure, Map, Pick, Point, Row, Side, Table};

pub(super) fn figure(found: &AttributionPatching, look: &Look<'_>) -> Figure {
    let (prompt, estimated) = (&found.prompt, found.spec.metric);
    let wanted = if found.scores(look.metric).is_some() { look.metric } else { estimated };
    let quantity = format!("Estimated {}", metric_name(wanted, prompt));
    let (n_layers, n_pos) = (found.effects.n_rows(), prompt.n_pos());
    let scores = found.scores(wanted);
    let score = |pos: usize, layer: usize| {
        scores.as_ref().and_then(|it| it.get(layer, pos)).copied().unwrap_or(f32::NAN)
    };
    let values = by_row(n_pos, n_layers, score);
    let clean = found.clean.get(wanted).unwrap_or(f32::NAN);
    let low = Measurement::mean(&found.corrupted, wanted).unwrap_or(f32::NAN);
    // A straight line may overshoot.
    let largest = values.iter().copied().filter(|it| it.is_finite()).fold(low, f32::max).min(clean);
    let tokens = Side::prompt("Token", prompt);
    let layers = look.layers("Layer", n_layers);
    let mut map = Map::new("Estimated trace", tokens, layers, values, &quantity)
        .colored(ColorMap::of(found.spec.trace.component));
    if low < largest {
        map = map.in_range(low, largest);
    }

    let mut charts = vec![Chart::Map(map)];
    let pos = look.position(prompt);
    if let Some(heads) = found.heads.get(pos) {
        let name = format!("One head's output z at {}", token_at(pos, prompt));
        let quantity = format!("Estimated effect on {}", metric_name(estimated, prompt));
        let value = |layer, head| number(heads, layer, head);
        let map = head_map(&name, &quantity, [n_layers, heads.n_columns()], look, value);
        charts.push(Chart::Map(map));
    }
    if !found.verified.is_empty() {
        charts.push(scatter(found));
        charts.push(Chart::Table(table(found)));
    }
    Figure {
        title: format!("Attribution patching — {}: {quantity}", patched(&found.unfilled_trace())),
        charts,
        notes: notes(found, look),
        warnings: warnings(&found.unfilled_trace(), wanted),
        ..Figure::default()
    }
}

fn pick(layer: usize, pos: usize) -> Pick {
    Pick { layer: Some(layer), position: Some(pos), head: None }
}

fn scatter(found: &AttributionPatching) -> Chart {
    let name = metric_name(found.spec.metric, &found.prompt);
    let points = found.verified.iter().map(|it| Point {
        label: format!("layer {}, {}", it.layer, token_at(it.pos, &found.prompt)),
        x: it.estimate,
        y: it.patched,
        pick: pick(it.layer, it.pos),
    });
    estimates_against("Estimated against patched", "Patched", &name, points)
}

fn table(found: &AttributionPatching) -> Table {
    let name = metric_name(found.spec.metric, &found.prompt);
    let row = |it: &Verified| {
        Row::new([
            Cell::Number(it.layer as f32),
            Cell::Text(token_at(it.pos, &found.prompt)),
            Cell::Number(it.estimate),
            Cell::Number(it.patched),
        ])
        .about(pick(it.layer, it.pos))
    };
    let columns = [
        "Layer".to_owned(),
        "At".to_owned(),
        format!("Estimated {name}"),
        format!("Patched {name}"),
    ];
    Table::new("Largest effects, patched for real", columns, found.verified.iter().map(row))
}

fn notes(found: &AttributionPatching, look: &Look<'_>) -> Vec<String> {
    let (prompt, metric) = (&found.prompt, found.spec.metric);
    let mut notes = vec![settings(&found.unfilled_trace(), metric, look)];
    notes.extend(long_answer(metric, prompt));
    let name = metric_name(metric, prompt);
    notes.push(match found.spec.base {
        BasePoint::Corrupted => {
            format!("First order, from the gradient of {name} at the corrupted runs (Nanda 2023)")
        }
        BasePoint::Clean => {
            format!(
                "First order, from the gradient of {name} at the clean run (Kramár et al. 2024)"
            )
        }
    });
    if !found.verified.is_empty() {
        let n = found.verified.len();
        let errors = found.verified.iter().map(|it| f64::from((it.estimate - it.patched).abs()));
        let mean = (errors.sum::<f64>() / n as f64) as f32;
        notes.push(format!(
            "The {n} largest patched for real: off by {} on average",
            significant(mean, 3)
        ));
    }
    let windows = match found.spec.windows {
        Windows::Held => "",
        Windows::Added => " Layers of a window are added up, which overestimates wide ones.",
    };
    notes.push(format!(
        "* subject. An estimate: probabilities bend near 0 and 1, and attention that is sure of its \
         choice has nearly no gradient.{windows} Patch the largest for real to know how far off it is"
    ));
    notes
}
