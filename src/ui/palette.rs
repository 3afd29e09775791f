//! All that can be done, found by typing a few letters.

use std::collections::BTreeSet;

use eframe::egui::{Align, Context, Key, Layout, Modifiers, ScrollArea, TextEdit, ThemePreference};

use super::command::{Command, KEYS};
use super::pane::{Pane, View};
use super::state::{Convention, Paint, State};
use super::widgets::{Outside, dialog_height, dialog_ui};
use super::workspace::Workspace;
use crate::analysis::attention::Weighting;
use crate::analysis::causal_trace::Component;
use crate::builtin;
use crate::facts::{Dataset, Direction};
use crate::figure::Scale;
use crate::figure::words::attention_title;
use crate::tokens::Bos;

/// How many commands are listed.
const N_LISTED: usize = 60;

/// The height in points of a long list, and of what is around it.
const HEIGHT: f32 = 320.0;
const AROUND: f32 = 72.0;

/// What is typed into the palette while it is open, and which command is marked.
#[derive(Debug, Default)]
pub struct CommandPalette {
    text: String,
    chosen: usize,
}

/// Draws the palette while there is one, and takes it away when something was chosen.
pub fn palette_ui(
    ctx: &Context,
    palette: &mut Option<CommandPalette>,
    state: &State,
    workspace: &Workspace,
    commands: &mut Vec<Command>,
) {
    let Some(open) = palette else { return };
    let found = found(&open.text, state, workspace);
    let mut picked = None;
    let before = open.chosen;
    // These keys are the list's, so the text field must not see them.
    ctx.input_mut(|input| {
        let last = found.len().saturating_sub(1);
        if input.consume_key(Modifiers::NONE, Key::ArrowDown) {
            open.chosen = (open.chosen + 1).min(last);
        }
        if input.consume_key(Modifiers::NONE, Key::ArrowUp) {
            open.chosen = open.chosen.saturating_sub(1);
        }
        if input.consume_key(Modifiers::NONE, Key::Enter) {
            picked = found.get(open.chosen).cloned();
        }
        // Asked for again, it begins anew.
        let keys = Command::ShowPalette.shortcuts();
        if keys.iter().any(|keys| input.consume_shortcut(keys)) {
            *open = CommandPalette::default();
        }
    });
    let ((), is_left) = dialog_ui(ctx, "palette", 460.0, Outside::Leaves, |ui| {
        let label = ui.label("What do you want to do?");
        let edit = TextEdit::singleline(&mut open.text)
            .hint_text("Trace, logit lens, dark…")
            .background_color(super::theme::field_color(ui))
            .desired_width(f32::INFINITY);
        let field = ui.add(edit).labelled_by(label.id);
        field.request_focus();
        if field.changed() {
            open.chosen = 0;
        }
        ui.add_space(4.0);
        if found.is_empty() {
            ui.weak("Nothing is called so");
        }
        // As high as it may be at once, however short the list was before.
        let height = HEIGHT.min(dialog_height(ui) - AROUND);
        let area = ScrollArea::vertical().max_height(height).min_scrolled_height(height);
        area.show(ui, |ui| {
            for (nth, command) in found.iter().enumerate() {
                let is_chosen = nth == open.chosen;
                let row = ui.with_layout(Layout::top_down_justified(Align::Min), |ui| {
                    let title = title(command, state);
                    let text = match command.keys_text() {
                        Some(keys) => format!("{title}    {keys}"),
                        None => title,
                    };
                    ui.selectable_label(is_chosen, text)
                });
                let mut row = row.inner;
                if !command.tooltip().is_empty() {
                    row = row.on_hover_text(command.tooltip());
                }
                if is_chosen && (field.changed() || open.chosen != before) {
                    row.scroll_to_me(None);
                }
                if row.clicked() {
                    picked = Some(command.clone());
                }
            }
        });
    });
    let is_done = picked.is_some() || is_left;
    commands.extend(picked);
    if is_done {
        *palette = None;
    }
}

