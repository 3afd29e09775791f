//! The models that are open: one, or two that are asked the same.
//!
//! With a second one open the second row is asked of it, and both rows ask the chosen fact the same
//! way; see [`super::pair`].

use std::path::PathBuf;
use std::sync::Arc;

use super::{FactKey, JobKind, State};
use crate::analysis::ModelEdit;
use crate::facts::Direction;
use crate::figure::AskedModel;
use crate::ui::row::Row;
use crate::worker::{JobId, ModelInfo, Which};

/// A place for a model.
#[derive(Debug, Default)]
pub enum ModelState {
    #[default]
    None,
    Loading {
        job: JobId,
        dir: PathBuf,
    },
    Open(Arc<ModelInfo>),
}

/// Another model beside the first.
#[derive(Debug, Default)]
pub struct ModelBeside {
    pub model: ModelState,

    /// As [`State::subjects`], in its tokens.
    pub subjects: Option<Arc<[u32]>>,

    /// Which way both rows ask the chosen fact.
    pub asks: Direction,
}

impl ModelState {
    pub fn info(&self) -> Option<&Arc<ModelInfo>> {
        match self {
            Self::Open(info) => Some(info),
            Self::None | Self::Loading { .. } => None,
        }
    }

    pub fn is_loading(&self, id: JobId) -> bool {
        matches!(self, Self::Loading { job, .. } if *job == id)
    }

    /// Where it is opened from, or was.
    pub fn dir(&self) -> Option<&PathBuf> {
        match self {
            Self::None => None,
            Self::Loading { dir, .. } => Some(dir),
            Self::Open(info) => Some(&info.dir),
        }
    }
}

impl State {
    /// The main model.
    pub fn info(&self) -> Option<&Arc<ModelInfo>> {
        self.model.info()
    }

    pub fn info_of(&self, which: Which) -> Option<&Arc<ModelInfo>> {
        self.model_of(which).info()
    }

    /// The model that a row is asked of.
    pub fn info_at(&self, row: Row) -> Option<&Arc<ModelInfo>> {
        self.info_of(self.which(row))
    }

    pub fn model_of(&self, which: Which) -> &ModelState {
        match which {
            Which::Main => &self.model,
            Which::Beside => &self.model_beside.model,
        }
    }

    pub fn model_mut(&mut self, which: Which) -> &mut ModelState {
        match which {
            Which::Main => &mut self.model,
            Which::Beside => &mut self.model_beside.model,
        }
    }

    /// Whether a second model is open, or being opened.
    pub fn has_model_beside(&self) -> bool {
        !matches!(self.model_beside.model, ModelState::None)
    }

    pub fn which(&self, row: Row) -> Which {
        match row {
            Row::Second if self.has_model_beside() => Which::Beside,
            Row::First | Row::Second => Which::Main,
        }
    }

    /// The name of a row's model, where two are open and it must be told.
    pub fn model_name(&self, row: Row) -> Option<String> {
        self.name_of_model(self.which(row)).filter(|_| self.has_model_beside())
    }

    /// The model's name, and whether the model is changed.
    pub fn name_of_model(&self, which: Which) -> Option<String> {
        let info = self.info_of(which)?;
        let changed = if self.edits_of(which).is_empty() { "" } else { ", changed" };
        Some(format!("{}{changed}", info.name))
    }

    /// The model as figures name it.
    pub fn asked_model(&self, which: Which) -> Option<AskedModel<'_>> {
        let ModelInfo { name, config, .. } = &**self.info_of(which)?;
        let n_kv_heads = config.n_kv_heads();
        Some(AskedModel { name, edits: self.edits_of(which), n_kv_heads })
    }

    /// The model's name behind its place: `First model: gpt2`.
    pub fn place_of_model(&self, which: Which) -> Option<String> {
        let place = match which {
            Which::Main => "First model",
            Which::Beside => "Second model",
        };
        Some(format!("{place}: {}", self.name_of_model(which)?))
    }

    /// The place at which a job opens a model. Another model may still be open there.
    pub fn is_loading(&self, id: JobId) -> Option<Which> {
        match self.jobs.get(id)?.kind {
            JobKind::Load(which, _) => Some(which),
            _ => None,
        }
    }

    /// The tokens of all the dataset's subjects, as a model has them.
    pub fn subjects_of(&self, which: Which) -> Option<&Arc<[u32]>> {
        match which {
            Which::Main => self.subjects.as_ref(),
            Which::Beside => self.model_beside.subjects.as_ref(),
        }
    }

    pub fn set_subjects(&mut self, which: Which, tokens: Option<Arc<[u32]>>) {
        match which {
            Which::Main => self.subjects = tokens,
            Which::Beside => self.model_beside.subjects = tokens,
        }
    }

    /// What is changed in a model. The one beside stays as it is on disk.
    pub fn edits_of(&self, which: Which) -> &[ModelEdit] {
        match which {
            Which::Main => &self.edits,
            Which::Beside => &[],
        }
    }

    /// Lets go of the second model and of all that was found in it, and opens no other.
    pub fn drop_model_beside(&mut self) {
        self.jobs.abandon(|kind| matches!(kind, JobKind::Load(Which::Beside, _)));
        self.forget_model_beside();
    }

    /// Lets go of the second model and of all that was found in it.
    pub fn forget_model_beside(&mut self) {
        self.forget(|key| key.which == Which::Beside);
        self.painted.forget_some(|key| key.which == Which::Beside);
        let asks = self.model_beside.asks;
        self.model_beside = ModelBeside { asks, ..ModelBeside::default() };
    }
}

/// Whether something that was found is of the main model.
pub fn is_of_main(key: FactKey) -> bool {
    key.which == Which::Main
}
