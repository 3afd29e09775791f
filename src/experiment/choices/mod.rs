//! The choices that a person has, each with its words: flags, combo boxes and messages share them.

mod corruption_kind;

pub use corruption_kind::CorruptionKind;

/// A setting that is one of a few.
pub trait Choices: Copy + PartialEq + Send + Sync + 'static {
    /// All there are, in the order in which they are shown.
    const ALL: &[Self];

    fn words(self) -> Words;
}

/// What a choice is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// The value of a flag.
    pub key: &'static str,

    /// The name in a combo box.
    pub label: &'static str,

    /// What is to be known of it, in a sentence without a full stop.
    pub help: &'static str,
}