/// A command where nothing around it says what it is about.
fn title(command: &Command, state: &State) -> String {
    match command {
        Command::Undo => told(command, state.undoes()),
        Command::Redo => told(command, state.redoes()),
        Command::ShowPane(pane) => format!("Show {}", name(*pane)),
        Command::RestoreUnsaved => "Restore what a window that was not closed had found".to_owned(),
        Command::DiscardUnsaved => "Discard what a window that was not closed had found".to_owned(),
        Command::ApplyEdit(pane) | Command::Study(pane) => {
            let (name, does) = (name(*pane), command.text());
            if name.ends_with(&does) {
                format!("{does}: {name}")
            } else {
                format!("{name}: {does}")
            }
        }
        Command::CloseView(_) => format!("Close {}", command.text()),
        Command::SetBos(_) => format!("Convention: {}", command.text()),
        Command::OpenModelAt(_) => format!("Open model {}", command.text()),
        Command::OpenModelBesideAt(_) => format!("Open beside: model {}", command.text()),
        Command::OpenSweepAt(_) => format!("Open sweep {}", command.text()),
        Command::OpenSessionAt(_) => format!("Open session {}", command.text()),
        Command::OpenDatasetAt(_) => format!("Open dataset {}", command.text()),
        Command::WeighAttention(weighting) => format!("Show {}", attention_title(*weighting)),
        Command::TraceKinds => "Trace all three kinds".to_owned(),
        Command::ShowKind(_) => format!("Trace of: {}", command.text()),
        Command::ShowDifference(true) => "Show the difference of both traces".to_owned(),
        Command::ShowDifference(false) => "Hide the difference of both traces".to_owned(),
        Command::SetSameScale(true) => "Same scale for both traces".to_owned(),
        Command::SetSameScale(false) => "Own scale for each trace".to_owned(),
        _ => match mode_of(command) {
            Some(pane) => format!("{}: {}", command.text(), name(pane)),
            None => command.text(),
        },
    }
}

/// A mode as the window names it: with its view, where its button says something else than its name.
fn name(pane: Pane) -> String {
    let (view, mode, text) = (pane.view(), pane.mode(), pane.text());
    // A view whose name is none of its modes' is found by its own.
    let is_alone = text == mode && view.first_mode() != pane;
    if is_alone || text == view.text() {
        return text.to_owned();
    }
    format!("{}: {mode}", view.text())
}

/// The mode that a command is about.
fn mode_of(command: &Command) -> Option<Pane> {
    match command {
        Command::ShowPane(pane)
        | Command::ApplyEdit(pane)
        | Command::Study(pane)
        | Command::ExportOf(pane)
        | Command::CopyImageOf(pane)
        | Command::CopyTableOf(pane)
        | Command::SaveSpec(pane)
        | Command::FillSpec(pane)
        | Command::CopyCommandLineOf(pane)
        | Command::Over(pane) => Some(*pane),
        _ => None,
    }
}

/// A command with what it does now, if it does something.
fn told(command: &Command, what: Option<String>) -> String {
    let text = command.text();
    what.map_or_else(|| text.clone(), |what| format!("{text}: {what}"))
}

/// What else a command is called by whoever looks for it.
fn also_called(command: &Command) -> &'static str {
    match command {
        Command::ShowShortcuts => "keys",
        Command::ShowPane(Pane::Trace) | Command::Trace => "map maps",
        // A mode is found by its name elsewhere in the window, too.
        _ => mode_of(command).map_or("", Pane::text),
    }
}

/// All whose titles hold every word that was typed, those first that begin with them or hold them best.
fn found(text: &str, state: &State, workspace: &Workspace) -> Vec<Command> {
    let text = text.trim().to_lowercase();
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let mut seen = BTreeSet::new();
    let mut found: Vec<(Vec<Match>, Command)> = Vec::new();
    for command in all(state, workspace) {
        let title = title(&command, state);
        let told = format!("{title} {}", also_called(&command)).to_lowercase();
        let matches: Option<Vec<Match>> = words.iter().map(|word| Match::of(word, &told)).collect();
        // Two commands with one title do the same.
        if let Some(matches) = matches.filter(|_| seen.insert(title)) {
            found.push((matches, command));
        }
    }
    // Of those that hold all words as well, one that holds no others is meant.
    found.sort_by_key(|(matches, command)| {
        let title = title(command, state);
        let lower = title.to_lowercase();
        // What is shown is looked for by its own name, and what is closed is seldom looked for.
        let bare = lower.strip_prefix("show ").unwrap_or(&lower);
        let begins = bare.starts_with(&text) && !matches!(command, Command::CloseView(_));
        let n_words = words_of(&title).count();
        (!begins, matches.iter().max().copied(), n_words > matches.len())
    });
    found.truncate(N_LISTED);
    found.into_iter().map(|(_, command)| command).collect()
}

/// How a word that is typed stands in a title. The first is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Match {
    Whole,
    Start,
    Within,
}

