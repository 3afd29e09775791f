//! Two prompts above each other, whose tokens are paired by clicks.

use std::collections::BTreeMap;
use std::iter;

use eframe::egui::{Align, Button, Label, Layout, Rect, Stroke, Ui, vec2};

use super::token_strip::{Chip, folded, gap_ui, named_chip_ui};
use crate::analysis::Pair;
use crate::tokens::{TokenizedPrompt, visible};
use crate::ui::theme::palette;

/// The change of the pairs that a click asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairingClick {
    Add(Pair),
    Remove(Pair),
}

/// The prompt that a token belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Donor,
    Recipient,
}

/// The token that was clicked first, and waits for its partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Half {
    end: End,
    pos: usize,
}

/// The number of pairs that are listed whole; of more, the number at each end.
const MANY_PAIRS: usize = 24;
const N_LISTED: usize = 6;

/// The height of the lines between the rows.
const GAP: f32 = 30.0;

/// The width of the name of a row, so that both rows begin at one place.
const NAME_WIDTH: f32 = 92.0;

/// Two prompts as rows of tokens, the one that gives above the one that is given, with lines between
/// those that are paired; below them the pairs as a list.
pub fn pairing_ui(
    ui: &mut Ui,
    donor: &TokenizedPrompt,
    recipient: &TokenizedPrompt,
    pairs: &[Pair],
) -> Option<PairingClick> {
    // A position has a meaning in these two prompts only.
    let id = ui.scope_id().with(("half a pair", &donor.ids, &recipient.ids));
    let half = ui.data(|data| data.get_temp::<Half>(id));
    let is_paired = |end: End, pos: usize| pairs.iter().any(|pair| at(*pair, end) == pos);
    // Long prompts scroll with their pane: an area of their own would keep what asks to be seen in them to
    // itself.
    let width = ui.available_width();
    let rows = ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0;
        let above = row_ui(ui, donor, End::Donor, half, &is_paired);
        ui.add_space(GAP);
        let below = row_ui(ui, recipient, End::Recipient, half, &is_paired);
        (above, below)
    });
    let (above, below) = rows.inner;

    let clicked = [(End::Donor, above.clicked), (End::Recipient, below.clicked)]
        .into_iter()
        .find_map(|(end, clicked)| Some(Half { end, pos: clicked? }));
    let mut click = None;
    if let Some(now) = clicked {
        let kept = match half {
            // The same token was clicked again, which takes it back.
            Some(first) if first == now => None,
            Some(first) if first.end != now.end => {
                let (donor, recipient) =
                    if now.end == End::Donor { (now.pos, first.pos) } else { (first.pos, now.pos) };
                click = Some(PairingClick::Add(Pair { donor, recipient }));
                None
            }
            _ => Some(now),
        };
        ui.data_mut(|data| match kept {
            Some(half) => _ = data.insert_temp(id, half),
            None => data.remove::<Half>(id),
        });
    }

    let mut pointed_at = None;
    // Of many pairs the first and the last are listed, until all are asked for.
    let all_listed = id.with("all pairs");
    let is_short =
        pairs.len() <= MANY_PAIRS || ui.data(|data| data.get_temp(all_listed)) == Some(true);
    let left_out = if is_short { 0..0 } else { N_LISTED..pairs.len() - N_LISTED };
    let list = |ui: &mut Ui| {
        for (nth, &pair) in pairs.iter().enumerate() {
            if left_out.contains(&nth) {
                let text = format!("… {} pairs …", left_out.len());
                if nth == left_out.start
                    && ui.small_button(text).on_hover_text("A click lists them").clicked()
                {
                    ui.data_mut(|data| data.insert_temp(all_listed, true));
                }
                continue;
            }
            let [from, to] = [(pair.donor, donor), (pair.recipient, recipient)]
                .map(|(pos, prompt)| format!("{pos} {}", piece(prompt, pos)));
            let response = ui
                .add(Button::new(format!("{from} → {to}")).small())
                .accessible_name(format!("Remove the pair {from} → {to}"))
                .on_hover_text("Click to remove this pair");
            if response.hovered() || response.has_focus() {
                pointed_at = Some(pair);
            }
            if response.clicked() {
                click = Some(PairingClick::Remove(pair));
            }
        }
    };
    // Prompts that are wider than the pane do not make the list wider.
    let size = vec2(width, ui.spacing().interact_size.y);
    let lines = Layout::left_to_right(Align::Center).with_main_wrap(true);
    ui.allocate_ui_with_layout(size, lines, list);

    let is_pointed_at = |pair: &Pair| {
        pointed_at == Some(*pair)
            || above.pointed_at == Some(pair.donor)
            || below.pointed_at == Some(pair.recipient)
    };
    lines_ui(ui, pairs, [&above.chips, &below.chips], &is_pointed_at);
    click
}

