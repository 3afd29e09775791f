//! Many facts: the question that is about to be asked of them, and what they have in common, from the
//! folder of a sweep while it grows and afterwards.

use std::collections::BTreeSet;

use eframe::egui::{Align, Button, Id, Label, Layout, RichText, ScrollArea, Ui, Vec2, vec2};

use super::facts_panel::relation_name;
use super::run_row::{progress_ui, run_button_ui, stop_button_ui};
use super::sweep_form::sweep_form_ui;
use super::{file_name, grouped};
use crate::facts::Direction;
use crate::figure::number::brief;
use crate::figure::words::counted;
use crate::population::{GroupBy, KnownWay, OneBehind, Task};
use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::row::Row;
use crate::ui::state::{OpenJob, OpenSweep, ReadSweep, State, SweepView};
use crate::ui::theme;
use crate::ui::view::{Selection, ViewAction, ViewCtx};
use crate::ui::views::figure_ui;
use crate::ui::widgets::{Choice, command_button_ui, gives, keep_together, roomy_area_ui};

/// The width in points from which the facts behind a number stand beside the figure, and that of their
/// place there.
const WIDE: f32 = 1000.0;
const BESIDE: f32 = 330.0;

/// How many of these facts are seen below the figure of a narrower view, and the least height in points of
/// the figure above them.
const N_BELOW: f32 = 3.0;
const LEAST_FIGURE: f32 = 160.0;

/// Points at the right and below for the scroll bars of the figure.
const BARS: Vec2 = vec2(8.0, 6.0);

/// The most places of which one can be chosen.
const MOST_PLACES: usize = 100;

/// The width in points of a number before its fact.
const NUMBER: f32 = 64.0;

/// Draws the form, if there is one, and the sweep that is shown.
pub fn sweep_panel_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    if let Some(asking) = &state.many.asking {
        sweep_form_ui(ui, asking, state, commands);
        ui.add_space(6.0);
    }
    match &state.many.open {
        Some(open) => open_ui(ui, open, state, commands),
        None if state.many.asking.is_none() => nothing_ui(ui, commands),
        None => {}
    }
}

fn nothing_ui(ui: &mut Ui, commands: &mut Vec<Command>) {
    ui.label("Asks the question of any view of all facts that the list shows");
    ui.add_space(4.0);
    ui.weak(
        "Choose “Over facts…” in the menu … of a view: means over facts, by layer, head and what each \
         token is, with intervals and tests, fill in here while it runs",
    );
    ui.add_space(6.0);
    command_button_ui(ui, Command::OpenSweep, commands);
}

fn open_ui(ui: &mut Ui, open: &OpenSweep, state: &State, commands: &mut Vec<Command>) {
    let width = ui.available_width();
    head_ui(ui, open, state, commands);
    if let Some(error) = &open.error {
        let text = RichText::new(error).color(theme::palette(ui).error);
        ui.add(Label::new(text).wrap().selectable(true));
    }
    let is_running = open.job.is_some_and(|id| state.jobs.get(id).is_some());
    let is_begun = |it: &ReadSweep| !is_running || !it.population.facts.is_empty();
    let Some(read) = open.read.as_ref().filter(|it| is_begun(it)) else {
        if open.error.is_none() {
            ui.weak(if is_running {
                "The first facts are being asked…"
            } else {
                "The sweep's folder is being read…"
            });
        }
        return;
    };
    ui.scope(|ui| {
        ui.set_max_width(width);
        filter_ui(ui, open, read, commands);
    });
    ui.add_space(4.0);
    // A click on a number moves nothing: beside the figure the facts have their place before there are any,
    // and below it they are laid over a figure that stays as it is.
    let room = ui.available_size();
    let (column, gap) = (Layout::top_down(Align::Min), ui.spacing().item_spacing);
    if width >= WIDE {
        ui.horizontal_top(|ui| {
            let size = vec2(room.x - BESIDE - 3.0 * gap.x, room.y);
            ui.allocate_ui_with_layout(size, column, |ui| {
                figure_area_ui(ui, size, read, state, commands);
            });
            ui.separator();
            let size = vec2(BESIDE, room.y);
            ui.allocate_ui_with_layout(size, column, |ui| behind_ui(ui, open, read, commands));
        });
    } else {
        let row = ui.spacing().interact_size.y + gap.y;
        let of_figure = |below: f32| vec2(room.x, (room.y - below - 3.0 * gap.y).max(LEAST_FIGURE));
        let below = if open.behind.is_some() { (N_BELOW + 2.0) * row } else { row };
        let size = of_figure(below);
        ui.allocate_ui_with_layout(size, column, |ui| {
            figure_area_ui(ui, of_figure(row), read, state, commands);
        });
        ui.separator();
        let size = vec2(room.x, below);
        ui.allocate_ui_with_layout(size, column, |ui| behind_ui(ui, open, read, commands));
    }
}