impl Match {
    /// `None` if the title does not hold it.
    fn of(word: &str, title: &str) -> Option<Self> {
        if words_of(title).any(|it| it == word) {
            Some(Self::Whole)
        } else if words_of(title).any(|it| it.starts_with(word)) {
            Some(Self::Start)
        } else {
            title.contains(word).then_some(Self::Within)
        }
    }
}

fn words_of(title: &str) -> impl Iterator<Item = &str> {
    title.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty())
}

fn all(state: &State, workspace: &Workspace) -> Vec<Command> {
    let mut commands = vec![Command::Trace];
    commands.extend(Pane::ALL.map(Command::ShowPane));
    commands.extend(Pane::ALL.into_iter().filter(|it| it.is_study()).map(Command::Study));
    if state.measures_recall() && state.facts.recall().n_open() > 0 && !state.asks_all_facts() {
        commands.push(Command::AskAllFacts(true));
    }
    let open = View::ALL.into_iter().filter(|view| workspace.is_open(*view));
    commands.extend(open.map(Command::CloseView));
    let shows = |pane: &Pane| workspace.is_in_front(*pane) || state.result(*pane).is_some();
    let seen = Pane::ALL.into_iter().filter(|it| it.has_figure() && shows(it));
    commands.extend(seen.flat_map(Command::taking_away));
    commands.extend(Scale::ALL.map(|scale| Command::SetFigureScale(scale.times())));
    commands.extend(Scale::ALL.map(|scale| Command::SetScreenshotScale(scale.times())));
    commands.extend(Convention::ALL.map(Command::Match));
    commands.extend([
        Command::CancelAllJobs,
        Command::ForgetEnded,
        Command::ForgetResults,
        Command::ResetLayout,
        Command::SpreadViews,
    ]);
    if !state.left_over.is_empty() {
        commands.extend([Command::RestoreUnsaved, Command::DiscardUnsaved]);
    }
    commands.extend([Pane::Editing, Pane::Steering].map(Command::ApplyEdit));
    if !state.edits.is_empty() {
        commands.push(Command::DropEdits);
    }
    commands.extend(Weighting::OF_HEADS.map(Command::WeighAttention));
    let pair = state.preferences.trace_pair;
    commands.push(Command::SetTracesAtOnce(!state.preferences.traces_at_once));
    commands.push(Command::TraceKinds);
    commands.extend(Component::ALL.map(Command::ShowKind));
    commands.push(Command::ShowDifference(!pair.shows_difference));
    commands.push(Command::SetSameScale(!pair.has_same_scale));
    let keyed = KEYS.iter().flat_map(|(_, keyed)| keyed.iter().map(|(command, _)| command));
    let keyed = keyed.filter(|it| !matches!(it, Command::Cancel | Command::ShowPalette));
    commands.extend(keyed.cloned());
    if !state.settings.ranges.is_empty() {
        commands.push(Command::ReleaseRanges);
    }
    if !state.painted.of(state.key()).is_empty() {
        commands.push(Command::Paint(Paint::Clear));
    }
    commands.extend([Bos::Off, Bos::On].map(Command::SetBos));
    let themes = [ThemePreference::System, ThemePreference::Light, ThemePreference::Dark];
    commands.extend(themes.map(Command::SetTheme));
    commands.extend(builtin::ALL.map(|it| Command::OpenModelAt(it.name.into())));
    commands.extend(state.preferences.recent_models.iter().cloned().map(Command::OpenModelAt));
    commands.extend(builtin::ALL.map(|it| Command::OpenModelBesideAt(it.name.into())));
    commands
        .extend(state.preferences.recent_models.iter().cloned().map(Command::OpenModelBesideAt));
    if state.has_model_beside() {
        commands.extend([Direction::Forward, Direction::Inverse].map(Command::AskBoth));
        commands.push(Command::CloseModelBeside);
    }
    commands.push(Command::OpenDatasetAt(Dataset::BUNDLED.into()));
    commands.extend(state.preferences.recent_datasets.iter().cloned().map(Command::OpenDatasetAt));
    commands.extend(state.preferences.recent_sweeps.iter().cloned().map(Command::OpenSweepAt));
    commands.extend(state.preferences.recent_sessions.iter().cloned().map(Command::OpenSessionAt));
    commands.extend([
        Command::SaveReport,
        Command::GetModel,
        Command::OpenSweep,
        Command::OpenNoise,
        Command::OpenSpec,
        Command::TypePath,
        Command::OpenModelFile,
        Command::OpenModelBeside,
        Command::OpenModelFileBeside,
        Command::ShowShortcuts,
        Command::ShowLicences,
        Command::ShowAbout,
    ]);
    commands
}
