//! A field for a path: what stands in it at first is selected, Tab completes what is typed, and a relative
//! path is in the folder that is named below.

use std::env;
use std::path::{Path, PathBuf};

use eframe::egui::text::{CCursor, CCursorRange};
use eframe::egui::text_edit::TextEditState;
use eframe::egui::{Align, Key, Layout, Modifiers, Response, RichText, TextEdit, Ui, vec2};

use super::completions::Completions;
use super::theme::field_color;

/// The most completions that are listed.
const N_COMPLETIONS: usize = 6;

/// A path while it is typed, and what is wrong with it.
#[derive(Debug)]
pub struct PathField {
    text: String,

    /// The folder that a relative path is in.
    dir: PathBuf,
    error: Option<String>,

    /// What is selected when the field next gets the focus, if it is to get it.
    focus: Option<Focus>,

    /// Files that are there already and may be replaced, since somebody was told so.
    replaced: Vec<PathBuf>,

    /// The ways in which the typed path may go on.
    completions: Completions,
}

#[derive(Clone, Copy, Debug)]
enum Focus {
    /// All of the text, which whatever is typed replaces.
    All,

    /// The end of the text, where it is gone on with.
    End,
}

impl PathField {
    /// A field in which stands a folder, or the one that the program was started in, with a file's name.
    pub fn new(dir: Option<&Path>, name: &str) -> Self {
        let text = dir.map_or_else(|| name.to_owned(), |dir| dir.join(name).display().to_string());
        // Where that is gone, a relative path says itself what is wrong.
        let dir = dir.map(Path::to_owned).or_else(|| env::current_dir().ok()).unwrap_or_default();
        let focus = Some(Focus::All);
        let completions = Completions::default();
        Self { text, dir, error: None, focus, replaced: Vec::new(), completions }
    }

    /// The path as it was typed.
    pub fn typed(&self) -> PathBuf {
        typed_path(&self.text)
    }

    /// The path, in its folder if it is relative.
    pub fn path(&self) -> PathBuf {
        self.dir.join(self.typed())
    }

    /// Puts a path that was picked in a dialog in the place of what was typed.
    pub fn set(&mut self, path: &Path) {
        self.text = path.display().to_string();
    }

    /// Says what is wrong with the path, which stays as it was typed.
    pub fn refuse(&mut self, error: String) {
        self.error = Some(error);
        self.focus = Some(Focus::End);
    }

    /// Whether a file may be written. Of one that is there already it is said once that it is, and
    /// whoever asks again means it.
    pub fn may_write(&mut self, path: &Path) -> bool {
        if !path.exists() || self.replaced.iter().any(|it| it == path) {
            return true;
        }
        self.replaced.push(path.to_owned());
        self.refuse(format!(
            "This file is there already; save again to replace it: {}",
            path.display()
        ));
        false
    }

    /// Draws the field, `width` wide, and returns whether Enter was pressed in it.
    pub fn field_ui(&mut self, ui: &mut Ui, label: &Response, hint: &str, width: f32) -> bool {
        // Where it can complete nothing, Tab goes on to the buttons.
        let completed = self.completions.completed(&self.text);
        if let Some(completed) = &completed
            && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Tab))
        {
            self.go_on_with(completed.clone());
        }
        let edit = TextEdit::singleline(&mut self.text)
            .hint_text(hint)
            .lock_focus(completed.is_some())
            .background_color(field_color(ui))
            .desired_width(width);
        let field = ui.add(edit).labelled_by(label.id);
        if let Some(focus) = self.focus.take() {
            field.request_focus();
            let selected = match focus {
                Focus::All => CCursorRange::select_all_str(&self.text),
                Focus::End => CCursorRange::one(CCursor::new(self.text.chars().count())),
            };
            let mut state = TextEditState::load(ui.ctx(), field.id).unwrap_or_default();
            state.cursor.set_char_range(Some(selected));
            state.store(ui.ctx(), field.id);
        }
        if field.changed() {
            self.error = None;
        }
        field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter))
    }

    /// Draws what is wrong with the path, what it may go on with, and where it is if it is relative.
    /// `is_wanted`: whether a file is of use. It stands below the buttons, which stay where they are however
    /// much there is to say.
    pub fn about_ui(&mut self, ui: &mut Ui, is_wanted: fn(&Path) -> bool) {
        if let Some(error) = &self.error {
            ui.label(RichText::new(error).color(ui.visuals().error_fg_color));
        }
        self.completions.look(&self.text, &self.dir, is_wanted);
        let listed: Vec<String> =
            self.completions.found.iter().take(N_COMPLETIONS).cloned().collect();
        for path in listed {
            if ui.selectable_label(false, &path).on_hover_text("Or press Tab").clicked() {
                self.go_on_with(path);
            }
        }
        if self.completions.found.len() > N_COMPLETIONS {
            ui.weak(format!("and {} more", self.completions.found.len() - N_COMPLETIONS));
        }
        if self.typed().is_relative() {
            ui.weak(format!("In the folder {}", self.dir.display()));
        }
    }

    /// Draws buttons at the right edge, in a row that is no higher than they: what grew above it can shrink
    /// again.
    pub fn buttons_ui(ui: &mut Ui, buttons: impl FnOnce(&mut Ui)) {
        ui.add_space(8.0);
        let size = vec2(ui.available_width(), ui.spacing().interact_size.y);
        ui.allocate_ui_with_layout(size, Layout::right_to_left(Align::Center), buttons);
    }

    fn go_on_with(&mut self, text: String) {
        self.text = text;
        self.error = None;
        self.focus = Some(Focus::End);
    }
}

/// A path as a shell would read it: `~` is the user's own folder.
pub(super) fn typed_path(text: &str) -> PathBuf {
    let text = text.trim();
    let home = || dirs::home_dir().filter(|home| home.is_absolute());
    match text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        Some(rest) => {
            home().map_or_else(|| text.into(), |it| it.join(rest.trim_start_matches('/')))
        }
        None => text.into(),
    }
}