/// The button that stops a sweep or goes on with it, its folder, and how far it is: one line, or two in a
/// narrow view, as high whether or not it runs, so that nothing moves when it ends.
fn head_ui(ui: &mut Ui, open: &OpenSweep, state: &State, commands: &mut Vec<Command>) {
    let running = open.job.and_then(|id| Some((id, state.jobs.get(id)?)));
    let is_wide = ui.available_width() >= WIDE_HEAD;
    ui.horizontal(|ui| {
        if let Some((id, job)) = running {
            stop_button_ui(ui, job, Command::CancelJob(id), commands);
        } else {
            let is_open = open.read.as_ref().is_some_and(|it| !it.is_whole());
            let command = Command::GoOnWithSweep;
            let button = run_button_ui(ui, is_open, Button::new(command.text()));
            let button = button.on_disabled_hover_text("All its facts are asked");
            gives(button, command, commands);
        }
        command_button_ui(ui, Command::OpenSweep, commands);
        if is_wide {
            folder_ui(ui, open, running.map(|it| it.1));
        }
    });
    if !is_wide {
        ui.horizontal(|ui| folder_ui(ui, open, running.map(|it| it.1)));
    }
}

/// The name of a sweep's folder, and how far the sweep is while it runs, in the rest of a row.
fn folder_ui(ui: &mut Ui, open: &OpenSweep, running: Option<&OpenJob>) {
    let width = ui.available_width();
    let name = Label::new(RichText::new(file_name(&open.dir)).strong()).truncate();
    let place = open.dir.display().to_string();
    let done = open.read.as_ref().map(|it| (it, grouped(it.population.facts.len())));
    let Some(job) = running else {
        // What is short comes first: the name has the rest of the row.
        if let Some((read, n)) = done.filter(|it| !it.0.is_whole()) {
            ui.label(format!("{n} of {} asked", grouped(read.manifest.n_asked)));
        }
        ui.add(name).on_hover_text(place);
        return;
    };
    let size = vec2(NAME_SHARE * width, ui.spacing().interact_size.y);
    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
        ui.set_width(size.x);
        ui.add(name).on_hover_text(place);
    });
    // The figure is behind what is asked.
    let drawn = done.map(|(read, n)| format!("{n} of {} drawn", grouped(read.manifest.n_asked)));
    progress_ui(ui, job, drawn);
}

/// The width in points from which the folder and how far its sweep is stand behind the buttons.
const WIDE_HEAD: f32 = 480.0;

/// The part of the room that the name of a folder has beside how far its sweep is.
const NAME_SHARE: f32 = 0.45;

