//! How the last figure was exported, which is how the next one is unless something else is chosen.

use serde::{Deserialize, Serialize};

use crate::figure::{Caption, Export, FileFormat, Page, PageWidth, Scale, Tokens};

/// Whose figures an export is of, where a view shows more than one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exported {
    /// The figure of the row that is looked at.
    #[default]
    One,
    OnOnePage,
    InFilesOfTheirOwn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FigurePreferences {
    pub width: PageWidth,
    pub has_caption: bool,
    pub tokens: Tokens,

    /// How large pictures of pixels are, in times their size on a screen: 1 to 4.
    pub scale: u8,
    pub of: Exported,

    /// What the ending of the proposed name says.
    pub format: FileFormat,
}

impl Default for FigurePreferences {
    fn default() -> Self {
        let Export { tokens, page, scale, .. } = Export::default();
        let has_caption = page.caption == Caption::Shown;
        let (scale, of, format) = (scale.times(), Exported::default(), FileFormat::Svg);
        Self { width: page.width, has_caption, tokens, scale, of, format }
    }
}

impl FigurePreferences {
    /// An export of all charts. A scale that a file of settings has and that there is not is the usual one.
    pub fn export(self) -> Export {
        let Self { width, has_caption, tokens, scale, .. } = self;
        let caption = if has_caption { Caption::Shown } else { Caption::Hidden };
        let scale = Scale::new(scale).unwrap_or_default();
        Export { tokens, page: Page { width, caption }, scale, ..Export::default() }
    }

    pub fn remember(&mut self, export: &Export, of: Exported, format: FileFormat) {
        let Export { tokens, page, scale, .. } = export;
        let (has_caption, scale) = (page.caption == Caption::Shown, scale.times());
        *self = Self { width: page.width, has_caption, tokens: *tokens, scale, of, format };
    }
}
