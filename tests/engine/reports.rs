//! Pages of HTML that hold what sessions hold: whole, well formed, for everyone, and of no host.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use factscope::analysis::{
    AnalysisCtx, AnalysisResult, AnalysisSpec, SOURCES, attention, prediction,
};
use factscope::experiment::{Library, Written};
use factscope::facts::{Direction, Fact, Record};
use factscope::figure::{Figure, Look};
use factscope::report::{Held, Options, ReportError, to_html};
use factscope::session::{Found, ModelIdentity, Origin, Session, StoredFact};
use factscope::tokens::{Bos, TokenizedPrompt};
use factscope::worker::{Engine, Which};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::json;

use super::every_analysis::{is_listed, specs};
use crate::support::{engine, fixture, prompt};

/// A page as a browser takes it apart.
#[derive(Default)]
struct Page {
    /// The elements in order: name, and attributes.
    elements: Vec<(String, BTreeMap<String, String>)>,
    text: String,

    /// The experiments, each as a file has it.
    specs: Vec<String>,
}

impl Page {
    /// Fails where it is no XML.
    fn read(html: &str) -> Self {
        let mut page = Self::default();
        let mut reader = Reader::from_str(html);
        reader.config_mut().check_end_names = true;
        let (mut depth, mut is_spec) = (0, false);
        loop {
            let said = match reader.read_event().unwrap() {
                Event::Start(it) => {
                    depth += 1;
                    page.add(&it);
                    is_spec = is_spec || page.is_in_spec();
                    if page.is_in_spec() {
                        page.specs.push(String::new());
                    }
                    String::new()
                }
                Event::Empty(it) => {
                    page.add(&it);
                    String::new()
                }
                Event::End(it) => {
                    depth -= 1;
                    is_spec &= it.name().as_ref() != b"pre";
                    // A part of a line ends none.
                    let is_inline = it.name().as_ref() == b"span";
                    if is_inline { String::new() } else { "\n".to_owned() }
                }
                Event::Text(it) => it.decode().unwrap().into_owned(),
                Event::GeneralRef(it) => match &*it.decode().unwrap() {
                    "lt" => "<".to_owned(),
                    "gt" => ">".to_owned(),
                    "amp" => "&".to_owned(),
                    "quot" => "\"".to_owned(),
                    other => panic!("{other}"),
                },
                Event::DocType(it) => {
                    assert_eq!(it.decode().unwrap(), "html");
                    continue;
                }
                // The hash of the page.
                Event::Comment(_) => continue,
                Event::Eof => break,
                other => panic!("{other:?}"),
            };
            page.text.push_str(&said);
            if is_spec {
                page.specs.last_mut().unwrap().push_str(&said);
            }
        }
        assert_eq!(depth, 0);
        page
    }

    fn is_in_spec(&self) -> bool {
        let (name, attributes) = self.elements.last().unwrap();
        name == "pre" && attributes.get("class").is_some_and(|it| it == "spec")
    }

