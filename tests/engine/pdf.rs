//! A figure as PDF: one page, whose text can be searched.

use std::collections::BTreeMap;
use std::io::Read as _;

use factscope::figure::{Chart, Figure, Map, Page, Side, to_pdf};

fn figure(tokens: [&str; 2]) -> Figure {
    let rows = Side::tokens("Token", tokens.map(str::to_owned).into(), Some(1..2));
    let map = Map::new("Map", rows, Side::layers("Layer", 2), vec![0.1, f32::NAN, 0.3, 0.4], "p");
    Figure {
        title: "Causal trace — p(·Paris)".to_owned(),
        charts: vec![Chart::Map(map)],
        notes: vec!["A note".to_owned()],
        ..Figure::default()
    }
}

/// Every piece of text on the page, by the fonts' own tables of characters.
fn texts(pdf: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(pdf);
    // In the order of the fonts, which are named by their numbers.
    let tables = text.split("beginbfchar").skip(1).map(|it| {
        let pairs = it.split("endbfchar").next().unwrap().lines().filter_map(|line| {
            let mut parts = line.split(['<', '>']).filter(|it| !it.trim().is_empty());
            let number = |hex: &str| u32::from_str_radix(hex.trim(), 16).unwrap();
            let (glyph, char) = (number(parts.next()?), number(parts.next()?));
            Some((glyph, char::from_u32(char).unwrap()))
        });
        pairs.collect::<BTreeMap<u32, char>>()
    });
    let fonts: Vec<BTreeMap<u32, char>> = tables.collect();

    let start = pdf.windows(7).position(|it| it == b"stream\n").unwrap() + 7;
    let mut content = Vec::new();
    flate2::read::ZlibDecoder::new(&pdf[start..]).read_to_end(&mut content).unwrap();
    let mut font = 0;
    let mut found = Vec::new();
    let mut at = 0;
    while at < content.len() {
        let end = content[at..].iter().position(|&it| it == b'\n').unwrap_or(content.len() - at);
        let line = &content[at..at + end];
        let shown = String::from_utf8_lossy(line).into_owned();
        at += end + 1;
        if shown.ends_with(" Tf") {
            let name = shown.strip_prefix("/F").unwrap().split(' ').next();
            font = name.unwrap().parse().unwrap();
        } else if shown.ends_with(" Tj") {
            let glyphs = string(&line[..line.len() - 3]);
            let chars = glyphs
                .chunks(2)
                .map(|it| fonts[font][&(256 * u32::from(it[0]) + u32::from(it[1]))]);
            found.push(chars.collect());
        }
    }
    found
}

/// In hexadecimal digits, or in brackets with escapes.
fn string(written: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(&written[1..written.len() - 1]).unwrap();
    if written[0] == b'<' {
        let byte = |nth: usize| u8::from_str_radix(&text[2 * nth..2 * nth + 2], 16).unwrap();
        return (0..text.len() / 2).map(byte).collect();
    }
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let byte = match (c, rest.clone().next()) {
            ('\\', Some('0'..='7')) => {
                let octal: String = rest.by_ref().take(3).collect();
                u8::from_str_radix(&octal, 8).unwrap()
            }
            ('\\', Some(escaped)) => {
                rest.next();
                match escaped {
                    'n' => b'\n',
                    'r' => b'\r',
                    't' => b'\t',
                    'b' => 8,
                    'f' => 12,
                    other => other as u8,
                }
            }
            (c, _) => c as u8,
        };
        bytes.push(byte);
    }
    bytes
}

#[test]
fn a_pdf_has_one_page_and_its_text_can_be_searched() {
    let pdf = to_pdf(&figure(["The", "·Tower"]), Page::default());
    let text = String::from_utf8_lossy(&pdf);
    assert_eq!(text.matches("/Type /Page\n").count(), 1);
    assert!(text.contains("/Count 1"));
    let found = texts(&pdf);
    for expected in ["Causal trace — p(·Paris)", "The", "·Tower*", "Layer", "A note"] {
        assert!(found.iter().any(|it| it == expected), "{expected}: {found:?}");
    }
    assert_eq!(to_pdf(&figure(["The", "·Tower"]), Page::default()), pdf);
    // Fonts of some hundred kilobytes each, less what is not used.
    assert!(pdf.len() < 40_000, "{}", pdf.len());
}

#[test]
fn what_no_font_has_stands_as_its_code_point() {
    // Of the characters that Unicode leaves to everyone's own use.
    let found = texts(&to_pdf(&figure(["The", "a\u{10abcd}·"]), Page::default()));
    assert!(found.iter().any(|it| it == "a<U+10ABCD>·*"), "{found:?}");
}
