//! What sessions hold as one page of HTML, for anyone with a browser: all figures with their numbers,
//! how each was computed and how to compute it again, the methods with their sources, and hashes.
//!
//! The page asks no host for anything and is whole without scripts. The same sessions give the same
//! bytes.

use std::collections::BTreeSet;

use crate::analysis::{SOURCES, Source};
use crate::figure::program;
use crate::figure::words::counted;
use crate::session::Session;

mod chapter;
mod html;
mod made_of;
mod result;
mod swept;
mod table;
mod taken;

use chapter::{Chapter, Entry, Section};
use html::Html;

pub use swept::Swept;
pub use taken::{Taken, taken};

/// A session, and what it is called.
#[derive(Debug)]
pub struct Held {
    pub name: String,
    pub session: Session,
}

/// What of the sessions is on the page.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What stands above all. `None` says what was asked of which model.
    pub title: Option<String>,

    /// The results by their numbers in the list of a session, from 1. Empty stands for all.
    pub only: Vec<usize>,
}

/// Why there is no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    #[error("there is nothing to report: {0} holds no result that was asked for")]
    Empty(String),

    #[error("there is no result {nth}; {name} holds {n}")]
    NoResult { nth: usize, n: usize, name: String },

    #[error("{name} cannot be shown: {reason}")]
    Session { name: String, reason: String },
}

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// What the page is about.
struct Contents<'a> {
    chapters: Vec<Chapter<'a>>,
    sweeps: &'a [Swept],
}

/// The page of sessions.
///
/// # Errors
///
/// If a session has nothing to show.
pub fn to_html(all: &[Held], options: &Options) -> Result<String, ReportError> {
    to_html_with(all, &[], options)
}

/// The page of sessions and sweeps.
///
/// # Errors
///
/// If a session has nothing to show.
pub fn to_html_with(
    all: &[Held],
    sweeps: &[Swept],
    options: &Options,
) -> Result<String, ReportError> {
    let chapters = all.iter().enumerate().map(|(nth, held)| Chapter::of(nth, held, &options.only));
    let contents = Contents { chapters: chapters.collect::<Result<Vec<_>, _>>()?, sweeps };
    let title = options.title.clone().unwrap_or_else(|| usual_title(&contents));
    let mut html = Html::default();
    html.put("<!DOCTYPE html>\n");
    html.within("html", &[("lang", "en"), ("xmlns", "http://www.w3.org/1999/xhtml")], |html| {
        html.within("head", &[], |html| head(html, &title));
        html.within("body", &[], |html| body(html, &title, &contents));
    });
    Ok(taken::sealed(html.finish()))
}

fn usual_title(contents: &Contents<'_>) -> String {
    let mut names: Vec<&str> = Vec::new();
    let of_sessions = contents.chapters.iter().map(|it| &*it.held.session.model.name);
    for name in of_sessions.chain(contents.sweeps.iter().map(|it| &*it.model)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    format!("What {} says, and how it comes to it", names.join(" and "))
}

fn head(html: &mut Html, title: &str) {
    html.void("meta", &[("charset", "utf-8")]);
    // No host is asked for anything, and no other script runs, whatever a prompt holds.
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'",
        made_of::sha256_base64(SCRIPT)
    );
    html.void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", &policy)]);
    html.void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
    html.void("meta", &[("name", "color-scheme"), ("content", "light dark")]);
    html.void("meta", &[("name", "generator"), ("content", &program())]);
    html.element("title", &[], title);
    html.within("style", &[], |html| html.put(STYLE));
}

fn body(html: &mut Html, title: &str, contents: &Contents<'_>) {
    let Contents { chapters, sweeps } = contents;
    html.element("a", &[("class", "skip"), ("href", "#results")], "To the results");
    html.within("header", &[], |html| {
        html.element("h1", &[], title);
        let n = chapters.iter().flat_map(Chapter::entries).count();
        let prompts: BTreeSet<&str> = chapters.iter().flat_map(Chapter::prompts).collect();
        let about = match prompts.len() {
            0 => String::new(),
            n => format!(" about {}", counted(n, "prompt")),
        };
        let mut found = Vec::new();
        if !chapters.is_empty() {
            found.push(format!("{}{about}", counted(n, "result")));
        }
        if !sweeps.is_empty() {
            found.push(format!("{} over many facts", counted(sweeps.len(), "sweep")));
        }
        let says = format!("{}, written by {}", found.join(", "), program());
        html.element("p", &[("class", "lead")], &says);
        html.element(
            "p",
            &[],
            "Point at a place of a figure to see its number. Below each figure stands how it was computed, \
             and how to compute it again.",
        );
    });
    html.within("nav", &[("aria-labelledby", "contents")], |html| listed(html, contents));
    html.within("main", &[("id", "results")], |html| {
        let mut drawn = result::Drawn::default();
        for chapter in chapters {
            let is_one = chapters.len() == 1;
            if !is_one {
                html.element("h2", &[("id", &chapter.anchor)], &chapter.held.name);
            }
            for section in &chapter.sections {
                self::section(html, chapter, section, is_one, &mut drawn);
            }
            chapter.left_out(html);
        }
        for (nth, sweep) in sweeps.iter().enumerate() {
            sweep.section(html, nth, &mut drawn);
        }
        made_of::made_of(html, contents);
        sources(html, contents);
    });
    html.within("script", &[], |html| html.put(SCRIPT));
}