/// What is shown of the sweep.
fn filter_ui(ui: &mut Ui, open: &OpenSweep, read: &ReadSweep, commands: &mut Vec<Command>) {
    let mut view = open.view.clone();
    ui.horizontal_wrapped(|ui| {
        let groups = [GroupBy::Way, GroupBy::Known, GroupBy::Relation];
        choice_ui(ui, "Groups", 150.0, &mut view.by, &groups, |it| {
            match it {
                GroupBy::Way => "facts and inverses",
                GroupBy::Known => "known or not",
                GroupBy::Relation => "relations",
            }
            .to_owned()
        });
        let known: Vec<Option<KnownWay>> =
            vec![None, Some(KnownWay::Forward), Some(KnownWay::Inverse), Some(KnownWay::Both)];
        choice_ui(ui, "Known", 130.0, &mut view.known, &known, |it| {
            it.map_or("or not", KnownWay::name).to_owned()
        });
        let directions = [None, Some(Direction::Forward), Some(Direction::Inverse)];
        choice_ui(ui, "Asked", 110.0, &mut view.direction, &directions, |it| {
            match it {
                None => "both ways",
                Some(Direction::Forward) => "as a fact",
                Some(Direction::Inverse) => "as an inverse",
            }
            .to_owned()
        });
        relations_ui(ui, &mut view, read);
        let names: BTreeSet<&String> = read.population.charts.iter().map(|it| &it.chart).collect();
        let charts: Vec<Option<String>> =
            [None].into_iter().chain(names.into_iter().cloned().map(Some)).collect();
        choice_ui(ui, "Chart", 170.0, &mut view.chart, &charts, |it| {
            it.clone().unwrap_or_else(|| "all but recall and lists".to_owned())
        });
        place_ui(ui, &mut view, read);
    });
    if view != open.view {
        commands.push(Command::LookAtSweep(Box::new(view)));
    }
}

/// A component, a head or the role of a token, over all layers.
fn place_ui(ui: &mut Ui, view: &mut SweepView, read: &ReadSweep) {
    let names = read.population.places(view.chart.as_deref());
    if view.place.as_ref().is_some_and(|it| !names.contains(it)) {
        view.place = None;
    }
    if !(2..=MOST_PLACES).contains(&names.len()) {
        return;
    }
    let places: Vec<Option<String>> =
        [None].into_iter().chain(names.into_iter().map(Some)).collect();
    choice_ui(ui, "Place", 150.0, &mut view.place, &places, |it| {
        it.clone().unwrap_or_else(|| "all".to_owned())
    });
}

/// One relation, or two whose difference is shown.
fn relations_ui(ui: &mut Ui, view: &mut SweepView, read: &ReadSweep) {
    let relations: BTreeSet<&String> =
        read.population.facts.iter().filter_map(|it| it.relation.as_ref()).collect();
    if relations.len() < 2 {
        return;
    }
    let choices: Vec<Option<String>> =
        [None].into_iter().chain(relations.into_iter().cloned().map(Some)).collect();
    let mut chosen = [0, 1].map(|nth| view.relations.get(nth).cloned());
    let text = |it: &Option<String>| it.as_deref().map_or_else(|| "all".to_owned(), relation_name);
    choice_ui(ui, "Relation", 150.0, &mut chosen[0], &choices, text);
    if view.by == GroupBy::Relation && chosen[0].is_some() {
        let text =
            |it: &Option<String>| it.as_deref().map_or_else(|| "none".to_owned(), relation_name);
        choice_ui(ui, "and", 150.0, &mut chosen[1], &choices, text);
    } else {
        chosen[1] = None;
    }
    let mut relations: Vec<String> = chosen.into_iter().flatten().collect();
    relations.dedup();
    view.relations = relations;
}

fn choice_ui<T: Clone + PartialEq>(
    ui: &mut Ui,
    name: &str,
    width: f32,
    chosen: &mut T,
    choices: &[T],
    text: impl Fn(&T) -> String,
) {
    keep_together(ui, name, width);
    let label = ui.label(name);
    let choice = Choice { is_cut: true, ..Choice::new(name, width) };
    choice.show(ui, chosen, choices, |it| (text(it).into(), "")).labelled_by(label.id);
}

/// The figure in its place, in which it scrolls. `room`: what it is laid out for.
fn figure_area_ui(
    ui: &mut Ui,
    room: Vec2,
    read: &ReadSweep,
    state: &State,
    commands: &mut Vec<Command>,
) {
    let (clicked, bottom) = (Id::unique("clicked in a sweep"), ui.max_rect().bottom());
    roomy_area_ui(ui, "figure of a sweep", BARS, room, |ui| {
        // The list that has opened below must not hide the place that it is of.
        let before = ui.data_mut(|data| data.remove_temp::<f32>(clicked));
        if let Some(hidden) = before.map(|y| y + ABOVE_LIST - bottom).filter(|it| *it > 0.0) {
            ui.scroll_with_delta(vec2(0.0, -hidden));
        }
        let n_before = commands.len();
        figure_part_ui(ui, read, state, commands);
        let is_picked = commands[n_before..].iter().any(|it| matches!(it, Command::ShowBehind(..)));
        if let Some(at) = ui.input(|input| input.pointer.interact_pos()).filter(|_| is_picked) {
            ui.data_mut(|data| data.insert_temp(clicked, at.y));
        }
    });
}

