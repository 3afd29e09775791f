//! *Save report…*: what the window holds as a page of HTML for others.

use std::path::{Path, PathBuf};

use eframe::egui;

use super::App;
use crate::report::{Held, Options, to_html};
use crate::session::Session;
use crate::ui::command::Command;
use crate::ui::dialogs::Purpose;
use crate::ui::panels;
use crate::ui::reply::{Reply, aside};
use crate::ui::state::Snapshot;
use crate::whole_file;

/// Where the results of a report come from.
enum Results {
    /// The window as it is, and what it is called.
    Window(String, Box<Snapshot>),

    /// A session file whose model is not there as it was.
    File(PathBuf),
}

impl App {
    pub(super) fn report_command(&mut self, command: Command, ctx: &egui::Context) {
        if self.state.stored.is_none() && self.state.info().is_none() {
            let error = "Open a model first: a report shows its results";
            self.state.error = Some(error.to_owned());
            return;
        }
        match command {
            Command::SaveReport => self.ask(Purpose::Report, ctx),
            Command::SaveReportTo(path) => self.save_report(path, ctx),
            _ => {}
        }
    }

    /// Writes the page on a thread of its own: weights are hashed, and many figures drawn.
    fn save_report(&mut self, path: PathBuf, ctx: &egui::Context) {
        let results = if let Some(stored) = &self.state.stored {
            Results::File(stored.path.clone())
        } else {
            let session = self.state.session.as_ref();
            let name = session.map_or_else(
                || "a window that is in no session file".to_owned(),
                |it| panels::file_name(&it.path),
            );
            let Some(snapshot) = self.state.snapshot(&self.views.workspace) else { return };
            Results::Window(name, Box::new(snapshot))
        };
        self.state.under_way = Some("Writing the report…".to_owned());
        let path_then = path.clone();
        let thread = aside("report", &self.replies, ctx, move || {
            let saved = results.held().and_then(|held| write(held, &path));
            Reply::ReportSaved { path, saved }
        });
        if let Err(error) = thread {
            self.report_saved(&path_then, Err(error.to_string()));
        }
    }

    pub(super) fn report_saved(&mut self, path: &Path, saved: Result<(), String>) {
        self.state.under_way = None;
        match saved {
            Ok(()) => {
                self.state.preferences.screenshot_dir = path.parent().map(Path::to_owned);
                self.state.notice = Some(format!("Saved {}", path.display()));
            }
            Err(error) => self.state.error = Some(format!("The report is not saved: {error}")),
        }
    }
}

impl Results {
    fn held(self) -> Result<Held, String> {
        match self {
            Self::Window(name, snapshot) => Ok(Held { name, session: snapshot.session()? }),
            Self::File(path) => {
                let session = Session::load(&path).map_err(|error| error.to_string())?;
                Ok(Held { name: panels::file_name(&path), session })
            }
        }
    }
}

fn write(held: Held, path: &Path) -> Result<(), String> {
    let html = to_html(&[held], &Options::default()).map_err(|error| error.to_string())?;
    whole_file::write(path, html.as_bytes()).map_err(|error| format!("{error}: {}", path.display()))
}
