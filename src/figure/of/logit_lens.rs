//! What each layer would say: tokens × layers, and one token's layers in words.

use serde::{Deserialize, Serialize};

use super::{Look, by_row};
use crate::analysis::Metric;
use crate::analysis::logit_lens::{LensCell, LensScale, LogitLens};
use crate::figure::number::exact;
use crate::figure::words::{answer_piece, likeliest, metric_name, token_at};
use crate::figure::{Cell, Chart, ColorMap, Figure, Map, Pick, Row, Side, Table};

/// The rank at which the colours of ranks end: beyond it an answer is as good as not there.
const LAST_RANK: f32 = 100.0;

/// Whose probability a lens shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LensForm {
    /// The answer's probability, or its logarithm or rank if that metric is asked for.
    #[default]
    Answer,

    /// The probability of the likeliest token of each cell.
    Likeliest,
}

pub(super) fn figure(lens: &LogitLens, look: &Look<'_>) -> Figure {
    let prompt = &lens.prompt;
    let answer = answer_piece(prompt);
    let metric = match (look.lens, look.metric) {
        (LensForm::Answer, Metric::Rank | Metric::LogProb) => look.metric,
        _ => Metric::Prob,
    };
    let value = |cell: &LensCell| match (look.lens, metric) {
        (LensForm::Likeliest, _) => cell.top_prob,
        (LensForm::Answer, Metric::Rank) => cell.answer_rank as f32 + 1.0,
        (LensForm::Answer, Metric::LogProb) => {
            cell.answer_log_prob.unwrap_or_else(|| cell.answer_prob.ln())
        }
        (LensForm::Answer, _) => cell.answer_prob,
    };
    let (n_layers, n_pos) = (lens.cells.n_rows(), lens.cells.n_columns());
    let cell_of = |pos: usize, layer: usize| lens.cells.get(layer, pos);
    let values = by_row(n_pos, n_layers, |pos, layer| cell_of(pos, layer).map_or(f32::NAN, value));
    let name = metric_name(metric, prompt);
    let quantity = match (look.lens, metric) {
        (LensForm::Likeliest, _) => "p(likeliest token)".to_owned(),
        (LensForm::Answer, Metric::Rank) => format!("{name} (1: the likeliest)"),
        (LensForm::Answer, _) => name,
    };
    let tokens = Side::prompt("Token", prompt);
    let layers = look.layers("Layer", n_layers);
    let largest = values.iter().copied().filter(|it| it.is_finite()).fold(1e-6, f32::max);
    let mut map = Map::new("Logit lens", tokens, layers, values, &quantity);
    map = map.colored(ColorMap::Oranges);
    map = match metric {
        Metric::Rank => map.in_range(1.0, largest.clamp(2.0, LAST_RANK)),
        Metric::LogProb => map,
        _ => map.in_range(0.0, largest),
    };
    let top = |cell: &LensCell| look.token(cell.top_token);
    map.texts =
        by_row(n_pos, n_layers, |pos, layer| cell_of(pos, layer).map_or_else(String::new, top));
    map.details = by_row(n_pos, n_layers, |pos, layer| {
        cell_of(pos, layer).map_or_else(String::new, |cell| {
            let mut lines = vec![
                format!("Likeliest {}  p {}", top(cell), exact(cell.top_prob)),
                format!(
                    "Answer {answer}  p {}, rank {}",
                    exact(cell.answer_prob),
                    cell.answer_rank + 1
                ),
            ];
            // The first is named above.
            let more = lens.top.get(layer, pos).into_iter().flatten().skip(1);
            lines.extend(more.map(|it| format!("{}  p {}", look.token(it.id), exact(it.prob))));
            lines.join("\n")
        })
    });

    let pos = look.position(prompt);
    let n_top = lens.top.values().iter().map(Vec::len).max().unwrap_or(0).min(look.n_listed);
    let row = |layer: usize| {
        let cell = cell_of(pos, layer)?;
        let mut cells = vec![
            Cell::Number(layer as f32),
            Cell::Number(cell.answer_prob),
            Cell::Number((cell.answer_rank + 1) as f32),
            Cell::Token(top(cell)),
            Cell::Number(cell.top_prob),
        ];
        let more = lens.top.get(layer, pos).into_iter().flatten();
        for it in more.take(n_top).skip(1) {
            cells.extend([Cell::Token(look.token(it.id)), Cell::Number(it.prob)]);
        }
        let pick = Pick { layer: Some(layer), position: Some(pos), head: None };
        Some(Row::new(cells).about(pick))
    };
    let columns =
        ["Layer".to_owned(), format!("p({answer})"), format!("Rank of {answer}")].into_iter();
    let places = (1..=n_top.max(1)).flat_map(|nth| match nth {
        1 => ["Likeliest token", "Its p"].map(str::to_owned),
        nth => [format!("{nth}. token"), format!("{nth}. p")],
    });
    let table = Table::new(
        format!("After {}", token_at(pos, prompt)),
        columns.chain(places),
        (0..n_layers).filter_map(row),
    );
    let scale = match lens.spec.scale {
        LensScale::Own => "",
        LensScale::Final => ", with the last layer's scale",
    };
    let mut notes = vec![format!(
        "* subject. Each layer's residual stream, read through the final layer norm{scale} and the \
         unembedding (nostalgebraist 2020)"
    )];
    if metric == Metric::Rank {
        notes.push(format!("Colours end at rank {}", map.range.1));
    }
    if lens.spec.n_top > 1 {
        notes.push(format!("{} of each cell", likeliest(lens.spec.n_top)));
    }
    Figure {
        title: format!("Logit lens after each layer — {quantity}"),
        charts: vec![Chart::Map(map), Chart::Table(table)],
        notes,
        ..Figure::default()
    }
}
