//! The list of facts at the left: its search, its filter, its rows.

use std::path::Path;
use std::time::Duration;

use eframe::egui::accesskit::Role;
use eframe::egui::{
    Align, CollapsingHeader, Context, Frame, Id, Label, Layout, Margin, Panel, Response, RichText,
    ScrollArea, TextEdit, Ui, WidgetInfo,
};

use super::fact_form::FactForm;
use super::fact_row::{Marks, ROW_HEIGHT, row_ui};
use super::grouped;
use super::known_by::known_by_ui;
use crate::facts::{Cardinality, Catalogue, Dataset, Direction, Record, Taken};
use crate::ui::command::Command;
use crate::ui::state::{FactId, Filter, Known, Lesson, Order, State};
use crate::ui::theme;
use crate::ui::widgets::{Choice, arrow_steps, command_button_ui, gives};

/// What the list remembers from one frame to the next.
#[derive(Debug, Default)]
pub struct FactsView {
    form: FactForm,

    /// Set until the list is scrolled to the chosen fact.
    is_revealing: bool,

    /// How far the list is scrolled and how high it is, in points, as it was last drawn. A height of 0: it
    /// was not drawn yet, or is another now.
    offset: f32,
    height: f32,

    /// The facts of the dataset in the rows that were last drawn.
    seen: Vec<usize>,

    /// The row that had the focus when the list was last drawn.
    focused: Option<Id>,
}

impl FactsView {
    /// Scrolls to the chosen fact.
    pub fn reveal(&mut self) {
        self.is_revealing = true;
    }

    /// The facts of the dataset that can be seen in the list.
    pub fn seen(&self) -> &[usize] {
        &self.seen
    }

    /// Shows a fact in the form, to be changed there.
    pub fn edit(&mut self, id: FactId, record: &Record) {
        self.form.edit(id, record);
    }

    /// Whether a person types a fact.
    pub fn is_typing(&self) -> bool {
        self.form.has_focus
    }

    /// Folds the form. What was typed of a new fact stays in it; a fact that was to be changed stays as it
    /// is.
    pub fn leave_form(&mut self) {
        self.form.leave();
    }

    /// Starts at the first of the facts that are now listed, or at the chosen one.
    pub fn list_anew(&mut self) {
        self.height = 0.0;
        self.reveal();
    }
}

/// What the list keeps of the panel, in points: three rows, and what is asked below them.
const LEAST_LIST: f32 = 3.0 * ROW_HEIGHT + 44.0;

/// What is above the list keeps so much, and scrolls where that is too little.
const LEAST_ABOVE: f32 = 60.0;

/// What the unfolded filter leaves of that for its own header and the form's, and how high it is at least.
const BESIDE_FILTER: f32 = 56.0;
const LEAST_FILTER: f32 = 90.0;

fn search_id() -> Id {
    Id::unique("fact search")
}

pub fn focus_search(ctx: &Context) {
    ctx.memory_mut(|memory| memory.request_focus(search_id()));
}

pub fn is_search_focused(ctx: &Context) -> bool {
    ctx.memory(|memory| memory.has_focus(search_id()))
}

pub fn facts_ui(ui: &mut Ui, state: &State, view: &mut FactsView, commands: &mut Vec<Command>) {
    search_ui(ui, state, commands);
    let room = (ui.available_height() - LEAST_LIST).max(LEAST_ABOVE);
    let area = ScrollArea::vertical().id_salt("above the list").auto_shrink([false, true]);
    area.max_height(room).min_scrolled_height(room).show(ui, |ui| {
        let top = ui.cursor().top();
        let left = |ui: &Ui| room - (ui.cursor().top() - top);
        reading_ui(ui, state);
        filter_ui(ui, state, left(ui), commands);
        view.form.show(ui, left(ui), commands);
    });
    ui.separator();
    view.seen.clear();
    recall_bar_ui(ui, state, commands);
    if state.facts.is_empty() {
        ui.label("No facts are open");
        ui.add_space(4.0);
        ui.label(RichText::new("Open a dataset, drop one here, or type a fact above").weak());
        ui.add_space(4.0);
        if ui.button(Command::OpenDataset.text()).clicked() {
            commands.push(Command::OpenDataset);
        }
        return;
    }
    if state.facts.found().is_empty() {
        let query = state.facts.query().trim();
        let text = if query.is_empty() {
            "No fact passes the filter".to_owned()
        } else {
            format!("No fact contains “{query}”")
        };
        ui.label(text);
        if *state.facts.filter() != Filter::default() && ui.button("Clear the filter").clicked() {
            commands.push(Command::FilterFacts(Box::default()));
        }
        return;
    }
    list_ui(ui, state, view, commands);
}

