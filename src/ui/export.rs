//! Figures as files.

use std::io;
use std::path::Path;

use crate::figure::{Figure, FileFormat, Scale};
use crate::whole_file;

/// In the format that the name's ending says.
pub fn save(figure: &Figure, path: &Path, scale: Scale) -> io::Result<()> {
    let format =
        FileFormat::of(path).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    whole_file::write(path, &format.bytes(figure, scale))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Chart, Map, Side};

    #[test]
    fn the_ending_of_the_name_says_what_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = vec!["The".to_owned(), "\u{b7}<a,b>".to_owned()];
        let rows = Side::tokens("Token", tokens, Some(1..2));
        let values = vec![0.25, f32::NAN, 0.5, -1.5];
        let map = Map::new("Map", rows, Side::layers("Layer", 2), values, "p").diverging();
        let figure = Figure {
            title: "A & B".to_owned(),
            charts: vec![Chart::Map(map)],
            notes: vec!["A note".to_owned()],
            ..Figure::default()
        };
        let saved = |name: &str| {
            let path = dir.path().join(name);
            save(&figure, &path, Scale::default()).map(|()| std::fs::read_to_string(path).unwrap())
        };
        let svg = saved("a.svg").unwrap();
        assert!(svg.contains("A &amp; B") && svg.contains("\u{b7}&lt;a,b&gt;*"), "{svg}");
        let csv = saved("a.CSV").unwrap();
        let expected = "token,token text,layer,p\n0,The,0,0.25\n0,The,1,\n\
                        1,\"\u{b7}<a,b>\",0,0.5\n1,\"\u{b7}<a,b>\",1,-1.5\n";
        assert_eq!(csv, expected);
        assert!(saved("a.json").unwrap().contains("\"title\": \"A & B\""));
        let error = saved("a.doc").unwrap_err().to_string();
        assert!(error.contains(".doc") && error.contains(".svg"), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
    }
}
