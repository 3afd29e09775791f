//! The form of a question that is about to be asked of many facts.

use eframe::egui::{Button, Frame, Key, Label, Response, RichText, TextEdit, TextStyle, Ui, vec2};

use super::grouped;
use super::known_by::known_by_ui;
use crate::figure::words::counted;
use crate::population::{AnswerOf, Ways, Wording, duration};
use crate::ui::command::Command;
use crate::ui::state::{Amount, AmountBy, Asking, Estimated, State, capitalized};
use crate::ui::theme;
use crate::ui::widgets::{Choice, command_button_ui, gives, keep_together};

/// The widths of a combo box, of the button beside the folder, and of a time or a width that is typed, in
/// points.
const CHOICE_WIDTH: f32 = 130.0;
const CHOOSE_WIDTH: f32 = 90.0;
const GOAL_WIDTH: f32 = 110.0;

/// The width of the button that starts, whatever stands on it, and the lines that are kept free for what is
/// told of the time.
const START_WIDTH: f32 = 64.0;
const N_LINES: f32 = 2.0;

/// Draws what is about to be asked, of how many facts, and how long that takes.
pub fn sweep_form_ui(ui: &mut Ui, asking: &Asking, state: &State, commands: &mut Vec<Command>) {
    let mut options = asking.options.clone();
    let n_tasks = state.n_listed(options.ways);
    Frame::group(ui.style()).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let title = format!("Over facts: {}", asking.pane.text());
        ui.label(RichText::new(title).strong());
        let n_facts = n_tasks / options.ways.directions().len();
        let facts = counted(n_facts, "fact");
        ui.label(format!("Of {facts} that the list shows; its search and filter choose others"))
            .on_hover_text(
                "What the view asks of its own fact is found again in each other by its role: \
                 its prompt, its inverse, the tokens of its subject, its answer",
            );
        ui.horizontal_wrapped(|ui| {
            let ways = [Ways::Both, Ways::Forward, Ways::Inverse];
            choice_ui(ui, "Ask", &mut options.ways, &ways, |it| match it {
                Ways::Both => ("both ways", "Each fact, and its inverse"),
                Ways::Forward => ("the facts", "From the subject"),
                Ways::Inverse => ("the inverses", "From the answer"),
            });
            let answers = [AnswerOf::Right, AnswerOf::Guess];
            choice_ui(ui, "Answer", &mut options.settings.answer, &answers, |it| match it {
                AnswerOf::Right => {
                    ("the right one", "Of several, the one that the model finds likeliest")
                }
                AnswerOf::Guess => ("the first guess", "What the model says, as in ROME"),
            });
            let words = [Wording::Own, Wording::Best];
            choice_ui(ui, "Words", &mut options.wording, &words, |it| match it {
                Wording::Own => ("the dataset's", "As the list shows them"),
                Wording::Best => (
                    "the best known",
                    "Of the dataset's and the relation's templates the one in which each is recalled \
                     best: asked so, facts are known better than they usually are",
                ),
            });
            keep_together(ui, "Known by", CHOICE_WIDTH);
            ui.label("Known by");
            known_by_ui(ui, "", CHOICE_WIDTH, &mut options.known_by);
            if asking.draws {
                ui.checkbox(&mut options.settings.shared_draws, "Same draws for all facts")
                    .on_hover_text(
                        "As in ROME; intervals over facts then leave out how much a mean would \
                         change with other draws",
                    );
            }
        });
        let mut is_entered = amount_ui(ui, &mut options.amount);
        ui.horizontal(|ui| {
            let label = ui.label("Folder");
            let hint = "in your folder for data, named by the question";
            let width = ui.available_width() - CHOOSE_WIDTH;
            let field = ui.add(
                TextEdit::singleline(&mut options.dir)
                    .hint_text(hint)
                    .background_color(theme::field_color(ui))
                    .desired_width(width),
            );
            is_entered |= is_entered_in(ui, &field);
            field.labelled_by(label.id).on_hover_text(
                "Where the numbers are written, as Parquet files. A folder of the same question is \
                 gone on with",
            );
            command_button_ui(ui, Command::ChooseSweepDir, commands);
        });
        // The estimate stands below the buttons, which stay where they are.
        start_ui(ui, asking, (n_tasks, is_entered), commands);
        ui.scope(|ui| {
            ui.set_min_height(N_LINES * ui.text_style_height(&TextStyle::Body));
            estimate_ui(ui, asking, n_tasks);
        });
    });
    if options != asking.options {
        commands.push(Command::SetMany(Box::new(options)));
    }
}