fn listed(html: &mut Html, Contents { chapters, sweeps }: &Contents<'_>) {
    let link = |html: &mut Html, anchor: &str, text: &str| {
        html.element("a", &[("href", &format!("#{anchor}"))], text);
    };
    html.element("h2", &[("id", "contents")], "Contents");
    html.within("ol", &[], |html| {
        for chapter in chapters {
            for section in &chapter.sections {
                html.within("li", &[], |html| {
                    let listed = chapter.listed(section);
                    let of = if chapters.len() == 1 {
                        listed
                    } else {
                        format!("{}: {listed}", chapter.held.name)
                    };
                    link(html, &section.anchor, &of);
                    html.within("ol", &[], |html| {
                        let names: Vec<String> =
                            section.entries.iter().map(Entry::listed).collect();
                        for (entry, name) in section.entries.iter().zip(&names) {
                            // Two that differ in a setting, which stands with each, are told by the number
                            // that `--only` knows them by.
                            let is_alone = names.iter().filter(|it| *it == name).count() == 1;
                            let nth =
                                if is_alone { "" } else { &format!(" (result {})", entry.nth) };
                            html.within("li", &[], |html| {
                                link(html, &entry.anchor, &format!("{name}{nth}"));
                            });
                        }
                    });
                });
            }
        }
        for (nth, sweep) in sweeps.iter().enumerate() {
            html.within("li", &[], |html| link(html, &Swept::anchor(nth), &sweep.heading()));
        }
        html.within("li", &[], |html| link(html, made_of::ANCHOR, made_of::TITLE));
        html.within("li", &[], |html| link(html, "sources", "Sources"));
    });
}

fn section(
    html: &mut Html,
    chapter: &Chapter<'_>,
    section: &Section<'_>,
    is_one: bool,
    drawn: &mut result::Drawn,
) {
    let (tag, below) = if is_one { ("h2", 3) } else { ("h3", 4) };
    html.within("section", &[("aria-labelledby", &section.anchor)], |html| {
        html.within(tag, &[("id", &section.anchor)], |html| {
            // What is written from right to left leaves the rest as it is.
            html.element("bdi", &[], &section.heading);
        });
        if !section.of_prompt.is_empty() {
            html.element("p", &[("class", "note")], &section.of_prompt);
        }
        for entry in &section.entries {
            result::result(html, chapter, entry, below, drawn);
        }
    });
}

/// The publications that the methods on the page are from, and those that its figures refer to.
fn sources(html: &mut Html, Contents { chapters, sweeps }: &Contents<'_>) {
    let about = chapters.iter().flat_map(Chapter::entries).map(|it| it.kept.spec.about());
    let about = about.chain(sweeps.iter().map(|it| it.asked.about()));
    let figures = chapters.iter().flat_map(Chapter::entries).flat_map(|it| &it.figures);
    let notes: Vec<&String> = figures.flat_map(|it| &it.notes).collect();
    let is_named = |it: &&Source| notes.iter().any(|note| note.contains(it.cited));
    let named = SOURCES.iter().copied().filter(is_named);
    let mut sources: Vec<&Source> = about.flat_map(|it| it.sources).copied().chain(named).collect();
    sources.sort();
    sources.dedup();
    html.within("section", &[("aria-labelledby", "sources")], |html| {
        html.element("h2", &[("id", "sources")], "Sources");
        if sources.is_empty() {
            html.element("p", &[], "The methods on this page need none.");
            return;
        }
        html.within("ul", &[("class", "sources")], |html| {
            for source in sources {
                html.within("li", &[("id", &anchor_of(source))], |html| {
                    html.say(&format!("{}: ", source.cited));
                    html.element("a", &[("href", source.url), ("rel", "noreferrer")], source.title);
                });
            }
        });
    });
}

/// Where a source stands on the page: `source-meng-et-al-2022`.
fn anchor_of(source: &Source) -> String {
    let words = source.cited.split(|c: char| !c.is_alphanumeric()).filter(|it| !it.is_empty());
    let words: Vec<String> = words.map(str::to_lowercase).collect();
    format!("source-{}", words.join("-"))
}
