//! What can be taken off a page: its figures as files, and whether the page is as it was written.

use std::fmt::Write as _;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest as _, Sha256};

/// Stands before the hash of all that is before it, at the end of a page.
const SEAL: &str = "<!-- SHA-256 of all before this line: ";

/// What stands before the name of a figure's file, and what between that and its bytes.
const LINK: &str = "<a download=\"";
const DATA: &str = "\" href=\"data:image/svg+xml;base64,";

/// What a page holds that can be computed anew.
#[derive(Debug)]
pub struct Taken {
    /// The figures that are files too, by the names of these.
    pub pictures: Vec<(String, Vec<u8>)>,

    /// How many results and sweeps are on the page.
    pub n_results: usize,

    /// Whether the page has the hash that it was written with.
    pub is_as_written: bool,
}

/// A page with its hash below it.
pub(super) fn sealed(page: String) -> String {
    let hash = hash(&page);
    page + SEAL + &hash + " -->\n"
}

/// What a page holds. `None` where the file is no page.
pub fn taken(file: &[u8]) -> Option<Taken> {
    let text = str::from_utf8(file).ok().filter(|it| it.starts_with("<!DOCTYPE html>"))?;
    let is_as_written = text
        .rsplit_once(SEAL)
        .is_some_and(|(page, seal)| seal.trim_end() == format!("{} -->", hash(page)));
    let picture = |link: &str| {
        let (name, rest) = link.split_once(DATA)?;
        let (data, _) = rest.split_once('"')?;
        Some((name.to_owned(), BASE64_STANDARD.decode(data).ok()?))
    };
    Some(Taken {
        pictures: text.split(LINK).skip(1).filter_map(picture).collect(),
        n_results: text.matches("<article").count(),
        is_as_written,
    })
}

fn hash(page: &str) -> String {
    let mut hash = String::new();
    for byte in Sha256::digest(page.as_bytes()) {
        _ = write!(hash, "{byte:02x}");
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_was_changed_has_another_hash() {
        let page = sealed("<!DOCTYPE html>\n<p>0.5</p>\n".to_owned());
        assert!(taken(page.as_bytes()).unwrap().is_as_written);
        assert!(!taken(page.replace("0.5", "0.6").as_bytes()).unwrap().is_as_written);
        assert!(taken(b"<svg></svg>").is_none());
    }
}
