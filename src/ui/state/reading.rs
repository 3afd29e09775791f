//! How the numbers of a result are read in a view: each view has a reading of its own, and so has a fact
//! that is shown as a sweep has asked it.

use serde::{Deserialize, Serialize};

use super::{Setting, Settings, State};
use crate::analysis::Metric;
use crate::figure::{AttributionForm, Effect, LensForm};
use crate::population::FigureSettings;
use crate::ui::pane::{Pane, View};

/// What a view draws of a result that has more numbers than one figure shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub metric: Metric,
    pub effect: Effect,
    pub attribution: AttributionForm,
    pub lens: LensForm,
}

/// The number that a logit lens shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LensChoice {
    pub form: LensForm,
    pub metric: Metric,
}

impl Reading {
    /// As the figures of a sweep are read. Those of a lens are of the answer.
    pub fn of_sweep(figure: FigureSettings) -> Self {
        let FigureSettings { metric, effect, attribution } = figure;
        Self { metric, effect, attribution, lens: LensForm::default() }
    }

    fn set(&mut self, setting: &Setting) {
        match setting {
            Setting::Metric(_, metric) => self.metric = *metric,
            Setting::Attribution(form) => self.attribution = *form,
            Setting::Lens(LensChoice { form, metric }) => {
                (self.lens, self.metric) = (*form, *metric);
            }
            Setting::Trace(_) | Setting::Study(_) | Setting::Attention(_) => {}
        }
    }

    pub fn lens_choice(self) -> LensChoice {
        LensChoice { form: self.lens, metric: self.metric }
    }
}

impl Settings {
    /// What the maps of a view show. The modes of a view share it.
    pub fn metric_of(&self, view: View) -> Metric {
        match view {
            View::Trace => self.trace_metric,
            _ => self.own_metrics.get(&view).copied().unwrap_or(self.metric),
        }
    }

    pub(super) fn set_metric_of(&mut self, view: View, metric: Metric) {
        match view {
            View::Trace => self.trace_metric = metric,
            _ => _ = self.own_metrics.insert(view, metric),
        }
    }

    /// All views show this metric.
    pub fn set_all_metrics(&mut self, metric: Metric) {
        (self.metric, self.trace_metric) = (metric, metric);
        self.own_metrics.clear();
    }

    /// The metrics that views show, each once: first that of traces.
    pub fn metrics(&self) -> Vec<Metric> {
        let mut all = vec![self.trace_metric];
        for view in View::ALL {
            let metric = self.metric_of(view);
            if !all.contains(&metric) {
                all.push(metric);
            }
        }
        all
    }
}

impl State {
    /// How results are read in a view.
    pub fn reading(&self, pane: Pane) -> Reading {
        if let Some(swept) = self.swept.as_ref().filter(|_| self.shows_swept_in(pane)) {
            return swept.reading;
        }
        let settings = &self.settings;
        let view = pane.view();
        let is_lens = pane == Pane::LogitLens;
        Reading {
            metric: if is_lens { settings.lens.metric } else { settings.metric_of(view) },
            effect: settings.studies.get(pane).map_or_else(Effect::default, |it| it.effect()),
            attribution: if view == View::Attribution {
                settings.attribution
            } else {
                AttributionForm::default()
            },
            lens: if is_lens { settings.lens.form } else { LensForm::default() },
        }
    }

    fn shows_swept_in(&self, pane: Pane) -> bool {
        self.swept.as_ref().is_some_and(|it| it.pane == pane) && self.shows_swept(pane)
    }

    /// Changes a setting. A view that shows a fact as a sweep has asked it is read otherwise from then on,
    /// and keeps its own reading for all others.
    pub fn set(&mut self, setting: Setting) {
        let is_of_sweep = setting.reads().is_some_and(|pane| self.shows_swept_in(pane));
        match &mut self.swept {
            Some(swept) if is_of_sweep => swept.reading.set(&setting),
            _ => self.settings.set(setting),
        }
    }
}