/// The places of the tokens that a row shows, by position, and which of them was clicked or pointed at.
struct Row {
    chips: BTreeMap<usize, Rect>,
    clicked: Option<usize>,
    pointed_at: Option<usize>,
}

fn row_ui(
    ui: &mut Ui,
    prompt: &TokenizedPrompt,
    of: End,
    half: Option<Half>,
    is_paired: &dyn Fn(End, usize) -> bool,
) -> Row {
    let (whose, other) = match of {
        End::Donor => ("Other prompt", "this prompt"),
        End::Recipient => ("This prompt", "the other prompt"),
    };
    let mut row = Row { chips: BTreeMap::new(), clicked: None, pointed_at: None };
    let unfolded = ui.scope_id().with(("unfolded", whose, &prompt.ids));
    let is_folded = ui.data(|data| data.get_temp(unfolded)) != Some(true);
    let shown = if is_folded { folded(prompt) } else { iter::once(0..prompt.n_pos()).collect() };
    ui.horizontal(|ui| {
        ui.add_sized(vec2(NAME_WIDTH, 0.0), Label::new(whose).halign(Align::LEFT));
        let mut end = 0;
        for pos in shown.into_iter().flatten() {
            let selected = half.filter(|it| it.end == of).map(|it| it.pos);
            if pos > end && gap_ui(ui, end..pos, selected) {
                ui.data_mut(|data| data.insert_temp(unfolded, true));
            }
            end = pos + 1;
            let text = &prompt.pieces[pos];
            let is_subject = prompt.subject.as_ref().is_some_and(|it| it.contains(&pos));
            let chip = if is_subject { Chip::Subject } else { Chip::Plain };
            let name = format!("{whose}, token {pos} {}", visible(text));
            let is_chosen = half == Some(Half { end: of, pos });
            let response = named_chip_ui(ui, &name, text, chip, Some(pos), is_chosen);
            row.chips.insert(pos, response.rect);
            if response.clicked() {
                row.clicked = Some(pos);
            }
            if response.hovered() || response.has_focus() {
                row.pointed_at = Some(pos);
            }
            let state = if is_paired(of, pos) { "Paired" } else { "Not paired" };
            let what = match half {
                Some(half) if half.end != of => "pair it with the one that is chosen".to_owned(),
                _ => format!("pair it with one of {other}"),
            };
            response.on_hover_text(format!("{state}. Click to {what}"));
        }
    });
    row
}

/// Draws a line for each pair that both rows show.
fn lines_ui(
    ui: &Ui,
    pairs: &[Pair],
    [above, below]: [&BTreeMap<usize, Rect>; 2],
    is_pointed_at: &dyn Fn(&Pair) -> bool,
) {
    let colors = palette(ui);
    let painter = ui.painter();
    for pair in pairs {
        let (Some(from), Some(to)) = (above.get(&pair.donor), below.get(&pair.recipient)) else {
            continue;
        };
        let stroke = if is_pointed_at(pair) {
            Stroke::new(2.5, colors.accent)
        } else {
            Stroke::new(1.25, colors.weak_text)
        };
        let ends = [from.center_bottom() + vec2(0.0, 2.0), to.center_top() - vec2(0.0, 2.0)];
        painter.line_segment(ends, stroke);
    }
}

fn at(pair: Pair, end: End) -> usize {
    match end {
        End::Donor => pair.donor,
        End::Recipient => pair.recipient,
    }
}

fn piece(prompt: &TokenizedPrompt, pos: usize) -> String {
    prompt.pieces.get(pos).map(|it| visible(it)).unwrap_or_default()
}