    fn add(&mut self, element: &BytesStart<'_>) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let attributes = element.attributes().map(|it| {
            let it = it.unwrap();
            (text(it.key.as_ref()), text(&it.value))
        });
        self.elements.push((text(element.name().as_ref()), attributes.collect()));
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a BTreeMap<String, String>> {
        self.elements.iter().filter(move |it| it.0 == name).map(|it| &it.1)
    }

    #[track_caller]
    fn says(&self, text: &str) {
        // A title may have spaces that are drawn once.
        assert!(self.text.contains(text), "{text:?} is not on the page");
    }

    /// What any page must hold for those who do not see it, and for those who want nobody to know that
    /// they read it.
    fn is_for_everyone(&self) {
        assert_eq!(self.named("html").next().unwrap()["lang"], "en");
        let ids: Vec<&String> = self.elements.iter().filter_map(|it| it.1.get("id")).collect();
        let each: BTreeSet<&String> = ids.iter().copied().collect();
        assert_eq!(ids.len(), each.len(), "an id stands twice");
        for (name, attributes) in &self.elements {
            for reference in ["aria-labelledby", "aria-describedby", "for"] {
                let id = attributes.get(reference);
                assert!(id.is_none_or(|it| each.contains(it)), "{name}: {attributes:?}");
            }
            for loads in ["src", "srcset", "data", "background", "poster", "style"] {
                assert!(!attributes.contains_key(loads), "{name}: {attributes:?}");
            }
            if let Some(href) = attributes.get("href") {
                let own = href.strip_prefix('#').map(str::to_owned);
                assert!(name == "a" && own.is_none_or(|it| each.contains(&it)), "{href}");
            }
        }
        for name in ["link", "img", "image", "iframe", "object", "embed", "use", "base", "video"] {
            assert_eq!(self.named(name).count(), 0, "{name}");
        }
        let mut level = 0;
        for (name, _) in &self.elements {
            let own = name.strip_prefix('h').and_then(|it| it.parse::<usize>().ok());
            if let Some(own) = own {
                assert!(own <= level + 1, "{name} after h{level}");
                level = own;
            }
        }
        for svg in self.named("svg") {
            assert_eq!(svg["role"], "img");
            assert!(svg["aria-label"].len() > 20, "{svg:?}");
        }
        assert!(self.named("th").all(|it| it.contains_key("scope")));
        assert!(self.named("figure").all(|it| it.contains_key("aria-labelledby")));
        let mut policies = self.named("meta").filter(|it| it.contains_key("http-equiv"));
        let policy = &policies.next().unwrap()["content"];
        assert!(policy.starts_with("default-src 'none'; style-src 'unsafe-inline'"), "{policy}");
        assert_eq!(self.named("script").count(), 1);
    }
}

/// A session in which a prompt was asked all of this.
fn session(engine: &Engine, prompt: &TokenizedPrompt, specs: Vec<AnalysisSpec>) -> Session {
    let hashes = BTreeMap::from([("model.safetensors".to_owned(), "ab12".repeat(16))]);
    let mut session = Session::new(ModelIdentity::of(&engine.info, hashes));
    let fact = Fact::from_text(&prompt.text, None).unwrap();
    session.facts = vec![StoredFact { nth: None, record: Record::new("typed 1", None, fact) }];
    let found = |spec: AnalysisSpec| Found {
        which: Which::Main,
        changed: None,
        fact: 0,
        direction: Direction::Forward,
        prompt: prompt.clone(),
        origin: Origin::Asked,
        is_complete: true,
        result: Arc::new(engine.run(prompt, &spec, &AnalysisCtx::unwatched()).unwrap()),
        spec,
    };
    session.found = specs.into_iter().map(found).collect();
    session
}

fn held(session: Session) -> Held {
    Held { name: "a.factscope".to_owned(), session }
}

fn views() -> Held {
    held(Session::load(&fixture("views.factscope")).unwrap())
}

/// The publications that a text names, as `Meng et al. 2022`.
fn cited(text: &str) -> impl Iterator<Item = String> {
    text.match_indices(" et al. ").filter_map(|(at, word)| {
        let who = text[..at].rsplit(|c: char| !c.is_alphanumeric()).next()?;
        let year = text[at + word.len()..].get(..4)?;
        Some(format!("{who}{word}{year}"))
    })
}

#[test]
fn results_of_a_model_before_and_after_a_change_are_told_apart() {
    let engine = engine("tiny");
    let prompt = prompt("In Paris it is", "Paris", Some("it"));
    let asked = || AnalysisSpec::Prediction(prediction::Spec { n_top: 3 });
    let mut session = session(&engine, &prompt, vec![asked(), asked(), asked()]);
    let steering = specs(&prompt).into_iter().find_map(|it| it.edit()).unwrap();
    session.changes.push(vec![steering]);
    session.found[1].changed = Some(0);
    let page = Page::read(&to_html(&[held(session)], &Options::default()).unwrap());
    page.is_for_everyone();
    page.says("of the changed model");
    page.says("(result 1)");
    page.says("(result 3)");
    page.says("none for 2 results; ");
    page.says(" for 1 result");
}

