//! By what facts count as known: a choice, and where it is a rank, up to which.

use eframe::egui::{DragValue, Ui};

use crate::population::KnownBy;
use crate::ui::widgets::Choice;

/// Points that the number of guesses takes beside what facts are known by, and the most guesses.
const RANK_WIDTH: f32 = 56.0;
const MOST_GUESSES: usize = 1000;

/// Draws the choice. `width`: of all of it, in points.
pub(super) fn known_by_ui(ui: &mut Ui, name: &str, width: f32, by: &mut KnownBy) {
    let is_ranked = |it: &KnownBy| matches!(it, KnownBy::Rank(2..));
    let ranked = if is_ranked(by) { *by } else { KnownBy::TEN };
    let width = if is_ranked(by) { width - RANK_WIDTH } else { width };
    ui.horizontal(|ui| {
        let choice = Choice { is_cut: true, ..Choice::new(name, width) };
        let all = [KnownBy::FIRST, ranked, KnownBy::Choice];
        let shown = choice.show(ui, by, &all, |it| match *it {
            KnownBy::FIRST => {
                ("First guess".into(), "A right answer is the first guess, as in ROME")
            }
            KnownBy::Rank(_) => {
                ("Rank, up to".into(), "A right answer is among so many first guesses")
            }
            KnownBy::Choice => (
                "Choice".into(),
                "Among the answers of all facts of the relation, a right one is the likeliest",
            ),
        });
        shown.accessible_name(name);
        if let KnownBy::Rank(n @ 2..) = by {
            let field = ui.add(DragValue::new(n).range(2..=MOST_GUESSES));
            field.on_hover_text("How many first guesses").accessible_name("First guesses");
        }
    });
}
