//! The memory that results take.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use eframe::egui;

use super::App;
use crate::analysis::AnalysisResult;
use crate::session::n_bytes;
use crate::ui::reply::Reply;

impl App {
    /// Counts the bytes of a result on a thread of its own: a large one takes longer than a frame.
    pub(super) fn weigh(&mut self, result: &Arc<AnalysisResult>) {
        let (result, replies) = (Arc::clone(result), self.replies.clone());
        let thread = thread::Builder::new().name("weigh".to_owned()).spawn(move || {
            let n_bytes = n_bytes(&result);
            // The window has closed: nobody to tell.
            _ = replies.send(Reply::Weighed { result, n_bytes });
        });
        // Without threads nothing is counted, and nothing given up.
        drop(thread);
    }

    pub(super) fn weighed(
        &mut self,
        result: &Arc<AnalysisResult>,
        n_bytes: u64,
        ctx: &egui::Context,
    ) {
        self.state.memory.add(result, n_bytes);
        self.evict();
        ctx.request_repaint();
    }

    pub(super) fn evict(&mut self) {
        let n = self.state.evict();
        if n > 0 {
            let limit = self.state.preferences.results_limit_mb;
            let oldest =
                if n == 1 { "oldest result".to_owned() } else { format!("{n} oldest results") };
            self.state.notice = Some(format!("Gave up the {oldest}, to keep within {limit} MB"));
        }
    }

    /// Looks how much memory is used, if it is time to.
    pub(super) fn look_at_memory(&mut self) {
        self.state.memory.look(Instant::now());
    }
}
