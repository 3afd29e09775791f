//! Notices of what is done: each goes again once it could be read.

use eframe::egui::Context;

use super::App;
use crate::ui::command::Command;

/// How long a notice is shown, in seconds of the window's clock.
const SHOWN: f64 = 10.0;

impl App {
    /// Does what is commanded. A notice that is given again is shown for its time again.
    pub(super) fn carry_out(&mut self, command: Command, ctx: &Context) {
        self.state.jobs.begin_command();
        let before = self.state.notice.take();
        self.handle(command, ctx);
        if self.state.notice.is_some() {
            self.noticed = None;
        } else {
            self.state.notice = before;
        }
    }

    /// Takes away a notice that has been shown for long enough.
    pub(super) fn let_notice_go(&mut self, ctx: &Context) {
        let Some(notice) = &self.state.notice else {
            self.noticed = None;
            return;
        };
        let now = ctx.input(|input| input.time);
        let shown = self.noticed.take().filter(|(text, _)| text == notice);
        let (text, since) = shown.unwrap_or_else(|| (notice.clone(), now));
        let left = SHOWN - (now - since);
        if left > 0.0 {
            ctx.request_repaint_after_secs(left as f32);
            self.noticed = Some((text, since));
        } else {
            self.state.notice = None;
            ctx.request_repaint();
        }
    }
}
