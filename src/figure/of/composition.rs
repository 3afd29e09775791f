//! Which heads are wired to read what earlier heads write.

use super::{Look, head_map, largest};
use crate::analysis::composition::{Composition, Mode, ModeScores};
use crate::figure::words::joined;
use crate::figure::{Bar, Bars, Cell, Chart, ColorMap, Figure, Map, Pick, Row, Table, extent};

const QUANTITY: &str = "Composition score";

pub(super) fn figure(found: &Composition, look: &Look<'_>) -> Figure {
    let picked = look.pick.layer.zip(look.pick.head);
    let picked = picked.filter(|&(layer, head)| layer < found.n_layers && head < found.n_heads);
    let mut charts: Vec<Chart> =
        found.modes.iter().map(|it| Chart::Map(map(found, it, picked, look))).collect();
    charts.push(Chart::Table(top(found, look)));
    charts.extend(found.modes.iter().map(|it| Chart::Bars(pairs(found, it, look))));
    let title = match picked {
        Some((layer, head)) => format!("Composition of L{layer} H{head} with other heads"),
        None => "Composition of heads".to_owned(),
    };
    Figure { title, charts, notes: notes(found, picked), ..Figure::default() }
}

fn letter(mode: Mode) -> &'static str {
    match mode {
        Mode::Q => "Q",
        Mode::K => "K",
        Mode::V => "V",
    }
}

/// The score of two heads in either order; NaN for two of one layer.
fn score(found: &Composition, of: &ModeScores, a: (usize, usize), b: (usize, usize)) -> f32 {
    let (earlier, later) = if a.0 < b.0 { (a, b) } else { (b, a) };
    if earlier.0 == later.0 {
        return f32::NAN;
    }
    let nth = |(layer, head): (usize, usize)| layer * found.n_heads + head;
    let n_all = found.n_layers * found.n_heads;
    of.scores.get(nth(earlier) * n_all + nth(later)).copied().unwrap_or(f32::NAN)
}

fn all_heads(found: &Composition) -> impl Iterator<Item = (usize, usize)> + Clone {
    let n_heads = found.n_heads;
    (0..found.n_layers * n_heads).map(move |nth| (nth / n_heads, nth % n_heads))
}

/// Each head's score with the picked head, or without one its highest with any.
fn map(
    found: &Composition,
    of: &ModeScores,
    picked: Option<(usize, usize)>,
    look: &Look<'_>,
) -> Map {
    let value = |layer, head| {
        if let Some(picked) = picked {
            return score(found, of, picked, (layer, head));
        }
        let scores = all_heads(found).map(|other| score(found, of, other, (layer, head)));
        scores.fold(f32::NAN, f32::max)
    };
    let mode = letter(of.mode);
    let name = match picked {
        Some((layer, head)) => format!("{mode}-composition with L{layer} H{head}"),
        None => format!("Highest {mode}-composition of each head"),
    };
    let map = head_map(&name, QUANTITY, [found.n_layers, found.n_heads], look, value);
    let (low, high) = extent(&map.values);
    map.colored(ColorMap::Blues).in_range(low, high)
}

fn top(found: &Composition, look: &Look<'_>) -> Table {
    let head = |[layer, head]: [usize; 2]| Cell::Text(format!("L{layer} H{head}"));
    let rows = found.top().into_iter().take(look.n_listed).map(|it| {
        Row::new([
            Cell::Text(letter(it.mode).to_owned()),
            head(it.earlier),
            head(it.later),
            Cell::Number(it.score),
        ])
        .about(Pick::head(it.later[0], it.later[1]))
    });
    Table::new("Highest pairs", ["Mode", "Earlier head", "Later head", QUANTITY], rows)
}

fn pairs(found: &Composition, of: &ModeScores, look: &Look<'_>) -> Bars {
    let heads = all_heads(found);
    let pairs =
        heads.clone().flat_map(|a| heads.clone().filter(move |b| a.0 < b.0).map(move |b| (a, b)));
    let bars = pairs.map(|(a, b)| {
        Bar::new(format!("L{} H{} → L{} H{}", a.0, a.1, b.0, b.1), score(found, of, a, b))
            .about(Pick::head(b.0, b.1))
    });
    Bars::new(
        format!("Highest pairs by {}-composition", letter(of.mode)),
        QUANTITY,
        largest(bars.collect(), look.n_listed),
    )
}

fn notes(found: &Composition, picked: Option<(usize, usize)>) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some((layer, head)) = picked {
        notes.push(format!(
            "Layers before {layer}: heads that write what L{layer} H{head} reads. Layers behind: \
             heads that read what it writes. Hatched: its own layer"
        ));
    }
    notes.push(
        "From 0 to 1: ‖W_OV X‖ / (‖W_OV‖ ‖X‖), Frobenius norms, W_OV of the earlier head; X of the later one is \
         W_QK for Q, W_QKᵀ for K and W_OV for V (Elhage et al. 2021)"
            .to_owned(),
    );
    notes.push(
        "Random circuits score above 0, and nothing is taken off for that: compare pairs of one \
         mode. These are weights alone, wiring and not use: no prompt is asked for"
            .to_owned(),
    );
    let modes: Vec<String> = found.spec.modes.iter().map(|mode| letter(*mode).to_owned()).collect();
    notes.push(format!(
        "The {} highest pairs of {}  ·  weights rewritten before: {}",
        found.spec.n_top,
        joined(&modes),
        found.spec.processing
    ));
    notes.extend(found.left_out.iter().cloned());
    notes
}
