//! Figures that are on screen: each is made once, not every frame.

use std::sync::Arc;

use eframe::egui::Id;

use crate::analysis::{AnalysisResult, Metric};
use crate::figure::{AttributionForm, Effect, Figure, LensForm, Look, Pick, Ranges};

/// The figures of the last frames, one for each place.
#[derive(Debug, Default)]
pub struct Figures {
    made: Vec<Made>,
}

#[derive(Debug)]
struct Made {
    place: Id,
    of: Arc<AnalysisResult>,
    preview: Option<Arc<AnalysisResult>>,
    looked_at: LookedAt,
    ranges: Ranges,
    figure: Arc<Figure>,
}

/// A [`Look`] that can be kept.
#[derive(Clone, Copy, Debug, PartialEq)]
struct LookedAt {
    metric: Metric,
    effect: Effect,
    attribution: AttributionForm,
    lens: LensForm,
    pick: Pick,
    planted: Option<usize>,
}

impl LookedAt {
    fn new(look: &Look<'_>) -> Self {
        let Look { metric, effect, attribution, lens, pick, planted, .. } = *look;
        Self { metric, effect, attribution, lens, pick, planted }
    }
}

impl Figures {
    /// `place`: where it is drawn, such as its view and row. `preview`: the estimate that stands in for the cells of a trace that are not computed yet.
    pub fn get(
        &mut self,
        place: Id,
        of: &Arc<AnalysisResult>,
        preview: Option<&Arc<AnalysisResult>>,
        look: &Look<'_>,
        ranges: &Ranges,
    ) -> Arc<Figure> {
        let looked_at = LookedAt::new(look);
        let is_it = |it: &&Made| {
            it.place == place
                && Arc::ptr_eq(&it.of, of)
                && it.preview.as_ref().map(Arc::as_ptr) == preview.map(Arc::as_ptr)
                && it.looked_at == looked_at
                && it.ranges == *ranges
        };
        if let Some(made) = self.made.iter().find(is_it) {
            return Arc::clone(&made.figure);
        }
        let estimate = match preview.map(|it| &**it) {
            Some(AnalysisResult::AttributionPatching(it)) => Some(it),
            _ => None,
        };
        let mut figure = Figure::of(of, &Look { estimate, ..*look });
        ranges.apply(&mut figure);
        let figure = Arc::new(figure);
        self.made.retain(|it| it.place != place);
        self.made.push(Made {
            place,
            of: Arc::clone(of),
            preview: preview.cloned(),
            looked_at,
            ranges: ranges.clone(),
            figure: Arc::clone(&figure),
        });
        figure
    }
}
