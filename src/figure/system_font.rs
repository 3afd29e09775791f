//! Fonts of the system, for characters that the program's own fonts lack: the one that the desktop itself
//! would take. A machine without fonts, or without the library that lists them, has none.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use fontique::{
    Collection, CollectionOptions, FallbackKey, GenericFamily, Language, QueryFamily, QueryStatus,
    Script, SourceCache,
};
use unicode_script::UnicodeScript as _;

use super::font::Face;

struct SystemFonts {
    collection: Collection,
    sources: SourceCache,

    /// The font of each character that was asked for.
    found: HashMap<char, Option<Face>>,

    /// The fonts found, by the number of their file and their own in it.
    faces: HashMap<(u64, u32), Option<Face>>,
}

static FONTS: LazyLock<Mutex<SystemFonts>> = LazyLock::new(|| {
    Mutex::new(SystemFonts {
        collection: Collection::new(CollectionOptions { system_fonts: true, shared: false }),
        sources: SourceCache::default(),
        found: HashMap::new(),
        faces: HashMap::new(),
    })
});

/// Lists the system's fonts, which takes a moment, so that the first of [`with`] need not.
pub fn prepare() {
    LazyLock::force(&FONTS);
}

/// A font of the system that has a character.
pub fn with(c: char) -> Option<Face> {
    let mut fonts = FONTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(&found) = fonts.found.get(&c) {
        return found;
    }
    let found = fonts.find(c);
    fonts.found.insert(c, found);
    found
}

impl SystemFonts {
    fn find(&mut self, c: char) -> Option<Face> {
        use GenericFamily::{Emoji, Math, Monospace, SansSerif, Serif, SystemUi};
        let families = [SansSerif, SystemUi, Monospace, Serif, Math, Emoji];
        let Some(script) = script_of(c) else { return self.among(&families, None, c) };
        // Fonts of Chinese characters are made for one country each, and lack those of others.
        let countries: &[&str] = if c.script() == unicode_script::Script::Han {
            &["zh-SG", "zh-TW", "ja", "ko"]
        } else {
            &[]
        };
        let countries = countries.iter().map(|it| Language::parse(it).ok());
        [None].into_iter().chain(countries).find_map(|country| {
            let key = FallbackKey::new(script, country.as_ref());
            self.among(&families[..1], Some(key), c)
        })
    }

    /// The first font that has a character, of some families and then of those that stand in for them.
    fn among(
        &mut self,
        families: &[GenericFamily],
        instead: Option<FallbackKey>,
        c: char,
    ) -> Option<Face> {
        let Self { collection, sources, faces, .. } = self;
        let mut query = collection.query(sources);
        query.set_families(families.iter().map(|&it| QueryFamily::Generic(it)));
        if let Some(key) = instead {
            query.set_fallbacks(key);
        }
        let mut found = None;
        query.matches_with(|font| {
            let face = *faces.entry((font.blob.id(), font.index)).or_insert_with(|| {
                let data: &'static _ = Box::leak(Box::new(font.blob.clone()));
                Face::read(data.as_ref(), font.index)
            });
            found = face.filter(|face| face.can_draw(c));
            if found.is_some() { QueryStatus::Stop } else { QueryStatus::Continue }
        });
        found
    }
}

/// The script of a character; signs and emoji have none.
fn script_of(c: char) -> Option<Script> {
    use unicode_script::Script::{Common, Inherited, Unknown};
    match c.script() {
        Common | Inherited | Unknown => None,
        script => Script::parse(script.short_name()).ok(),
    }
}
