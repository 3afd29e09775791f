//! The menus at the top of the window.

use eframe::egui::{Button, MenuBar, ThemePreference, Ui};

use crate::builtin;
use crate::facts::Dataset;
use crate::figure::Scale;
use crate::ui::command::{Command, Step};
use crate::ui::pane::View;
use crate::ui::state::State;
use crate::ui::widgets::menu_ui;
use crate::ui::workspace::Workspace;
use crate::worker::DeviceChoice;

pub fn menu_bar_ui(ui: &mut Ui, state: &State, workspace: &Workspace, commands: &mut Vec<Command>) {
    MenuBar::new().ui(ui, |ui| {
        menu_ui(ui, "File", |ui| file_menu_ui(ui, state, commands));
        menu_ui(ui, "Edit", |ui| {
            for (command, told) in
                [(Command::Undo, state.undoes()), (Command::Redo, state.redoes())]
            {
                let text = match &told {
                    Some(told) => format!("{}: {told}", command.text()),
                    None => command.text(),
                };
                ui.add_enabled_ui(told.is_some(), |ui| named_item_ui(ui, text, command, commands));
            }
            ui.separator();
            item_ui(ui, Command::ShowPalette, commands);
        });
        menu_ui(ui, "View", |ui| {
            for view in View::ALL {
                let mut is_open = workspace.is_open(view);
                let item = ui.checkbox(&mut is_open, view.text()).on_hover_text(view.tooltip());
                if item.changed() {
                    commands.push(if is_open {
                        Command::ShowPane(view.first_mode())
                    } else {
                        Command::CloseView(view)
                    });
                }
            }
            ui.separator();
            item_ui(ui, Command::ResetLayout, commands);
            item_ui(ui, Command::SpreadViews, commands);
            ui.separator();
            menu_ui(ui, "Pick out", |ui| {
                for step in [Step::Next, Step::Previous] {
                    item_ui(ui, Command::StepLayer(step), commands);
                    item_ui(ui, Command::StepHead(step), commands);
                    item_ui(ui, Command::StepToken(step), commands);
                }
            });
            ui.separator();
            let themes = [ThemePreference::System, ThemePreference::Light, ThemePreference::Dark];
            for theme in themes {
                let is_chosen = state.preferences.theme == theme;
                choice_ui(ui, is_chosen, Command::SetTheme(theme), commands);
            }
            ui.separator();
            item_ui(ui, Command::ZoomIn, commands);
            item_ui(ui, Command::ZoomOut, commands);
            item_ui(ui, Command::ZoomReset, commands);
        });
        menu_ui(ui, "Facts", |ui| {
            item_ui(ui, Command::FocusSearch, commands);
            item_ui(ui, Command::NextFact, commands);
            item_ui(ui, Command::PreviousFact, commands);
            item_ui(ui, Command::EditFact, commands);
            item_ui(ui, Command::RemoveFact, commands);
            ui.separator();
            item_ui(ui, Command::Flip, commands);
            item_ui(ui, Command::KeepBeside, commands);
            item_ui(ui, Command::DropBeside, commands);
            ui.separator();
            let mut is_on = state.preferences.measures_recall;
            let command = Command::SetMeasuresRecall(!is_on);
            let item = ui.checkbox(&mut is_on, command.text());
            if item.on_hover_text(command.tooltip()).changed() {
                commands.push(command);
            }
        });
        menu_ui(ui, "Help", |ui| {
            item_ui(ui, Command::ShowShortcuts, commands);
            item_ui(ui, Command::ShowLicences, commands);
            item_ui(ui, Command::ShowAbout, commands);
        });
    });
}

