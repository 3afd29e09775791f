//! The figures that are on screen, each made once and not in every frame.

use std::convert::Infallible;
use std::sync::Arc;

use eframe::egui::Id;

use crate::analysis::AnalysisResult;
use crate::figure::{Figure, Look, Looked, Ranges};

/// The figures of the last frames, one for each place.
#[derive(Debug, Default)]
pub struct Figures {
    made: Vec<Made>,
}

#[derive(Debug)]
struct Made {
    place: Id,
    of: Arc<AnalysisResult>,
    with: Option<Arc<AnalysisResult>>,
    looked_at: Looked,
    ranges: Ranges,
    figure: Arc<Figure>,
}

impl Figures {
    /// The figure of a result. `place`: where it is drawn, such as its view and row. `preview`: the
    /// estimate that stands in for the cells of a trace that are not computed yet.
    pub fn get(
        &mut self,
        place: Id,
        of: &Arc<AnalysisResult>,
        preview: Option<&Arc<AnalysisResult>>,
        look: &Look<'_>,
        ranges: &Ranges,
    ) -> Arc<Figure> {
        let estimate = match preview.map(|it| &**it) {
            Some(AnalysisResult::AttributionPatching(it)) => Some(it),
            _ => None,
        };
        let make = || Ok::<_, Infallible>(Figure::of(of, &Look { estimate, ..*look }));
        let Ok(figure) = self.kept(place, of, preview, look, ranges, make);
        figure
    }

    /// The figure that `make` makes of one or two results, unless it is there already.
    pub fn kept<E>(
        &mut self,
        place: Id,
        of: &Arc<AnalysisResult>,
        with: Option<&Arc<AnalysisResult>>,
        look: &Look<'_>,
        ranges: &Ranges,
        make: impl FnOnce() -> Result<Figure, E>,
    ) -> Result<Arc<Figure>, E> {
        let looked_at = Looked::from(look);
        let is_it = |it: &&Made| {
            it.place == place
                && Arc::ptr_eq(&it.of, of)
                && it.with.as_ref().map(Arc::as_ptr) == with.map(Arc::as_ptr)
                && it.looked_at == looked_at
                && it.ranges == *ranges
        };
        if let Some(made) = self.made.iter().find(is_it) {
            return Ok(Arc::clone(&made.figure));
        }
        let mut figure = make()?;
        ranges.apply(&mut figure);
        let figure = Arc::new(figure);
        self.made.retain(|it| it.place != place);
        let (of, with, ranges) = (Arc::clone(of), with.cloned(), ranges.clone());
        let made = Made { place, of, with, looked_at, ranges, figure: Arc::clone(&figure) };
        self.made.push(made);
        Ok(figure)
    }
}