#[test]
fn every_method_is_on_the_page_with_what_it_does_and_what_asks_it_again() {
    let engine = engine("tiny");
    let prompt = prompt("In Paris it is", "Paris", Some("it"));
    let asked = specs(&prompt);
    let held = held(session(&engine, &prompt, asked.clone()));
    let html = to_html(std::slice::from_ref(&held), &Options::default()).unwrap();
    let page = Page::read(&html);
    page.is_for_everyone();
    let (mut n_figures, mut n_cited) = (0, 0);
    for kept in held.session.kept() {
        is_listed(kept.result);
        let about = kept.spec.about();
        page.says(about.text);
        about.sources.iter().for_each(|it| page.says(it.title));
        let look = Look::listing(kept.spec, &engine.info.tokenizer);
        for figure in Figure::all_of(kept.result, &look) {
            n_figures += 1;
            page.says(&figure.title);
            figure.warnings.iter().for_each(|it| page.says(it));
            for cited in figure.notes.iter().flat_map(|note| cited(note)) {
                assert!(SOURCES.iter().any(|it| it.cited == cited), "no source is {cited}");
                page.says(&format!("{cited}: "));
                n_cited += 1;
            }
        }
    }
    assert!(n_cited > 5, "{n_cited}");
    assert_eq!(page.named("figure").count(), n_figures);
    page.says(&"ab12".repeat(16));

    let library = Library::new(&engine.info.tokenizer);
    let resolved: Vec<AnalysisSpec> = page
        .specs
        .iter()
        .map(|text| {
            let read = Written::parse(text, Path::new("")).unwrap();
            let experiment = read.resolve(&library, Path::new("")).unwrap();
            let fact = library.question(&experiment.fact).unwrap().fact;
            let again = TokenizedPrompt::new(&engine.info.tokenizer, &fact, experiment.bos);
            assert_eq!(again.unwrap(), prompt);
            experiment.spec
        })
        .collect();
    assert_eq!(resolved.len(), asked.len());
    for spec in &asked {
        assert!(resolved.contains(spec), "{spec:?}");
    }
}

#[test]
fn a_session_of_the_window_is_on_the_page_and_the_same_each_time() {
    let html = to_html(&[views()], &Options::default()).unwrap();
    let page = Page::read(&html);
    page.is_for_everyone();
    let held = views();
    let n_previews = held.session.kept().filter(|it| it.origin == Origin::Preview).count();
    let n = held.session.kept().count();
    assert!(n_previews > 0 && n > 30, "{n_previews} of {n}");
    assert_eq!(page.named("article").count(), n - n_previews);
    page.says(&format!("{n_previews} estimates that stood in"));
    page.says("factscope trace --model builtin --facts builtin --case 0");
    assert_eq!(to_html(&[views()], &Options::default()).unwrap(), html);
}

#[test]
fn results_are_chosen_by_their_numbers() {
    let only = |only: &[usize]| {
        let options = Options { title: Some("One map".to_owned()), only: only.to_vec() };
        to_html(&[views()], &options)
    };
    let page = Page::read(&only(&[5, 6]).unwrap());
    page.is_for_everyone();
    assert_eq!(page.named("article").count(), 2);
    page.says("One map");
    page.says("The session holds 36 results more.");
    for nth in [0, 39] {
        let name = "a.factscope".to_owned();
        assert_eq!(only(&[nth]), Err(ReportError::NoResult { nth, n: 38, name }));
    }
}

#[test]
fn several_sessions_share_a_page() {
    let engine = engine("tiny");
    let prompt = prompt("In Paris it is", "Paris", Some("it"));
    let spec = AnalysisSpec::Prediction(prediction::Spec { n_top: 5 });
    let held = |name: &str| {
        let session = session(&engine, &prompt, vec![spec.clone()]);
        Held { name: name.to_owned(), session }
    };
    let html = to_html(&[held("a.factscope"), held("b.factscope")], &Options::default()).unwrap();
    let page = Page::read(&html);
    page.is_for_everyone();
    assert_eq!(page.named("article").count(), 2);
    page.says("b.factscope");
    let mut empty = held("c.factscope");
    empty.session.found.clear();
    let error = to_html(&[empty], &Options::default()).unwrap_err();
    assert!(error.to_string().contains("c.factscope holds no result"), "{error}");
}