fn file_menu_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    item_ui(ui, Command::OpenModel, commands);
    item_ui(ui, Command::OpenModelFile, commands);
    for builtin in builtin::ALL {
        item_ui(ui, Command::OpenModelAt(builtin.name.into()), commands);
    }
    item_ui(ui, Command::GetModel, commands);
    item_ui(ui, Command::OpenDataset, commands);
    item_ui(ui, Command::OpenDatasetAt(Dataset::BUNDLED.into()), commands);
    let recent = &state.preferences.recent_models;
    let recent = recent.iter().map(|dir| Command::OpenModelAt(dir.clone()));
    recent_ui(ui, "Recent models", recent, commands);
    menu_ui(ui, "Model beside", |ui| beside_menu_ui(ui, state, commands))
        .on_hover_text(Command::OpenModelBeside.tooltip());
    let recent = &state.preferences.recent_datasets;
    let recent = recent.iter().map(|path| Command::OpenDatasetAt(path.clone()));
    recent_ui(ui, "Recent datasets", recent, commands);
    item_ui(ui, Command::OpenSpec, commands);
    item_ui(ui, Command::OpenSweep, commands);
    let recent = &state.preferences.recent_sweeps;
    let recent = recent.iter().map(|dir| Command::OpenSweepAt(dir.clone()));
    recent_ui(ui, "Recent sweeps", recent, commands);
    ui.separator();
    item_ui(ui, Command::OpenSession, commands);
    let recent = &state.preferences.recent_sessions;
    let recent = recent.iter().map(|path| Command::OpenSessionAt(path.clone()));
    recent_ui(ui, "Recent sessions", recent, commands);
    item_ui(ui, Command::SaveSession, commands);
    item_ui(ui, Command::SaveSessionAs, commands);
    item_ui(ui, Command::SaveReport, commands);
    ui.separator();
    item_ui(ui, Command::TypePath, commands);
    ui.separator();
    item_ui(ui, Command::SaveScreenshot, commands);
    menu_ui(ui, "Screenshot size", |ui| {
        for scale in Scale::ALL {
            let is_chosen = state.preferences.screenshot_scale == scale.times();
            choice_ui(ui, is_chosen, Command::SetScreenshotScale(scale.times()), commands);
        }
    });
    menu_ui(ui, "Device", |ui| device_menu_ui(ui, state, commands));
    ui.separator();
    item_ui(ui, Command::Quit, commands);
}

/// What computes.
fn device_menu_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let adapters = state.adapters.iter().map(|it| DeviceChoice::Wgpu(Some(it.index)));
    let devices = [DeviceChoice::Auto, DeviceChoice::Cpu].into_iter().chain(adapters);
    for device in devices {
        let text = match device {
            DeviceChoice::Wgpu(Some(index)) => state
                .adapters
                .iter()
                .find(|it| it.index == index)
                .map_or_else(|| device.to_string(), |it| it.to_string()),
            _ => Command::SetDevice(device).text(),
        };
        let command = Command::SetDevice(device);
        let button = ui.radio(state.device == device, text);
        let button = button.on_hover_text(command.tooltip());
        if button.clicked() {
            commands.push(command);
            ui.close();
        }
    }
}

/// What can be opened as the second model.
fn beside_menu_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    item_ui(ui, Command::OpenModelBeside, commands);
    item_ui(ui, Command::OpenModelFileBeside, commands);
    for builtin in builtin::ALL {
        item_ui(ui, Command::OpenModelBesideAt(builtin.name.into()), commands);
    }
    let recent = &state.preferences.recent_models;
    let recent = recent.iter().map(|dir| Command::OpenModelBesideAt(dir.clone()));
    recent_ui(ui, "Recent models", recent, commands);
    ui.separator();
    ui.add_enabled_ui(state.has_model_beside(), |ui| {
        item_ui(ui, Command::CloseModelBeside, commands);
    });
}

fn recent_ui(
    ui: &mut Ui,
    title: &str,
    recent: impl ExactSizeIterator<Item = Command>,
    commands: &mut Vec<Command>,
) {
    ui.add_enabled_ui(recent.len() > 0, |ui| {
        menu_ui(ui, title, |ui| {
            for command in recent {
                item_ui(ui, command, commands);
            }
        });
    });
}

/// A command in a menu.
fn item_ui(ui: &mut Ui, command: Command, commands: &mut Vec<Command>) {
    named_item_ui(ui, command.text(), command, commands);
}

/// A command in a menu under another name.
fn named_item_ui(ui: &mut Ui, text: String, command: Command, commands: &mut Vec<Command>) {
    let mut button = Button::new(text);
    if let Some(keys) = command.keys_text() {
        button = button.shortcut_text(keys);
    }
    let mut response = ui.add(button);
    if !command.tooltip().is_empty() {
        response = response.on_hover_text(command.tooltip());
    }
    if response.clicked() {
        commands.push(command);
        ui.close();
    }
}

fn choice_ui(ui: &mut Ui, is_chosen: bool, command: Command, commands: &mut Vec<Command>) {
    if ui.radio(is_chosen, command.text()).clicked() {
        commands.push(command);
        ui.close();
    }
}
