//! What each layer would say: tokens × layers.

use eframe::egui::Ui;

use super::{first_piece, header_ui, layer_axis, layer_labels, token_axis, token_labels};
use crate::analysis::logit_lens::{LensCell, LogitLens};
use crate::tokens::visible;
use crate::ui::theme::ColorMap;
use crate::ui::view::{Selection, ViewAction, ViewCtx};
use crate::ui::widgets::number::exact;
use crate::ui::widgets::{Caption, Cell, CellShape, Heatmap, Tone};

/// How it looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogitLensView {
    pub shown: Shown,
}

/// Whose probability is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// The answer's first token.
    #[default]
    Answer,

    /// The likeliest token of each cell.
    Top,
}

pub fn logit_lens_ui(
    ui: &mut Ui,
    view: &mut LogitLensView,
    lens: &LogitLens,
    ctx: &ViewCtx<'_>,
) -> Option<ViewAction> {
    let prompt = &lens.prompt;
    let answer = prompt.answer.as_ref().map_or_else(|| "answer".to_owned(), first_piece);
    let quantity = match view.shown {
        Shown::Answer => format!("p({answer})"),
        Shown::Top => "p(likeliest token)".to_owned(),
    };
    let title = format!("Logit lens after each layer — {quantity}");
    header_ui(ui, &title, 200.0, |ui| {
        ui.selectable_value(&mut view.shown, Shown::Answer, "Answer");
        ui.selectable_value(&mut view.shown, Shown::Top, "Likeliest token");
    });

    let (n_layers, n_pos) = (lens.cells.n_rows(), lens.cells.n_columns());
    let cell_of = |cell: Cell| lens.cells.get(cell.column, cell.row);
    let shown = view.shown;
    let value = |cell: &LensCell| match shown {
        Shown::Answer => cell.answer_prob,
        Shown::Top => cell.top_prob,
    };
    let cells = (0..n_pos).flat_map(|row| (0..n_layers).map(move |column| Cell { row, column }));
    let values: Vec<f32> = cells.map(|cell| cell_of(cell).map_or(f32::NAN, value)).collect();
    let top_text = |cell: &LensCell| visible(&ctx.tokenizer.piece(cell.top_token));
    let cell_text = |cell: Cell| cell_of(cell).map_or_else(String::new, top_text);

    let mut caption = Caption::default();
    caption.add(
        Tone::Note,
        "* subject. Each layer's residual stream, read through the final layer norm and the \
         unembedding (nostalgebraist 2020)",
    );
    ctx.explain_marked_layers(&mut caption);
    let (tokens, layers) = (token_labels(prompt), layer_labels(n_layers));
    let map = Heatmap {
        name: "Logit lens",
        values: &values,
        rows: token_axis(prompt, &tokens),
        columns: layer_axis("Layer", &layers, ctx.marked_layers()),
        range: ctx.range(&quantity, (0.0, values.iter().copied().fold(1e-6, f32::max))),
        color_map: ColorMap::Oranges,
        quantity: &quantity,
        selected_row: ctx.selection.position,
        selected_column: ctx.selection.layer,
        cell_shape: CellShape::Free,
        provisional: None,
        cell_text: Some(&cell_text),
        max_height: ui.available_height() - caption.height(ui),
    };
    let response = map.show(ui, |cell| {
        cell_of(cell).map_or_else(String::new, |cell| {
            format!(
                "Likeliest {}  p {}\nAnswer {answer}  p {}, rank {}",
                top_text(cell),
                exact(cell.top_prob),
                exact(cell.answer_prob),
                cell.answer_rank + 1,
            )
        })
    });
    caption.show(ui);

    response.action(|Cell { row, column }| Selection {
        layer: Some(column),
        position: Some(row),
        ..ctx.selection
    })
}