fn search_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let mut query = state.facts.query().to_owned();
    ui.horizontal(|ui| {
        let label = ui.strong("Facts");
        let (n_found, n_facts) = (state.facts.found().len(), state.facts.len());
        let count = if n_found == n_facts {
            grouped(n_facts)
        } else {
            format!("{} of {}", grouped(n_found), grouped(n_facts))
        };
        ui.weak(count);
        // A typed fact, or one that was chosen elsewhere, may not be among what is searched for.
        let is_unlisted = |id: &FactId| !state.facts.found().contains(id);
        if state.selected.is_some_and(|id| is_unlisted(&id)) {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let about = "The chosen fact does not pass the search or the filter, so the list \
                             leaves it out. Clears both";
                if ui.small_button("Show chosen").on_hover_text(about).clicked() {
                    commands.push(Command::SearchFacts(String::new()));
                    let Filter { order, known_by, .. } = *state.facts.filter();
                    let filter = Filter { known_by, order, ..Filter::default() };
                    commands.push(Command::FilterFacts(Box::new(filter)));
                }
            });
        }
        label
    });
    let edit = TextEdit::singleline(&mut query)
        .id(search_id())
        .background_color(theme::field_color(ui))
        .hint_text("Search prompts, answers, P103…")
        .desired_width(f32::INFINITY);
    let field = ui.add(edit);
    field.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::TextInput, true, Command::FocusSearch.text());
        info.current_text_value = Some(query.clone());
        info
    });
    if field.changed() {
        commands.push(Command::SearchFacts(query));
    }
    field.on_hover_text(Command::FocusSearch.tooltip());
}

/// What the columns of a dataset of the user's were taken for, and which records were left out.
fn reading_ui(ui: &mut Ui, state: &State) {
    let Some(dataset) = &state.facts.dataset else { return };
    if dataset.path == Path::new(Dataset::BUNDLED) || dataset.taken == Taken::default() {
        return;
    }
    let left_out = match dataset.n_skipped() {
        0 => String::new(),
        n => format!("; {} left out", grouped(n)),
    };
    let text = RichText::new(format!("{}{left_out}", dataset.taken)).weak().small();
    ui.label(text).on_hover_text(dataset.reading());
}

/// Which facts are listed, and in which order. `room`: the points for it and for what is below it above the list.
fn filter_ui(ui: &mut Ui, state: &State, room: f32, commands: &mut Vec<Command>) {
    if state.facts.dataset.is_none() {
        return;
    }
    let mut filter = state.facts.filter().clone();
    let is_active = filter != Filter::default();
    let title = if is_active { "Filter and sort ●" } else { "Filter and sort" };
    let fold = CollapsingHeader::new(title).id_salt("filter").show(ui, |ui| {
        let height = (room - BESIDE_FILTER).max(LEAST_FILTER);
        let area = ScrollArea::vertical().id_salt("filter").max_height(height);
        let area = area.min_scrolled_height(LEAST_FILTER).auto_shrink([false, true]);
        area.show(ui, |ui| filter_fields_ui(ui, state, &mut filter));
    });
    if fold.header_response.has_focus() {
        theme::focus_ring(ui, fold.header_response.rect);
    }
    if filter != *state.facts.filter() {
        commands.push(Command::FilterFacts(Box::new(filter)));
    }
}

