//! What one session adds to the page: its results by the prompts that they are about.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::html::Html;
use super::{Held, ReportError};
use crate::experiment::{Experiment, Library};
use crate::facts::Dataset;
use crate::figure::words::{self, capitalized, counted};
use crate::figure::{AskedModel, Export, Figure, FileFormat, Look, Looked, Record};
use crate::hub;
use crate::session::{Kept, ModelIdentity, Origin};
use crate::tokens::Tokenizer;
use crate::worker::{ModelInfo, Which};

/// A session on the page.
pub(super) struct Chapter<'a> {
    pub held: &'a Held,
    pub anchor: String,
    pub sections: Vec<Section<'a>>,

    /// What has become of the dataset since.
    pub dataset: Result<Option<Arc<Dataset>>, String>,

    /// The main model, and the one beside it.
    main: ModelInfo,
    beside: Option<ModelInfo>,

    /// How many estimates that stood in for cells of a trace are left out.
    n_previews: usize,
}

/// The results about one prompt, or about none.
pub(super) struct Section<'a> {
    pub heading: String,

    /// The prompt with its subject, its answer and its foil. Empty where there is none.
    pub of_prompt: String,
    pub anchor: String,
    pub entries: Vec<Entry<'a>>,
    is_of_prompt: bool,
}

/// A result.
pub(super) struct Entry<'a> {
    /// Its number in the list of the session, from 1.
    pub nth: usize,
    pub anchor: String,
    pub kept: Kept<'a>,

    /// At least one.
    pub figures: Vec<Figure>,
}

/// Where results go that are about no prompt, or bring their own.
const OF_NO_PROMPT: &str = "The weights, and several prompts";

impl<'a> Chapter<'a> {
    /// `nth`: of all sessions on the page. `only`: the results that are wanted, by their numbers.
    pub fn of(nth: usize, held: &'a Held, only: &[usize]) -> Result<Self, ReportError> {
        let Held { name, session } = held;
        let n = session.kept().count();
        if let Some(&nth) = only.iter().find(|it| !(1..=n).contains(*it)) {
            return Err(ReportError::NoResult { nth, n, name: name.clone() });
        }
        let info = |it: &ModelIdentity| {
            it.info().map_err(|reason| ReportError::Session { name: name.clone(), reason })
        };
        let mut chapter = Self {
            held,
            anchor: format!("session-{}", nth + 1),
            sections: Vec::new(),
            dataset: session.dataset_now().map(|it| it.map(Arc::new)),
            main: info(&session.model)?,
            beside: session.beside.as_ref().map(|it| info(&it.model)).transpose()?,
            n_previews: 0,
        };
        for (place, kept) in session.kept().enumerate() {
            if !only.is_empty() && !only.contains(&(place + 1)) {
                continue;
            }
            if only.is_empty() && kept.origin == Origin::Preview {
                chapter.n_previews += 1;
                continue;
            }
            chapter.add(place + 1, kept);
        }
        // The prompts first, in the order in which they were asked.
        chapter.sections.sort_by_key(|it| !it.is_of_prompt);
        for (place, section) in chapter.sections.iter_mut().enumerate() {
            section.anchor = format!("{}-prompt-{}", chapter.anchor, place + 1);
        }
        if chapter.sections.is_empty() {
            return Err(ReportError::Empty(name.clone()));
        }
        Ok(chapter)
    }

    fn add(&mut self, nth: usize, kept: Kept<'a>) {
        let is_of_prompt = kept.spec.needs_prompt() && !kept.prompt.text.is_empty();
        let (heading, of_prompt) = if is_of_prompt {
            (format!("“{}”", kept.prompt.text), words::prompt(kept.prompt))
        } else {
            (OF_NO_PROMPT.to_owned(), String::new())
        };
        let entry = Entry {
            nth,
            anchor: format!("{}-result-{nth}", self.anchor),
            figures: self.figures(&kept),
            kept,
        };
        let is_it = |it: &&mut Section<'_>| it.heading == heading && it.of_prompt == of_prompt;
        match self.sections.iter_mut().find(is_it) {
            Some(section) => section.entries.push(entry),
            None => self.sections.push(Section {
                heading,
                of_prompt,
                anchor: String::new(),
                entries: vec![entry],
                is_of_prompt,
            }),
        }
    }

