//! Models of the hub: searched and downloaded on threads of their own, so that neither the window nor
//! the open model waits.

use std::thread;
use std::time::Instant;

use eframe::egui;

use super::{App, PROGRESS_REPAINT};
use crate::hub::{self, HubError, HubName, Settings};
use crate::task::TaskCtx;
use crate::ui::command::Command;
use crate::ui::get_model::{Doing, GetModel};
use crate::ui::reply::{FromHub, Reply};
use crate::ui::state::{JobKind, Outcome, capitalized};
use crate::worker::JobId;

impl App {
    pub(super) fn hub_command(&mut self, command: Command, ctx: &egui::Context) {
        match command {
            Command::SearchHub(text) => self.search_hub(text, ctx),
            Command::Download(name) => self.download(name, ctx),
            _ => self.show_get_model(),
        }
    }

    /// Whether the dialog is shown.
    pub(super) fn is_getting_model(&self) -> bool {
        self.get_model.as_ref().is_some_and(|it| it.is_shown)
    }

    fn show_get_model(&mut self) {
        if let Some(dialog) = &mut self.get_model {
            return dialog.show();
        }
        match self.hub.clone().map_or_else(Settings::from_env, Ok) {
            Ok(settings) => self.get_model = Some(GetModel::new(settings)),
            Err(error) => self.state.error = Some(capitalized(&error.to_string())),
        }
    }

    fn search_hub(&mut self, text: String, ctx: &egui::Context) {
        let kind = JobKind::AskHub(format!("Searching the hub for “{text}”"));
        self.ask_hub(kind, ctx, Doing::Searching, move |settings, task, _| {
            let found = hub::search(&text, settings, task)?;
            Ok(FromHub::Found(text, found))
        });
    }

    fn download(&mut self, name: HubName, ctx: &egui::Context) {
        let kind = JobKind::AskHub(format!("Downloading {name}"));
        let wanted = name.clone();
        let doing = |id| Doing::Downloading(id, wanted);
        self.ask_hub(kind, ctx, doing, move |settings, task, say| {
            let dir = hub::get(&name, settings, task, say)?;
            Ok(FromHub::Got(name, dir))
        });
    }

    /// Asks the hub on a thread of its own.
    fn ask_hub(
        &mut self,
        kind: JobKind,
        ctx: &egui::Context,
        doing: impl FnOnce(JobId) -> Doing,
        work: impl FnOnce(&Settings, &TaskCtx<'_>, &dyn Fn(hub::Stage)) -> Result<FromHub, HubError>
        + Send
        + 'static,
    ) {
        self.show_get_model();
        let Some(dialog) = self.get_model.as_mut().filter(|it| it.doing == Doing::Nothing) else {
            return;
        };
        let (id, cancel) = self.state.jobs.add(kind);
        (dialog.error, dialog.got) = (None, None);
        dialog.said.clear();
        dialog.doing = doing(id);
        let (settings, replies, ctx) = (dialog.settings.clone(), self.replies.clone(), ctx.clone());
        let ask = move || {
            let tell = |told: FromHub| {
                // The window has closed: nobody to tell.
                _ = replies.send(Reply::Hub(id, told));
                ctx.request_repaint_after(PROGRESS_REPAINT);
            };
            let report = |progress| tell(FromHub::Progress(progress));
            let task = TaskCtx { cancel, report: &report };
            let say = |stage: hub::Stage| tell(FromHub::Said(stage.to_string()));
            tell(match work(&settings, &task, &say) {
                Ok(found) => found,
                Err(HubError::Cancelled(_)) => FromHub::Cancelled,
                Err(error) => FromHub::Failed(capitalized(&error.to_string())),
            });
            ctx.request_repaint();
        };
        let thread = thread::Builder::new().name("hub".to_owned()).spawn(ask);
        if let Err(error) = thread {
            self.hear_hub(id, FromHub::Failed(format!("A thread cannot be started: {error}")));
        }
    }

    pub(super) fn hear_hub(&mut self, id: JobId, told: FromHub) {
        let outcome = match &told {
            FromHub::Progress(progress) => {
                self.state.jobs.advance(id, *progress, Instant::now());
                return;
            }
            FromHub::Said(text) => {
                if let Some(dialog) = &mut self.get_model {
                    dialog.said.clone_from(text);
                }
                return;
            }
            FromHub::Found(..) | FromHub::Got(..) => Outcome::Done,
            FromHub::Cancelled => Outcome::Cancelled,
            FromHub::Failed(error) => Outcome::Failed(error.clone()),
        };
        self.state.jobs.end(id, outcome);
        let Some(dialog) = &mut self.get_model else { return };
        dialog.doing = Doing::Nothing;
        dialog.look();
        match told {
            FromHub::Found(text, found) => dialog.list(text, &found),
            FromHub::Got(name, path) => {
                self.state.notice = Some(format!("{name} is downloaded"));
                dialog.got = Some((name, path));
            }
            FromHub::Failed(error) if dialog.is_shown => dialog.error = Some(error),
            FromHub::Failed(error) => self.state.error = Some(error),
            _ => {}
        }
        self.get_model.take_if(|it| !it.is_shown);
    }
}