fn filter_fields_ui(ui: &mut Ui, state: &State, filter: &mut Filter) {
    let counts = state.facts.relations();
    let relation = |relation: &Option<String>| match relation {
        None => "All relations".to_owned(),
        Some(it) => {
            let count = counts.get(it).copied().unwrap_or_default();
            format!("{} ({})", relation_name(it), grouped(count))
        }
    };
    let relations = [None].into_iter().chain(counts.keys().cloned().map(Some));
    choose_ui(ui, "Relation", &mut filter.relation, relations, relation);
    let cardinalities = [None].into_iter().chain(Cardinality::ALL.map(Some));
    choose_ui(ui, "Cardinality", &mut filter.cardinality, cardinalities, |it| {
        it.map_or_else(|| "Any cardinality".to_owned(), |it| it.to_string())
    });
    let known = [None].into_iter().chain(Known::ALL.map(Some));
    choose_ui(ui, "Recall", &mut filter.known, known, |it| {
        it.map_or("Known or not", Known::text).to_owned()
    });
    let width = ui.available_width() - 8.0;
    known_by_ui(ui, "Known by ", width, &mut filter.known_by);
    let lessons = state.facts.lessons();
    if !lessons.is_empty() {
        let lessons = [None].into_iter().chain(lessons.into_iter().map(Some));
        choose_ui(ui, "Taught", &mut filter.lesson, lessons, |it| {
            it.map_or_else(|| "Taught or not".to_owned(), Lesson::text)
        });
    }
    choose_ui(ui, "Order", &mut filter.order, Order::ALL, |it| it.text().to_owned());
    ui.horizontal_wrapped(|ui| {
        ui.checkbox(&mut filter.has_inverse, "Has an inverse");
        ui.checkbox(&mut filter.is_one_token, "Answer is one token");
        ui.checkbox(&mut filter.no_leak, "Answer not in the prompt")
            .on_hover_text("Leaves out facts whose answer could be copied");
        ui.checkbox(&mut filter.no_collision, "Answer's first token is its own").on_hover_text(
            "Leaves out facts whose answer starts like another answer of the relation",
        );
    });
    recall_summary_ui(ui, state);
    if *filter != Filter::default() && ui.button("Clear the filter").clicked() {
        *filter = Filter::default();
    }
}

/// Such as `P36  capital`.
pub(super) fn relation_name(id: &str) -> String {
    match Catalogue::bundled().label(id) {
        Some(label) => format!("{id}  {label}"),
        None => id.to_owned(),
    }
}

/// A box as wide as the list of facts.
fn choose_ui<T: Clone + PartialEq>(
    ui: &mut Ui,
    name: &str,
    chosen: &mut T,
    choices: impl IntoIterator<Item = T>,
    text: impl Fn(&T) -> String,
) {
    let choices: Vec<T> = choices.into_iter().collect();
    let width = ui.available_width() - 8.0;
    let choice = Choice { is_cut: true, ..Choice::new(name, width) };
    choice.show(ui, chosen, &choices, |it| (text(it).into(), "")).accessible_name(name);
}

/// Says how many of the facts asked so far the model knows.
fn recall_summary_ui(ui: &mut Ui, state: &State) {
    let by = state.facts.filter().known_by;
    let share = |direction, name: &str| {
        let (n_known, n_measured) = state.facts.recall().count(direction, by);
        (n_measured > 0).then(|| {
            let percent = 100.0 * n_known as f32 / n_measured as f32;
            format!("{name} {} of {} ({percent:.0} %)", grouped(n_known), grouped(n_measured))
        })
    };
    let parts = [share(Direction::Forward, "Knows"), share(Direction::Inverse, "inverses")];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if !text.is_empty() {
        let text = format!("{text}, by {}", by.text());
        ui.label(RichText::new(text).small().weak())
            .on_hover_text("Of the facts asked so far. Answers are judged by their first token");
    }
}

/// Below the list, while not all facts are asked whether the model knows them: how many are not, what asking
/// them takes, and the button for that. Where it takes little it is done unasked.
fn recall_bar_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let n_open = state.facts.recall().n_open();
    // Before the model has answered anything, nobody knows what it takes.
    let is_unasked = state.recall_goes_on.is_none()
        && (state.asks_all_unasked() || state.recall_left().is_none());
    if !state.measures_recall() || n_open == 0 || is_unasked {
        return;
    }
    let frame = Frame::NONE.inner_margin(Margin::symmetric(0, 4));
    let panel = Panel::bottom("recall").resizable(false).show_separator_line(false).frame(frame);
    panel.show(ui, |ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let command = Command::AskAllFacts(!state.asks_all_facts());
            let cost = state.recall_left().map(|it| format!(", {}", about_as_long(it)));
            let text = format!("{}{}", command.text(), cost.unwrap_or_default());
            gives(ui.small_button(text), command, commands);
            let filter = state.facts.filter();
            let is_left_out = filter.known.is_some() || filter.is_one_token;
            let is_missing = if is_left_out { "left out: not asked" } else { "not asked yet" };
            let text = format!("{} {is_missing}", grouped(n_open));
            let label = Label::new(RichText::new(text).small().weak()).truncate();
            ui.add(label).on_hover_text(
                "Questions, one each way, whose answers the model was not asked for. Facts that are \
                 seen are asked; the others when you say so. They show → ? and ← ?",
            );
        });
    });
}

/// Such as `3 min`.
fn about_as_long(time: Duration) -> String {
    match time.as_secs() {
        0..90 => format!("{} s", time.as_secs().max(1)),
        90..5400 => format!("{} min", (time.as_secs() + 30) / 60),
        secs => format!("{} h", (secs + 1800) / 3600),
    }
}