/// Whether what is typed in a field was ended with Enter.
fn is_entered_in(ui: &Ui, field: &Response) -> bool {
    field.lost_focus() && ui.input(|it| it.key_pressed(Key::Enter))
}

/// How many of the facts are asked, and for what that is chosen. Returns whether that was ended with Enter.
fn amount_ui(ui: &mut Ui, amount: &mut Amount) -> bool {
    let shown = ui.horizontal(|ui| {
        let all = [AmountBy::All, AmountBy::Time, AmountBy::Width];
        choice_ui(ui, "Facts", &mut amount.by, &all, |it| match it {
            AmountBy::All => ("all of them", "With the draws that the view asks for"),
            AmountBy::Time => (
                "for a time",
                "A few facts are tried, to choose how many are drawn at random and how often the \
                 corruption of each, so that the mean is told best in that time",
            ),
            AmountBy::Width => (
                "for an interval",
                "A few facts are tried, to choose how many are drawn at random and how often the \
                 corruption of each, for a 95 % interval of the mean so wide from end to end",
            ),
        });
        let (name, hint) = match amount.by {
            AmountBy::All => return false,
            AmountBy::Time => ("Time", "90s, 20m, 2h"),
            AmountBy::Width => ("Width", "0.01"),
        };
        let label = ui.label(name);
        let field = TextEdit::singleline(&mut amount.text)
            .hint_text(hint)
            .background_color(theme::field_color(ui))
            .desired_width(GOAL_WIDTH);
        let field = ui.add(field).labelled_by(label.id);
        is_entered_in(ui, &field)
    });
    shown.inner
}

fn estimate_ui(ui: &mut Ui, asking: &Asking, n_tasks: usize) {
    match &asking.estimate {
        Estimated::Running(_) => {
            ui.weak("Trying a few facts, to tell how long all take…");
        }
        Estimated::Known(estimate) => {
            ui.add(Label::new(estimate.text(n_tasks, None).trim_end()).wrap());
        }
        Estimated::Chosen(chosen) => {
            for sentence in &chosen.told {
                ui.add(Label::new(capitalized(sentence)).wrap());
            }
        }
        Estimated::Failed(error) => {
            let text = RichText::new(error).color(theme::palette(ui).error);
            ui.add(Label::new(text).wrap().selectable(true));
        }
    }
}

/// The buttons. `is_entered`: whether Enter was pressed in a field, which starts as the button does.
fn start_ui(
    ui: &mut Ui,
    asking: &Asking,
    (n_tasks, is_entered): (usize, bool),
    commands: &mut Vec<Command>,
) {
    let cost = asking.cost(n_tasks);
    ui.horizontal(|ui| {
        let text = if asking.is_unsure { "Begin" } else { "Start" };
        let size = vec2(START_WIDTH, ui.spacing().interact_size.y);
        let button = Button::new(text).fill(theme::palette(ui).accent_fill).min_size(size);
        let can_start = n_tasks > 0 && cost.is_some();
        let button = ui.add_enabled(can_start, button);
        // Enter is pressed on it without a way through all controls, once it can be.
        let id = ui.scope_id().with("could start");
        let could_start = ui.data_mut(|it| {
            let before = it.get_temp(id).unwrap_or(false);
            it.insert_temp(id, can_start);
            before
        });
        if can_start && !could_start && ui.memory(|it| it.focused().is_none()) {
            button.request_focus();
        }
        gives(button, Command::StartSweep, commands);
        if is_entered && can_start {
            commands.push(Command::StartSweep);
        }
        command_button_ui(ui, Command::LeaveAsking, commands);
    });
    if let Some((secs, n_tasks)) = cost.filter(|_| asking.is_unsure) {
        let text = format!(
            "{} facts take about {}. Begin? It can be stopped and gone on with at any time.",
            grouped(n_tasks),
            duration(secs)
        );
        ui.label(RichText::new(text).color(theme::palette(ui).warning));
    }
}

fn choice_ui<T: Clone + PartialEq>(
    ui: &mut Ui,
    name: &str,
    chosen: &mut T,
    choices: &[T],
    describe: impl Fn(&T) -> (&'static str, &'static str),
) {
    keep_together(ui, name, CHOICE_WIDTH);
    let label = ui.label(name);
    let shown = Choice::new(name, CHOICE_WIDTH).show(ui, chosen, choices, |it| {
        let (text, about) = describe(it);
        (text.into(), about)
    });
    shown.labelled_by(label.id);
}