    /// How a result is looked at.
    pub fn look<'b>(&'b self, kept: &'b Kept<'_>) -> Look<'b> {
        let info = self.info(kept.which);
        let model = AskedModel {
            name: &info.name,
            edits: kept.edits,
            n_kv_heads: info.config.n_kv_heads(),
        };
        Look { model: Some(model), ..Look::listing(kept.spec, &info.tokenizer) }
    }

    fn figures(&self, kept: &Kept<'a>) -> Vec<Figure> {
        let mut figures = Figure::all_of(kept.result, &self.look(kept));
        // The heading says it of all.
        let of_prompt = words::prompt(kept.prompt);
        for figure in &mut figures {
            figure.notes.retain(|note| *note != of_prompt);
        }
        figures
    }

    pub fn entries(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.sections.iter().flat_map(|it| &it.entries)
    }

    /// The prompts that the results are about, each once.
    pub fn prompts(&self) -> BTreeSet<&str> {
        self.sections.iter().filter(|it| it.is_of_prompt).map(|it| &*it.heading).collect()
    }

    /// A section as the table of contents has it: where several are about one text, with what each was
    /// asked of it.
    pub fn listed(&self, section: &Section<'_>) -> String {
        let n_alike = self.sections.iter().filter(|it| it.heading == section.heading).count();
        let asked = section.of_prompt.strip_prefix("Prompt ").filter(|_| n_alike > 1);
        asked.unwrap_or(&section.heading).to_owned()
    }

    pub fn info(&self, which: Which) -> &ModelInfo {
        match which {
            Which::Main => &self.main,
            Which::Beside => self.beside.as_ref().unwrap_or(&self.main),
        }
    }

    /// What is needed to say in words what was asked.
    pub fn library<'b>(&self, tokenizer: &'b Tokenizer) -> Library<'b> {
        Library::new(tokenizer).with(self.dataset.as_ref().ok().cloned().flatten())
    }

    /// What was asked for a result. `None` where no text gives the tokens of its prompt.
    pub fn experiment(&self, kept: &Kept<'_>, library: &Library<'_>) -> Option<Experiment> {
        if let Some(typed) = kept.typed {
            return Some(typed.clone());
        }
        let bos = kept.prompt.bos;
        Some(Experiment {
            model: hub::called(&self.held.session.model_of(kept.which).path),
            bos,
            fact: library.source_of(kept.prompt, bos)?,
            edits: kept.edits.to_vec(),
            spec: kept.spec.clone(),
        })
    }

    /// The first figure of a result as a file and what it is called, which carries what it was made of as any
    /// exported picture does. `None` for a result that is not whole. `spec`: what was asked.
    pub fn picture(&self, kept: &Kept<'_>, spec: &str) -> Option<(String, Vec<u8>)> {
        if !kept.is_complete {
            return None;
        }
        let session = &self.held.session;
        let ModelIdentity { name, weights_sha256, device, .. } = session.model_of(kept.which);
        let look = self.look(kept);
        let experiment = serde_json::from_str(spec).ok()?;
        let record =
            Record::new(name, weights_sha256.clone(), device, experiment, Looked::from(&look));
        let record = Some(Arc::new(Record { program: session.program.clone(), ..record }));
        let figure = Figure::of(kept.result, &look).signed();
        let file = FileFormat::Svg.bytes(&figure, &Export { record, ..Export::default() });
        Some((format!("{}.svg", figure.file_name), file.ok()?))
    }

    /// Says which results of the session are not on the page.
    pub fn left_out(&self, html: &mut Html) {
        if self.n_previews > 0 {
            let n = counted(self.n_previews, "estimate");
            let says = format!(
                "Left out: {n} that stood in for cells of a trace until these were computed. They are \
                 results of the session all the same, and --only draws them."
            );
            html.element("p", &[("class", "note")], &says);
        }
        let shown: BTreeSet<usize> = self.entries().map(|it| it.nth).collect();
        let n_others = self.held.session.kept().count() - shown.len() - self.n_previews;
        if n_others > 0 {
            let says = format!("The session holds {} more.", counted(n_others, "result"));
            html.element("p", &[("class", "note")], &says);
        }
    }
}

impl Entry<'_> {
    /// What the method is called.
    pub fn name(&self) -> String {
        capitalized(&self.kept.name())
    }

    /// As the table of contents has it.
    pub fn listed(&self) -> String {
        let (name, title) = (self.name(), &self.figures[0].title);
        let title = match self.figures.len() - 1 {
            0 => title.clone(),
            n => format!("{title} and {n} more"),
        };
        let of = match (self.kept.which, self.kept.edits) {
            (Which::Beside, _) => ", of the model beside",
            (_, []) => "",
            _ => ", of the changed model",
        };
        // Some titles begin so.
        if title.to_lowercase().starts_with(self.kept.name()) {
            format!("{title}{of}")
        } else {
            format!("{name}: {title}{of}")
        }
    }
}