fn list_ui(ui: &mut Ui, state: &State, view: &mut FactsView, commands: &mut Vec<Command>) {
    let found = state.facts.found();
    ui.spacing_mut().item_spacing.y = 0.0;
    let mut area = ScrollArea::vertical().auto_shrink(false).min_scrolled_height(0.0);
    if view.is_revealing && !found.is_empty() {
        view.is_revealing = false;
        let row = state.selected.and_then(|id| found.iter().position(|it| *it == id));
        let top = row.unwrap_or(0) as f32 * ROW_HEIGHT;
        let bottom = top + ROW_HEIGHT;
        // A new list begins at its start, wherever the one before it was left.
        let is_new = view.height <= 0.0;
        let (offset, height) =
            if is_new { (0.0, ui.available_height()) } else { (view.offset, view.height) };
        let wanted = if top < offset {
            Some(top)
        } else if bottom > offset + height {
            Some(bottom - height)
        } else {
            is_new.then_some(offset)
        };
        if let Some(wanted) = wanted {
            area = area.vertical_scroll_offset(wanted);
        }
    }
    let output = area.show_rows(ui, ROW_HEIGHT, found.len(), |ui, rows| {
        let shown = &found[rows];
        view.seen.extend(shown.iter().filter_map(|it| match it {
            FactId::Record(nth) => Some(*nth),
            FactId::Typed(_) | FactId::Experiment => None,
        }));
        // The list is one stop of Tab: the chosen fact, and from there arrow keys go on.
        let chosen = shown.iter().find(|it| state.selected == Some(**it));
        let stop = chosen.or_else(|| shown.first()).copied();
        for &id in shown {
            let Some(record) = state.facts.get(id) else { continue };
            let recalled = Direction::ALL.map(|it| state.recalled(id, it));
            let is_open = Direction::ALL.map(|it| match id {
                FactId::Record(nth) => {
                    state.measures_recall() && state.facts.recall().is_open(nth, it)
                }
                FactId::Typed(_) | FactId::Experiment => false,
            });
            let row = Marks {
                is_selected: state.selected == Some(id),
                is_beside: state.beside.is_some_and(|it| it.fact == id),
                is_stop: stop == Some(id),
                is_open,
                known_by: state.facts.filter().known_by,
            };
            let response = row_ui(ui, record, recalled, row);
            if row.is_stop {
                keys_ui(ui, &response, view, commands);
            }
            let beside = Command::ShowBeside(id);
            if response.clicked() {
                let is_beside = ui.input(|input| input.modifiers.command);
                commands.push(if is_beside { beside.clone() } else { Command::Select(id) });
            }
            response.context_menu(|ui| {
                command_button_ui(ui, beside, commands);
                let is_typed = matches!(id, FactId::Typed(_));
                let own =
                    [Command::EditFact].into_iter().chain(is_typed.then_some(Command::RemoveFact));
                for command in own {
                    let button = ui.button(command.text()).on_hover_text(command.tooltip());
                    if button.clicked() {
                        // They are about the chosen fact.
                        commands.extend([Command::Select(id), command]);
                    }
                }
            });
        }
    });
    let before = (view.offset, view.height);
    view.offset = output.state.clamped_offset().y;
    view.height = output.inner_rect.height();
    // A window that is made smaller keeps the chosen fact in sight, if it was.
    let row = state.selected.and_then(|id| found.iter().position(|it| *it == id));
    let is_seen = |(offset, height): (f32, f32)| {
        row.is_some_and(|row| {
            let top = row as f32 * ROW_HEIGHT;
            top >= offset - 0.5 && top + ROW_HEIGHT <= offset + height + 0.5
        })
    };
    let is_lower = view.height < before.1;
    if is_lower && is_seen(before) && !is_seen((view.offset, view.height)) {
        view.reveal();
        ui.request_repaint();
    }
}

/// Lets arrow keys choose facts while a row has the focus, which goes with what is chosen.
fn keys_ui(ui: &Ui, stop: &Response, view: &mut FactsView, commands: &mut Vec<Command>) {
    if view.focused.is_some() && ui.memory(|it| it.focused()) == view.focused {
        stop.request_focus();
    }
    view.focused = stop.has_focus().then_some(stop.id);
    if stop.has_focus() {
        match arrow_steps(ui, stop.id).0 {
            0 => {}
            down => commands.push(if down > 0 { Command::NextFact } else { Command::PreviousFact }),
        }
    }
}
