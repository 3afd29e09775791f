//! What a prompt answers when it is given the activations of another.

use super::{Look, by_row, head_map, largest_heads, size};
use crate::analysis::activation_patching::{ActivationPatching, Part, Places};
use crate::analysis::{Measurement, Pair, Role};
use crate::figure::words::{first_piece, joined, metric_name, metric_or_prob, reading};
use crate::figure::{Cell, Chart, Key, Pick};
use crate::figure::{Figure, Map, Row, Side, Table};
use crate::tokens::{TokenizedPrompt, visible};

pub(super) fn figure(it: &ActivationPatching, look: &Look<'_>) -> Figure {
    let metric = metric_or_prob(look.metric, &it.clean);
    let quantity = format!("Change of {}", metric_name(metric, &it.prompt));
    let clean = it.clean.get(metric).unwrap_or(f32::NAN);
    let change = |found: Option<&Option<Measurement>>| {
        found
            .and_then(Option::as_ref)
            .and_then(|it| it.get(metric))
            .map_or(f32::NAN, |it| it - clean)
    };
    let mut charts = Vec::new();
    if it.spec.part == Part::Heads {
        for (nth, grid) in it.patched.iter().enumerate() {
            let value = |layer: usize, head: usize| change(grid.get(layer, head));
            let name = match it.spec.places {
                Places::Together => "All pairs".to_owned(),
                Places::Each => place(it, nth),
            };
            let map = head_map(&name, &quantity, size(grid), look, value);
            let largest = (it.patched.len() == 1).then(|| largest_heads(&map, look));
            charts.push(Chart::Map(map));
            charts.extend(largest);
        }
    } else if let [grid] = it.patched.as_slice() {
        let n_layers = grid.n_rows();
        let labels = match it.spec.places {
            Places::Together => vec!["all pairs".to_owned()],
            Places::Each => (0..grid.n_columns()).map(|nth| place(it, nth)).collect(),
        };
        let values =
            by_row(labels.len(), n_layers, |column, layer| change(grid.get(layer, column)));
        let title = if it.spec.window > 1 {
            "Layer at the centre of the patched window"
        } else {
            "Patched layer"
        };
        let position = |pair: &Pair| Key::Position {
            pos: pair.recipient,
            role: (pair.recipient < it.prompt.n_pos())
                .then(|| Role::of(&it.prompt, pair.recipient)),
        };
        let mut rows = Side::named("From → to", "place", labels);
        if it.spec.places == Places::Each {
            rows.keys = it.spec.pairs.iter().map(position).collect();
        }
        let map = Map::new(
            "Patched",
            Side { is_tokens: true, ..rows },
            look.layers(title, n_layers),
            values,
            &quantity,
        );
        charts.push(Chart::Map(map.diverging()));
    }
    charts.push(Chart::Table(pairs(it)));
    let answer = |prompt: &TokenizedPrompt| {
        prompt.answer.as_ref().map_or_else(|| "its answer".to_owned(), first_piece)
    };
    let shown = |it: &Measurement| reading(metric, it.get(metric));
    let places = match it.spec.places {
        Places::Each => "each by itself",
        Places::Together => "all at once",
    };
    let window = match it.spec.window {
        1 => "one layer at a time".to_owned(),
        n => format!("{n} layers around each at a time"),
    };
    let notes = vec![
        format!(
            "Activations of “{}” put into the run of “{}”, where {} is measured: undisturbed {}, in the \
             other prompt {}",
            it.spec.donor.text,
            it.prompt.text,
            metric_name(metric, &it.prompt),
            shown(&it.clean),
            shown(&it.donor),
        ),
        format!(
            "{}, {places}, {window}. Below 0: what is put in takes from {}; a logit difference is with {}, the other \
             prompt's answer",
            paired(&it.spec.pairs, &it.spec.donor, &it.prompt),
            answer(&it.prompt),
            it.prompt.foil.as_ref().map_or_else(|| "none".to_owned(), first_piece),
        ),
    ];
    Figure {
        title: format!("Patching {} from the other prompt", part(it.spec.part)),
        charts,
        notes,
        ..Figure::default()
    }
}

/// How pairs were found, and which they are where they were paired by hand.
pub(super) fn paired(
    pairs: &[Pair],
    donor: &TokenizedPrompt,
    recipient: &TokenizedPrompt,
) -> String {
    if pairs == Pair::by_role(donor, recipient) {
        return "Positions are paired by their roles".to_owned();
    }
    let pairs: Vec<String> =
        pairs.iter().map(|it| format!("{} → {}", it.donor, it.recipient)).collect();
    format!("Positions are paired by hand ({})", joined(&pairs))
}

fn part(part: Part) -> &'static str {
    match part {
        Part::Hidden => "hidden states",
        Part::Mlp => "MLP outputs",
        Part::Attn => "attention outputs",
        Part::Heads => "heads",
    }
}

/// `·France → Paris`
fn place(it: &ActivationPatching, nth: usize) -> String {
    let Some(pair) = it.spec.pairs.get(nth) else { return String::new() };
    let token = |pieces: &[String], at: usize| {
        pieces.get(at).map_or_else(|| at.to_string(), |piece| visible(piece))
    };
    let from = token(&it.spec.donor.pieces, pair.donor);
    format!("{from} → {}", token(&it.prompt.pieces, pair.recipient))
}

fn pairs(it: &ActivationPatching) -> Table {
    let token = |pieces: &[String], at: usize| {
        Cell::Token(pieces.get(at).map_or_else(String::new, |piece| visible(piece)))
    };
    let rows = it.spec.pairs.iter().map(|pair| {
        Row::new([
            Cell::Number(pair.donor as f32),
            token(&it.spec.donor.pieces, pair.donor),
            Cell::Number(pair.recipient as f32),
            token(&it.prompt.pieces, pair.recipient),
        ])
        .about(Pick { position: Some(pair.recipient), ..Pick::default() })
    });
    Table::new("Pairs", ["From position", "From token", "To position", "To token"], rows)
}
