//! What many facts have in common, on the page: the figure of a sweep, and how to compute it again.

use super::html::Html;
use super::result::{Drawn, MOST_CELLS, about, command, figure, spec};
use crate::analysis::AnalysisSpec;
use crate::experiment::quoted;
use crate::figure::Figure;
use crate::figure::words::capitalized;

/// A sweep on the page.
#[derive(Debug)]
pub struct Swept {
    /// What its folder is called.
    pub name: String,

    /// What the model is called that was asked.
    pub model: String,

    /// What was asked of each fact.
    pub asked: AnalysisSpec,

    /// Means over the facts, with their intervals.
    pub figure: Figure,

    /// What was asked, as the file that `factscope sweep` takes.
    pub spec: String,

    /// The commands that ask the same, a line each.
    pub commands: Vec<String>,

    /// Model, dataset and programs with their hashes, by what each is.
    pub made_of: Vec<(String, String)>,
}

impl Swept {
    /// `nth`: of all sweeps on the page.
    pub(super) fn anchor(nth: usize) -> String {
        format!("sweep-{}", nth + 1)
    }

    pub(super) fn heading(&self) -> String {
        format!("Over many facts: {}", self.name)
    }

    pub(super) fn section(&self, html: &mut Html, nth: usize, drawn: &mut Drawn) {
        let anchor = Self::anchor(nth);
        html.within("section", &[("aria-labelledby", &anchor)], |html| {
            html.within("h2", &[("id", &anchor)], |html| {
                html.element("bdi", &[], &self.heading());
            });
            let of_method = format!("{anchor}-method");
            html.within("article", &[("aria-labelledby", &of_method)], |html| {
                html.element("h3", &[("id", &of_method)], &capitalized(&self.asked.name()));
                about(html, self.asked.about());
                if drawn.takes(&self.figure) {
                    figure(html, &self.figure, &format!("{anchor}-figure"));
                } else {
                    let says = format!(
                        "Not drawn: with its figure this page would have over {MOST_CELLS} cells and be too \
                         large for a browser. A report of this sweep alone has room for it."
                    );
                    html.element("p", &[("class", "note")], &says);
                }
                self.again(html);
            });
        });
    }

    fn again(&self, html: &mut Html) {
        html.within("div", &[("class", "again")], |html| {
            html.element("h4", &[], "To compute it again");
            command(html, &self.commands.join("\n"));
            html.within("details", &[], |html| {
                let file = quoted(&self.file());
                html.element("summary", &[], &format!("What each fact was asked, for {file}"));
                spec(html, self.spec.trim_end());
            });
        });
    }

    /// The name of the file that the commands read the spec from.
    fn file(&self) -> String {
        format!("{}.json", self.name)
    }
}