#[test]
fn what_a_user_has_written_stays_text() {
    let engine = engine("tiny");
    let hostile = "</p><script>alert(1)</script><img src=x onerror=y> ]]> & \" Paris is";
    let tokenizer = &engine.info.tokenizer;
    let fact = Fact::from_text(hostile, Some("Paris")).unwrap();
    let prompt = TokenizedPrompt::new(tokenizer, &fact, Bos::Off).unwrap();
    let specs = vec![
        AnalysisSpec::Prediction(prediction::Spec { n_top: 5 }),
        AnalysisSpec::Attention(attention::Spec::all_heads(0..2)),
    ];
    let mut session = session(&engine, &prompt, specs);
    session.model.name = "</title><script>m</script>".to_owned();
    let name = "\"><script>n</script>.factscope".to_owned();
    let title = Some("</h1><script>t</script>\u{0}".to_owned());
    for options in [Options::default(), Options { title, only: vec![1, 2] }] {
        let held = Held { name: name.clone(), session: session.clone() };
        let html = to_html(&[held], &options).unwrap();
        let page = Page::read(&html);
        page.is_for_everyone();
        page.says(hostile);
        page.says("\"><script>n</script>.factscope");
        page.says("</title><script>m</script>");
    }
}

/// Of a model of so many layers and heads, over so many tokens.
fn of_heads(engine: &Engine, n_layers: usize, n_heads: usize, n_pos: usize) -> Held {
    let words = "Paris is in ".repeat(n_pos);
    let fact = Fact::from_text(words.trim(), None).unwrap();
    let mut prompt = TokenizedPrompt::new(&engine.info.tokenizer, &fact, Bos::Off).unwrap();
    prompt.ids.truncate(n_pos);
    prompt.pieces.truncate(n_pos);
    let weight = |nth: usize| {
        let (query, key) = (nth / n_pos % n_pos, nth % n_pos);
        // Neighbours differ, so that no two are drawn as one.
        if key <= query { (1 + nth * 7919 % 997) as f32 / 1000.0 } else { 0.0 }
    };
    let weights: Vec<f32> = (0..n_layers * n_heads * n_pos * n_pos).map(weight).collect();
    let spec = attention::Spec::all_heads(0..n_layers);
    let found = json!({ "spec": spec, "prompt": prompt, "n_heads": n_heads, "weights": weights });
    let result = AnalysisResult::Attention(serde_json::from_value(found).unwrap());
    let mut session = session(engine, &prompt, Vec::new());
    session.found = vec![Found {
        which: Which::Main,
        changed: None,
        fact: 0,
        direction: Direction::Forward,
        prompt,
        origin: Origin::Asked,
        spec: AnalysisSpec::Attention(spec),
        is_complete: true,
        result: Arc::new(result),
    }];
    held(session)
}

/// The limits are those of a mail and of a browser, far below what all cells would take.
#[test]
fn a_page_of_many_heads_is_whole_or_says_what_it_lacks() {
    let engine = engine("tiny");
    let html = to_html(&[of_heads(&engine, 12, 12, 12)], &Options::default()).unwrap();
    assert!(html.len() < 6_000_000, "{}", html.len());
    let page = Page::read(&html);
    page.is_for_everyone();
    // One map is shown large, too.
    assert_eq!(page.named("path").count(), (144 + 1) * 144);
    assert!(!page.text.contains("Not drawn"));

    let html = to_html(&[of_heads(&engine, 36, 20, 48)], &Options::default()).unwrap();
    assert!(html.len() < 40_000_000, "{}", html.len());
    let page = Page::read(&html);
    page.is_for_everyone();
    let n_drawn = page.named("figure").count();
    assert!((1..36).contains(&n_drawn), "{n_drawn}");
    page.says(&format!("Not drawn: {} of 36 figures", 36 - n_drawn));
}
