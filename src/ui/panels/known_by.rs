//! By what facts count as known: a choice, and where it is a rank, up to which.

use eframe::egui::{DragValue, Ui};

use crate::population::KnownBy;
use crate::ui::widgets::Choice;

/// Points that the number of guesses takes beside what facts are known by, and the most guesses.
const RANK_WIDTH: f32 = 56.0;
const MOST_GUESSES: usize = 1000;

const NAME: &str = "Known by";

/// Draws the choice. `said`: what stands before each in the box; `width`: of all of it, in points.
pub(super) fn known_by_ui(ui: &mut Ui, said: &str, width: f32, by: &mut KnownBy) {
    let is_ranked = |it: &KnownBy| matches!(it, KnownBy::Rank(2..));
    let ranked = if is_ranked(by) { *by } else { KnownBy::TEN };
    let width = if is_ranked(by) { width - RANK_WIDTH } else { width };
    ui.horizontal(|ui| {
        let choice = Choice { is_cut: true, ..Choice::new(NAME, width) };
        let all = [KnownBy::FIRST, ranked, KnownBy::Choice];
        let shown = choice.show(ui, by, &all, |it| {
            let (text, about) = match *it {
                KnownBy::FIRST => ("first guess", "A right answer is the first guess, as in ROME"),
                KnownBy::Rank(_) => {
                    ("rank, up to", "A right answer is among so many first guesses")
                }
                KnownBy::Choice => (
                    "choice",
                    "Among the answers of all facts of the relation, a right one is the likeliest",
                ),
            };
            (format!("{said}{text}").into(), about)
        });
        shown.accessible_name(NAME);
        if let KnownBy::Rank(n @ 2..) = by {
            let field = ui.add(DragValue::new(n).range(2..=MOST_GUESSES));
            field.on_hover_text("How many first guesses").accessible_name("First guesses");
        }
    });
}
