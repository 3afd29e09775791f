//! How the answer's logit adds up, drawn as parts or as a sum.

use factscope::analysis::AnalysisResult;
use factscope::analysis::logit_attribution::{LogitAttribution, Parts};
use factscope::figure::{AttributionForm, Chart, Waterfall, to_csv};
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::view::ViewAction;

use super::support::Window;

impl Window {
    fn attribution(&self) -> &LogitAttribution {
        match &**self.app().state.result(Pane::Attribution).unwrap() {
            AnalysisResult::LogitAttribution(it) => it,
            _ => unreachable!(),
        }
    }

    fn chart(&self) -> Chart {
        let figure = self.app().figure(Pane::Attribution).unwrap();
        assert_eq!(figure.charts.len(), 1, "as the window shows it");
        figure.charts[0].clone()
    }

    fn waterfall(&self) -> Waterfall {
        match self.chart() {
            Chart::Waterfall(it) => it,
            other => panic!("{other:?}"),
        }
    }
}

#[track_caller]
fn ends_at(waterfall: &Waterfall, logit: f32) {
    let ends: Vec<f32> = waterfall.ends().collect();
    let [.., last_part, last] = ends[..] else { panic!("{ends:?}") };
    assert_eq!(last.to_bits(), logit.to_bits());
    assert!((last_part - logit).abs() < 1e-3, "{last_part} {logit}");
}

#[test]
fn the_logit_builds_up_by_depth() {
    let mut window = Window::open();
    window.show(Pane::Attribution);
    assert_eq!(window.app().state.settings.attribution, AttributionForm::Parts);
    let (logit, n_layers) = (window.attribution().logit, window.app().state.info().unwrap());
    let n_layers = n_layers.config.n_layers;

    window.click("Waterfall");
    assert_eq!(window.app().state.settings.attribution, AttributionForm::Waterfall);
    window.sees("The sum starts with the embeddings");
    let waterfall = window.waterfall();
    // The embeddings, attention and MLP of each layer, and the logit.
    assert_eq!(waterfall.bars.bars.len(), 1 + 2 * n_layers + 1);
    ends_at(&waterfall, logit);
    let csv = to_csv(&window.app().figure(Pane::Attribution).unwrap());
    assert_eq!(csv.lines().count(), 1 + waterfall.starts.len(), "{csv}");
    assert!(csv.starts_with("label,Contribution (logits),from,to\n"), "{csv}");

    window.click("Running sum");
    window.sees("The sum starts with the embeddings");
    let Chart::Lines(lines) = window.chart() else { panic!("{:?}", window.chart()) };
    let last = *lines.series[0].values.last().unwrap();
    assert!((last - logit).abs() < 1e-3, "{last} {logit}");

    // By head the largest come first, and the others are one bar.
    window.click("Waterfall");
    let by_heads = Command::View(ViewAction::SplitBy(Parts::Heads));
    window.harness.state_mut().command(by_heads);
    window.wait("heads", |app| {
        app.state.parts == Parts::Heads && app.state.result(Pane::Attribution).is_some()
    });
    ends_at(&window.waterfall(), window.attribution().logit);
}
