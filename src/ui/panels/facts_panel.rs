//! The list of facts at the left: its search, its filter, its rows.

use eframe::egui::accesskit::Role;
use eframe::egui::text::{LayoutJob, TextFormat, TextWrapping};
use eframe::egui::{
    CollapsingHeader, Color32, ComboBox, Context, CornerRadius, FontId, Id, Rect, Response,
    RichText, ScrollArea, Sense, TextEdit, TextStyle, Ui, WidgetInfo, pos2, vec2,
};

use super::fact_form::FactForm;
use super::grouped;
use crate::facts::{Cardinality, Catalogue, Direction, Record};
use crate::ui::command::Command;
use crate::ui::state::{Filter, Known, Lesson, Order, Recalled, State};
use crate::ui::theme;
use crate::ui::widgets::command_button_ui;

/// Points that a row of two lines of text takes.
const ROW_HEIGHT: f32 = 42.0;
const PADDING: f32 = 8.0;

/// What the list remembers from one frame to the next.
#[derive(Debug, Default)]
pub struct FactsView {
    form: FactForm,

    /// Set until the list is scrolled to the chosen fact.
    is_revealing: bool,

    /// How far the list is scrolled and how high it is, in points, as it was last drawn.
    offset: f32,
    height: f32,
}

impl FactsView {
    /// Scrolls to the chosen fact.
    pub fn reveal(&mut self) {
        self.is_revealing = true;
    }

    /// Starts at the first of the facts that are now listed, or at the chosen one.
    pub fn list_anew(&mut self) {
        self.offset = 0.0;
        self.reveal();
    }
}

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
    filter_ui(ui, state, commands);
    view.form.show(ui, commands);
    ui.separator();
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

/// Which facts are listed, and in which order.
fn filter_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    if state.facts.dataset.is_none() {
        return;
    }
    let mut filter = state.facts.filter().clone();
    let is_active = filter != Filter::default();
    let title = if is_active { "Filter and sort ●" } else { "Filter and sort" };
    CollapsingHeader::new(title).id_salt("filter").show(ui, |ui| {
        let width = ui.available_width() - 8.0;
        let text =
            filter.relation.as_deref().map_or_else(|| "All relations".to_owned(), relation_name);
        combo(ui, "Relation", text, width, |ui| {
            ui.selectable_value(&mut filter.relation, None, "All relations");
            for (relation, count) in state.facts.relations() {
                let text = format!("{} ({})", relation_name(relation), grouped(*count));
                ui.selectable_value(&mut filter.relation, Some(relation.clone()), text);
            }
        });
        let text =
            filter.cardinality.map_or_else(|| "Any cardinality".to_owned(), |it| it.to_string());
        combo(ui, "Cardinality", text, width, |ui| {
            ui.selectable_value(&mut filter.cardinality, None, "Any cardinality");
            for cardinality in Cardinality::ALL {
                let text = cardinality.to_string();
                ui.selectable_value(&mut filter.cardinality, Some(cardinality), text);
            }
        });
        let text = filter.known.map_or("Known or not", Known::text);
        combo(ui, "Recall", text.to_owned(), width, |ui| {
            ui.selectable_value(&mut filter.known, None, "Known or not");
            for known in Known::ALL {
                ui.selectable_value(&mut filter.known, Some(known), known.text());
            }
        });
        let lessons = state.facts.lessons();
        if !lessons.is_empty() {
            let text = filter.lesson.map_or_else(|| "Taught or not".to_owned(), Lesson::text);
            combo(ui, "Taught", text, width, |ui| {
                ui.selectable_value(&mut filter.lesson, None, "Taught or not");
                for lesson in lessons {
                    ui.selectable_value(&mut filter.lesson, Some(lesson), lesson.text());
                }
            });
        }
        combo(ui, "Order", filter.order.text().to_owned(), width, |ui| {
            for order in Order::ALL {
                ui.selectable_value(&mut filter.order, order, order.text());
            }
        });
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
        if is_active && ui.button("Clear the filter").clicked() {
            filter = Filter::default();
        }
    });
    if filter != *state.facts.filter() {
        commands.push(Command::FilterFacts(Box::new(filter)));
    }
}

/// Such as `P36  capital`.
fn relation_name(id: &str) -> String {
    match Catalogue::bundled().label(id) {
        Some(label) => format!("{id}  {label}"),
        None => id.to_owned(),
    }
}

fn combo(ui: &mut Ui, name: &str, text: String, width: f32, list: impl FnOnce(&mut Ui)) {
    ComboBox::from_id_salt(name)
        .selected_text(text)
        .width(width)
        .truncate()
        .show_ui(ui, list)
        .response
        .accessible_name(name);
}

/// Says how many of the facts asked so far the model knows.
fn recall_summary_ui(ui: &mut Ui, state: &State) {
    let share = |direction, name: &str| {
        let (n_known, n_measured) = state.facts.recall().count(direction);
        (n_measured > 0).then(|| {
            let percent = 100.0 * n_known as f32 / n_measured as f32;
            format!("{name} {} of {} ({percent:.0} %)", grouped(n_known), grouped(n_measured))
        })
    };
    let parts = [share(Direction::Forward, "Knows"), share(Direction::Inverse, "inverses")];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if !text.is_empty() {
        ui.label(RichText::new(text).small().weak()).on_hover_text(
            "Facts whose answer's first token is the model's first guess, of those asked so far",
        );
    }
}

