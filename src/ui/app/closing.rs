//! Closing the window: at once where nothing is lost, else after an answer.

use eframe::egui::{Context, ViewportCommand};

use super::App;
use crate::ui::closing::{Closing, would_lose};
use crate::ui::command::{ClosingAnswer, Command};

impl App {
    /// The system asks for it: its button, its keys, or the end of a session.
    pub(super) fn hear_close_request(&mut self, ctx: &Context) {
        let is_asked = ctx.input(|input| input.viewport().close_requested());
        if is_asked && !self.may_close() {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            if ctx.input(|input| input.viewport().minimized == Some(true)) {
                ctx.send_viewport_cmd(ViewportCommand::Minimized(false));
            }
            self.ask_to_close(ctx);
        }
    }

    pub(super) fn quit(&mut self, ctx: &Context) {
        if self.may_close() {
            self.close(ctx);
        } else {
            self.ask_to_close(ctx);
        }
    }

    /// Whoever only takes a picture is never asked.
    fn may_close(&self) -> bool {
        self.closing == Closing::Agreed || !self.is_remembered || !would_lose(&self.state)
    }

    fn ask_to_close(&mut self, ctx: &Context) {
        if self.closing == Closing::No {
            self.closing = Closing::Asking { is_new: true };
        }
        ctx.request_repaint();
    }

    fn close(&mut self, ctx: &Context) {
        self.closing = Closing::Agreed;
        ctx.send_viewport_cmd(ViewportCommand::Close);
        ctx.request_repaint();
    }

    pub(super) fn answer_closing(&mut self, answer: ClosingAnswer, ctx: &Context) {
        match answer {
            ClosingAnswer::Save => {
                self.closing = Closing::Saving;
                self.session_command(Command::SaveSession, ctx);
                // It could not even be begun; the error is shown.
                if self.n_saving == 0 {
                    self.closing = Closing::No;
                }
            }
            ClosingAnswer::Discard => self.close(ctx),
            ClosingAnswer::Cancel => self.closing = Closing::No,
        }
    }

    /// A session was written, or was not. Another one may still be on its way to the file.
    pub(super) fn close_when_saved(&mut self, is_saved: bool, ctx: &Context) {
        if self.closing != Closing::Saving {
            return;
        }
        if !is_saved {
            self.closing = Closing::No;
        } else if self.n_saving == 0 {
            self.close(ctx);
        }
    }
}
