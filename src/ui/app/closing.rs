//! Leaving what was found, by closing the window or by opening something else: at once where nothing is
//! lost, else after an answer.

use eframe::egui::{Context, ViewportCommand};

use super::App;
use crate::ui::closing::{Closing, would_lose};
use crate::ui::command::{ClosingAnswer, Command};

impl App {
    /// The system asks for it: its button, its keys, or the end of a session.
    pub(super) fn hear_close_request(&mut self, ctx: &Context) {
        self.is_closed = false;
        if !ctx.input(|input| input.viewport().close_requested()) {
            return;
        }
        if self.closing == Closing::Agreed || self.may_leave(Command::Quit) {
            self.is_closed = true;
            return;
        }
        ctx.send_viewport_cmd(ViewportCommand::CancelClose);
        if ctx.input(|input| input.viewport().minimized == Some(true)) {
            ctx.send_viewport_cmd(ViewportCommand::Minimized(false));
        }
        ctx.request_repaint();
    }

    /// Who tells the process to end waits for no answer: the window closes, and what is not saved is
    /// kept for the next start.
    pub(super) fn hear_ending(&mut self, ctx: &Context) {
        if self.ending.was_told() && self.closing != Closing::Agreed {
            self.keep_now();
            self.closing = Closing::Agreed;
            ctx.send_viewport_cmd(ViewportCommand::Close);
        }
    }

    pub(super) fn quit(&mut self, ctx: &Context) {
        if self.may_leave(Command::Quit) {
            self.closing = Closing::Agreed;
            ctx.send_viewport_cmd(ViewportCommand::Close);
        }
        ctx.request_repaint();
    }

    /// Whether a command may leave what was found now. If not, a person is asked, and the command is
    /// carried out when they agree. Whoever only takes a picture is never asked.
    pub(super) fn may_leave(&mut self, command: Command) -> bool {
        if !self.must_ask(&command) {
            return true;
        }
        if self.closing == Closing::No {
            self.closing = Closing::Asking { is_new: true };
        }
        if !self.left_for.contains(&command) {
            self.left_for.push(command);
        }
        false
    }

    /// Whether a person must agree before a command is carried out.
    pub(super) fn must_ask(&self, command: &Command) -> bool {
        !self.is_let_go && self.is_remembered && would_lose(&self.state, command)
    }

    pub(super) fn answer_closing(&mut self, answer: ClosingAnswer, ctx: &Context) {
        match answer {
            ClosingAnswer::Save => {
                self.closing = Closing::Naming;
                self.session_command(Command::SaveSession, ctx);
            }
            ClosingAnswer::Discard => self.leave(ctx),
            ClosingAnswer::Cancel => self.stay(),
        }
    }

    /// A session is being written.
    pub(super) fn saving_begins(&mut self) {
        self.n_saving += 1;
        if self.closing == Closing::Naming {
            self.closing = Closing::Saving;
        }
    }

    /// A session was written, or was not. Another one may still be on its way to the file.
    pub(super) fn leave_when_saved(&mut self, is_saved: bool, ctx: &Context) {
        self.n_saving -= 1;
        if self.closing != Closing::Saving {
            return;
        }
        if !is_saved {
            self.stay();
        } else if self.n_saving == 0 {
            self.leave(ctx);
        }
    }

    /// Keeps the window open where its user was asked for a name and gave none. Returns whether it was to close.
    pub(super) fn stay_unless_named(&mut self) -> bool {
        let is_named = self.closing == Closing::Naming;
        if is_named {
            self.stay();
        }
        is_named
    }

    fn stay(&mut self) {
        self.closing = Closing::No;
        self.left_for.clear();
        self.held.clear();
    }

    fn leave(&mut self, ctx: &Context) {
        self.closing = Closing::No;
        self.is_let_go = true;
        for command in std::mem::take(&mut self.left_for) {
            self.handle(command, ctx);
        }
        self.is_let_go = false;
        self.held.clear();
    }
}