fn list_ui(ui: &mut Ui, state: &State, view: &mut FactsView, commands: &mut Vec<Command>) {
    let found = state.facts.found();
    ui.spacing_mut().item_spacing.y = 0.0;
    let mut area = ScrollArea::vertical().auto_shrink(false);
    if std::mem::take(&mut view.is_revealing) {
        let row = state.selected.and_then(|id| found.iter().position(|it| *it == id));
        let top = row.unwrap_or(0) as f32 * ROW_HEIGHT;
        let bottom = top + ROW_HEIGHT;
        let height = if view.height > 0.0 { view.height } else { ui.available_height() };
        if top < view.offset {
            area = area.vertical_scroll_offset(top);
        } else if bottom > view.offset + height {
            area = area.vertical_scroll_offset(bottom - height);
        }
    }
    let output = area.show_rows(ui, ROW_HEIGHT, found.len(), |ui, rows| {
        for &id in &found[rows] {
            let Some(record) = state.facts.get(id) else { continue };
            let recalled =
                [Direction::Forward, Direction::Inverse].map(|it| state.recalled(id, it));
            let row = Marks {
                is_selected: state.selected == Some(id),
                is_beside: state.beside.is_some_and(|it| it.fact == id),
            };
            let response = row_ui(ui, record, recalled, row);
            let beside = Command::ShowBeside(id);
            if response.clicked() {
                let is_beside = ui.input(|input| input.modifiers.command);
                commands.push(if is_beside { beside.clone() } else { Command::Select(id) });
            }
            response.context_menu(|ui| {
                command_button_ui(ui, beside, commands);
            });
        }
    });
    view.offset = output.state.clamped_offset().y;
    view.height = output.inner_rect.height();
}

/// Whether the fact of a row is chosen, and whether it is kept beside the chosen one.
#[derive(Clone, Copy)]
struct Marks {
    is_selected: bool,
    is_beside: bool,
}

fn row_ui(
    ui: &mut Ui,
    record: &Record,
    recall: [Option<Recalled>; 2],
    Marks { is_selected, is_beside }: Marks,
) -> Response {
    let size = vec2(ui.available_width(), ROW_HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let fact = &record.fact;
    let answer = fact.answer.as_deref().unwrap_or("?");
    response.widget_info(|| {
        let beside = if is_beside { ", kept beside" } else { "" };
        let label = format!("{} → {answer}{beside}", fact.prompt);
        WidgetInfo::selected(Role::Button, true, is_selected, label)
    });
    let palette = theme::palette(ui);
    let visuals = ui.visuals();
    let fill = if is_selected {
        palette.accent_fill
    } else if response.hovered() || response.has_focus() {
        visuals.widgets.hovered.weak_bg_fill
    } else {
        Color32::TRANSPARENT
    };
    let inner = rect.shrink2(vec2(0.0, 1.0));
    let painter = ui.painter();
    painter.rect_filled(inner, CornerRadius::same(4), fill);
    if is_beside {
        let bar = Rect::from_min_size(inner.min, vec2(3.0, inner.height()));
        painter.rect_filled(bar, CornerRadius::same(1), palette.accent);
    }

    let body = TextStyle::Body.resolve(ui.style());
    let small = TextStyle::Small.resolve(ui.style());
    let width = inner.width() - 2.0 * PADDING;
    let prompt = painter.layout_job(prompt_job(record, &body, palette, width));
    let second = painter.layout_job(answer_job(record, recall, &small, palette, width));
    let is_cut = prompt.elided || second.elided;
    let left = inner.left() + PADDING;
    painter.galley(pos2(left, inner.top() + 3.0), prompt, palette.text);
    painter.galley(pos2(left, inner.top() + 21.0), second, palette.weak_text);

    if is_cut {
        return response.on_hover_text(format!("{} → {answer}", fact.prompt));
    }
    response
}

fn prompt_job(record: &Record, font: &FontId, palette: &theme::Palette, width: f32) -> LayoutJob {
    let fact = &record.fact;
    let mut job = one_line(width);
    let format = |color: Color32| TextFormat::simple(font.clone(), color);
    match &fact.subject {
        Some(subject) => {
            job.append(&fact.prompt[..subject.start], 0.0, format(palette.text));
            job.append(&fact.prompt[subject.clone()], 0.0, format(palette.subject));
            job.append(&fact.prompt[subject.end..], 0.0, format(palette.text));
        }
        None => job.append(&fact.prompt, 0.0, format(palette.text)),
    }
    job
}

fn answer_job(
    record: &Record,
    recall: [Option<Recalled>; 2],
    font: &FontId,
    palette: &theme::Palette,
    width: f32,
) -> LayoutJob {
    let mut job = one_line(width);
    let format = |color: Color32| TextFormat::simple(font.clone(), color);
    if let Some(answer) = &record.fact.answer {
        job.append("→ ", 0.0, format(palette.weak_text));
        job.append(answer, 0.0, format(palette.text));
    }
    for (name, recalled) in ["→", "←"].into_iter().zip(recall) {
        if let Some(recalled) = recalled {
            let (mark, color) = if recalled.is_known() {
                ("✔", palette.good)
            } else {
                ("✗", palette.weak_text)
            };
            job.append(&format!("{name}{mark}"), 8.0, format(color));
        }
    }
    if record.inverse.is_some() && recall[1].is_none() {
        job.append("⇄", 8.0, format(palette.weak_text));
    }
    if let Some(relation) = &record.relation {
        job.append(relation, 10.0, format(palette.weak_text));
    }
    let id =
        if record.id.starts_with("typed") { record.id.clone() } else { format!("#{}", record.id) };
    job.append(&id, 10.0, format(palette.weak_text));
    job
}

fn one_line(width: f32) -> LayoutJob {
    LayoutJob { wrap: TextWrapping::truncate_at_width(width), ..LayoutJob::default() }
}