/// Points that are left in sight below a place whose facts are listed.
const ABOVE_LIST: f32 = 24.0;

fn figure_part_ui(ui: &mut Ui, read: &ReadSweep, state: &State, commands: &mut Vec<Command>) {
    let Some(ctx) = ViewCtx::of(state, Pane::Sweep, Row::First) else { return };
    // The place whose facts are listed is marked, and arrow keys go on from there.
    let behind = state.many.open.as_ref().and_then(|it| it.behind.as_ref());
    let cell =
        behind.and_then(|(it, _)| read.population.charts.get(it.numbers)?.cells.get(it.cell));
    let selection = cell.map_or(state.selection, |it| Selection {
        layer: it.layer,
        head: it.head,
        ..Selection::default()
    });
    let ctx = ViewCtx { selection, planted: None, picks_places: true, ..ctx };
    let action = figure_ui(ui, &read.figure, &ctx, commands);
    match action {
        Some(ViewAction::Place { chart, nth }) => commands.push(Command::ShowBehind(chart, nth)),
        Some(action @ ViewAction::HoldRange { .. }) => commands.push(Command::View(action)),
        _ => {}
    }
}

/// The facts behind the number that was picked, the largest value first. A click shows a fact by itself.
fn behind_ui(ui: &mut Ui, open: &OpenSweep, read: &ReadSweep, commands: &mut Vec<Command>) {
    let picked = open.behind.as_ref().and_then(|(behind, all)| {
        let numbers = read.population.charts.get(behind.numbers)?;
        Some((behind, numbers, all))
    });
    let Some((behind, numbers, all)) = picked else {
        ui.add(
            Label::new(RichText::new("Click a place of a chart to list its facts here").weak())
                .wrap(),
        );
        return;
    };
    let cell = numbers.cells.get(behind.cell).map(|it| it.name()).unwrap_or_default();
    let title = format!("{cell}: {} of {}", numbers.quantity, counted(all.len(), "fact"));
    ui.add(Label::new(RichText::new(&title).strong()).truncate()).on_hover_text(title);
    ui.weak("Click a fact to see it by itself");
    // The list behind another number begins at its start.
    let salt = ("facts behind", behind.numbers, behind.group, behind.cell);
    let area = ScrollArea::vertical().id_salt(salt).auto_shrink(false);
    let row = ui.spacing().interact_size.y;
    area.show_rows(ui, row, all.len(), |ui, rows| {
        for one in &all[rows] {
            one_ui(ui, read, one, commands);
        }
    });
}

fn one_ui(ui: &mut Ui, read: &ReadSweep, one: &OneBehind, commands: &mut Vec<Command>) {
    let facts = &read.population.facts;
    let Some(fact) = one.facts.last().and_then(|&nth| facts.get(nth)) else { return };
    ui.horizontal(|ui| {
        let size = vec2(NUMBER, ui.spacing().interact_size.y);
        ui.add_sized(size, Label::new(brief(one.value as f32)));
        let answer = fact.answer.as_deref().unwrap_or("?");
        let text = format!("{} → {answer}", fact.prompt);
        let about = format!(
            "Case {}, {}, known: {}",
            fact.case,
            fact.relation.as_deref().map_or_else(|| "no relation".to_owned(), relation_name),
            fact.known
        );
        // What has no room in the row is told on hover.
        let about = format!("{text}\n{about}");
        let link = ui.add(Button::selectable(false, text).truncate()).on_hover_text(about);
        if link.clicked() {
            let direction =
                if fact.direction == "fact" { Direction::Forward } else { Direction::Inverse };
            commands.push(Command::AskFactOfSweep(Task { record: fact.record, direction }));
        }
    });
}
