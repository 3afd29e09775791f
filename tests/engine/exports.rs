//! A figure's numbers as files of other programs, read back without this one.

use std::collections::BTreeMap;
use std::path::Path;

use factscope::figure::{
    Bar, Bars, Caption, Cell, Chart, Export, Figure, FileFormat, Lines, Map, Page, PageWidth, Pick,
    Row, Scale, Series, Side, Table, Tokens, Waterfall, to_csv, to_image, to_npz, to_pdf, to_png,
    to_svg,
};

pub fn figure() -> Figure {
    let tokens = vec!["The".to_owned(), "\u{b7}東京".to_owned()];
    let rows = Side::tokens("Token", tokens, Some(1..2));
    let values = vec![0.25, f32::NAN, 0.5, -1.5, 1e-30, 7.0];
    let mut map =
        Map::new("Trace of MLPs", rows, Side::layers("Layer", 3), values, "p").diverging();
    map.estimated = vec![false, true, false, false, false, true];
    let lines = Lines {
        name: "Lens".to_owned(),
        quantity: "Logit".to_owned(),
        layer_title: "Layer".to_owned(),
        series: vec![
            Series {
                name: "Answer".to_owned(),
                values: vec![1.0, 2.0],
                band: vec![(0.5, 1.25), (1.5, 4.0)],
            },
            Series { name: "Foil".to_owned(), values: vec![-3.5, f32::NAN], ..Series::default() },
        ],
    };
    let bars = Bars::new(
        "Parts",
        "Logit",
        vec![Bar { label: "L0H1".to_owned(), value: 0.1, pick: Pick::default() }],
    );
    Figure {
        title: "A title".to_owned(),
        charts: vec![Chart::Map(map), Chart::Lines(lines), Chart::Bars(bars)],
        notes: vec!["A note".to_owned()],
        ..Figure::default()
    }
}

/// The files of a zip archive by its directory, each with its checksum looked at.
pub fn unzipped(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let u16_at = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let end = bytes.len() - 22;
    assert_eq!(&bytes[end..end + 4], b"PK\x05\x06");
    let mut at = u32_at(end + 16);
    let mut files = BTreeMap::new();
    for _ in 0..u16_at(end + 10) {
        assert_eq!(&bytes[at..at + 4], b"PK\x01\x02");
        let (crc, len, n_name) = (u32_at(at + 16), u32_at(at + 24), u16_at(at + 28));
        let name = String::from_utf8(bytes[at + 46..at + 46 + n_name].to_vec()).unwrap();
        let local = u32_at(at + 42);
        assert_eq!(&bytes[local..local + 4], b"PK\x03\x04");
        let start = local + 30 + u16_at(local + 26) + u16_at(local + 28);
        let data = bytes[start..start + len].to_vec();
        let mut sum = flate2::Crc::new();
        sum.update(&data);
        assert_eq!(sum.sum() as usize, crc, "{name}");
        files.insert(name, data);
        at += 46 + n_name;
    }
    files
}

/// Description and data of an array.
pub fn array(npy: &[u8]) -> (String, &[u8]) {
    assert_eq!(&npy[..8], b"\x93NUMPY\x01\x00");
    let n_head = usize::from(u16::from_le_bytes([npy[8], npy[9]]));
    assert!((10 + n_head).is_multiple_of(64));
    (String::from_utf8(npy[10..10 + n_head].to_vec()).unwrap(), &npy[10 + n_head..])
}

fn floats(data: &[u8]) -> Vec<u32> {
    data.chunks(4).map(|it| f32::from_le_bytes(it.try_into().unwrap()).to_bits()).collect()
}

#[test]
fn npz_holds_the_arrays_of_a_map_with_their_axes() {
    let files = unzipped(&to_npz(&figure()));
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let expected = [
        "lens.high.npy",
        "lens.low.npy",
        "lens.npy",
        "lens.series.npy",
        "notes.npy",
        "parts.label.npy",
        "parts.logit.npy",
        "title.npy",
        "trace_of_mlps.columns.layer.npy",
        "trace_of_mlps.is_estimate.npy",
        "trace_of_mlps.npy",
        "trace_of_mlps.rows.token.npy",
    ];
    assert_eq!(names, expected);
    let (head, data) = array(&files["trace_of_mlps.npy"]);
    assert!(head.contains("'descr': '<f4'") && head.contains("'shape': (2, 3)"), "{head}");
    let values = [0.25, f32::NAN, 0.5, -1.5, 1e-30, 7.0].map(f32::to_bits);
    assert_eq!(floats(data), values);
    let (head, data) = array(&files["trace_of_mlps.rows.token.npy"]);
    assert!(head.contains("'<U3'") && head.contains("'shape': (2,)"), "{head}");
    let chars = data.chunks(4).map(|it| u32::from_le_bytes(it.try_into().unwrap()));
    let text: String = chars.filter_map(char::from_u32).collect();
    assert_eq!(text, "The\u{b7}東京");
    for (name, expected) in [
        ("lens", [1.0, 2.0, -3.5, f32::NAN]),
        ("lens.low", [0.5, 1.5, f32::NAN, f32::NAN]),
        ("lens.high", [1.25, 4.0, f32::NAN, f32::NAN]),
    ] {
        let (head, data) = array(&files[&format!("{name}.npy")]);
        assert!(head.contains("'shape': (2, 2)"), "{head}");
        assert_eq!(floats(data), expected.map(f32::to_bits), "{name}");
    }
    let (head, _) = array(&files["title.npy"]);
    assert!(head.contains("'shape': ()"), "{head}");
    let (head, data) = array(&files["trace_of_mlps.is_estimate.npy"]);
    assert!(head.contains("'|b1'"), "{head}");
    assert_eq!(data, [0, 1, 0, 0, 0, 1]);
}

#[test]
fn a_band_is_in_tables_and_pictures_of_its_line() {
    let with = figure();
    let csv = to_csv(&with);
    let lines: Vec<&str> = csv.split("\n\n").nth(1).unwrap().lines().collect();
    assert_eq!(
        lines,
        [
            "series,layer,Logit,low,high",
            "Answer,0,1,0.5,1.25",
            "Answer,1,2,1.5,4",
            "Foil,0,-3.5,,",
            "Foil,1,,,",
        ]
    );
    let mut without = with.clone();
    for chart in &mut without.charts {
        let Chart::Lines(lines) = chart else { continue };
        lines.series[0].band.clear();
    }
    let area = "<polygon points=";
    assert_eq!(
        [&with, &without].map(|it| to_svg(it, Page::default()).matches(area).count()),
        [1, 0]
    );
    let is_pale =
        |it: &Figure| to_pdf(it, Page::default()).windows(5).any(|bytes| bytes == b"/Pale");
    assert_eq!([&with, &without].map(is_pale), [true, false]);
    assert_ne!(
        to_image(&with, Page::default(), Scale::default()),
        to_image(&without, Page::default(), Scale::default())
    );
    let json = serde_json::to_value(&with).unwrap();
    assert_eq!(json["charts"][1]["Lines"]["series"][0]["band"][1], serde_json::json!([1.5, 4.0]));
    // One end too few is no band.
    let mut torn = with;
    let Chart::Lines(lines) = &mut torn.charts[1] else { panic!("lines come second") };
    lines.series[0].band.pop();
    assert!(!torn.is_whole() && without.is_whole());
}

/// From 1 up by 2, down by a half, to the sum of all.
pub fn waterfall() -> Figure {
    let bar =
        |(label, value): (&str, f32)| Bar { label: label.to_owned(), value, pick: Pick::default() };
    let bars = [("start", 1.0), ("L0", 2.0), ("MLP 0", -0.5), ("sum", 2.5)];
    let bars = Bars::new("Waterfall", "Contribution (logits)", bars.map(bar));
    let starts = vec![0.0, 1.0, 3.0, 0.0];
    Figure {
        title: "A title".to_owned(),
        charts: vec![Chart::Waterfall(Waterfall { bars, starts })],
        ..Figure::default()
    }
}

#[test]
fn a_waterfalls_numbers_say_where_each_bar_begins_and_ends() {
    let figure = waterfall();
    let expected = [
        ("contribution_logits", [1.0, 2.0, -0.5, 2.5]),
        ("from", [0.0, 1.0, 3.0, 0.0]),
        ("to", [1.0, 3.0, 2.5, 2.5]),
    ];
    let files = unzipped(&to_npz(&figure));
    for (name, values) in expected {
        let (head, data) = array(&files[&format!("waterfall.{name}.npy")]);
        assert!(head.contains("'<f4'") && head.contains("'shape': (4,)"), "{head}");
        assert_eq!(floats(data), values.map(f32::to_bits), "{name}");
    }
    let (head, data) = array(&files["waterfall.label.npy"]);
    assert!(head.contains("'<U5'"), "{head}");
    let chars = data.chunks(4).map(|it| u32::from_le_bytes(it.try_into().unwrap()));
    let text: String = chars.filter_map(char::from_u32).filter(|it| *it != '\0').collect();
    assert_eq!(text, "startL0MLP 0sum");

    let json = serde_json::to_value(&figure).unwrap();
    let chart = &json["charts"][0]["Waterfall"];
    assert_eq!(chart["starts"], serde_json::json!([0.0, 1.0, 3.0, 0.0]));
    assert_eq!(chart["bars"]["bars"][2]["value"], serde_json::json!(-0.5));
    assert_eq!(
        to_csv(&figure).lines().collect::<Vec<_>>(),
        [
            "label,Contribution (logits),from,to",
            "start,1,0,1",
            "L0,2,1,3",
            "MLP 0,-0.5,3,2.5",
            "sum,2.5,0,2.5",
        ]
    );
}

/// What is drawn: as far from the first bar's left end as the numbers are from zero.
#[test]
fn a_waterfalls_bars_are_drawn_where_they_begin() {
    let svg = to_svg(&waterfall(), Page::default());
    let number = |line: &str, name: &str| -> f32 {
        let (_, rest) = line.split_once(&format!(" {name}=\"")).unwrap();
        rest.split_once('"').unwrap().0.parse().unwrap()
    };
    let [rises, falls, is_sum] = ["#2166ac", "#b2182b", "#5f5f5f"];
    let bars: Vec<&str> = svg.lines().filter(|line| line.starts_with("<rect x=")).collect();
    assert_eq!(bars.len(), 4, "{svg}");
    let (zero, unit) = (number(bars[0], "x"), number(bars[0], "width"));
    let expected = [(0.0, 1.0, is_sum), (1.0, 2.0, rises), (2.5, 0.5, falls), (0.0, 2.5, is_sum)];
    for (bar, (from, size, color)) in bars.into_iter().zip(expected) {
        let (x, width) = (number(bar, "x"), number(bar, "width"));
        // Two decimals are written.
        assert!((x - zero - from * unit).abs() < 0.03, "{x} and not {}", zero + from * unit);
        assert!((width - size * unit).abs() < 0.03, "{width} and not {}", size * unit);
        assert!(bar.contains(color), "{bar}");
    }
}

#[test]
fn a_picture_grows_with_its_scale_and_is_not_empty() {
    let figure = figure();
    let images = Scale::ALL.map(|scale| to_image(&figure, Page::default(), scale));
    let [small, .., large] = &images;
    for (image, times) in images.iter().zip(1..) {
        assert!(image.width().abs_diff(times * small.width()) <= times, "{}", image.width());
        let n_dark = image.pixels().filter(|pixel| pixel.0.iter().all(|it| *it < 80)).count();
        let share = n_dark as f32 / (image.width() * image.height()) as f32;
        // The ink of text, about the same at every scale.
        assert!((0.001..0.1).contains(&share), "{share}");
        assert_eq!(image.get_pixel(0, 0).0, [255; 3]);
    }
    let png = to_png(&figure, Page::default(), Scale::new(4).unwrap());
    assert_eq!(image::load_from_memory(&png).unwrap().into_rgb8(), *large);
    assert_eq!(Scale::new(5), None);
}

#[test]
fn figures_without_charts_are_files_all_the_same() {
    let empty = Figure::default();
    assert_eq!(unzipped(&to_npz(&empty)).len(), 2);
    assert!(to_png(&empty, Page::default(), Scale::default()).starts_with(b"\x89PNG"));
}

/// What is written where, of all charts or one, with tokens as the format or the user wants them.
#[test]
fn the_ending_of_the_name_says_what_is_written() {
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
    let text = |name: &str, export: &Export| {
        let bytes = FileFormat::of(Path::new(name)).unwrap().bytes(&figure, export).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let usual = Export::default();
    let svg = text("a.svg", &usual);
    assert!(svg.contains("A &amp; B") && svg.contains("\u{b7}&lt;a,b&gt;*"), "{svg}");
    let expected = "token,token text,layer,p\n0,The,0,0.25\n0,The,1,\n\
                    1,\"<a,b>\",0,0.5\n1,\"<a,b>\",1,-1.5\n";
    assert_eq!(text("a.CSV", &usual), expected);
    assert!(text("a.json", &usual).contains("\"title\": \"A & B\""));
    let marked = Export { tokens: Tokens::Marked, ..usual.clone() };
    assert_eq!(text("a.csv", &marked), expected.replace('<', "\u{b7}<"));
    let plain = Export { tokens: Tokens::Plain, ..usual };
    assert!(!text("a.svg", &plain).contains('\u{b7}'));
    let error = FileFormat::of(Path::new("a.doc")).unwrap_err().to_string();
    assert!(error.contains(".doc") && error.contains(".svg"), "{error}");
}

/// As wide as was asked for to a point, with what stands around the charts only where it is wanted.
#[test]
fn a_chart_alone_fills_a_page_of_a_column() {
    let figure = figure();
    let size = |svg: &str, name: &str| -> f32 {
        let (_, rest) = svg.split_once(&format!("{name}=\"")).unwrap();
        rest.split_once("pt\"").unwrap().0.parse().unwrap()
    };
    for (width, points) in [(PageWidth::OneColumn, 243.8), (PageWidth::TwoColumns, 504.6)] {
        for name in ["Trace of MLPs", "Lens", "Parts"] {
            let page = Page { width, caption: Caption::Hidden };
            let export = Export { charts: vec![name.to_owned()], page, ..Export::default() };
            let svg = FileFormat::Svg.bytes(&figure, &export).unwrap();
            let svg = String::from_utf8(svg).unwrap();
            assert!((size(&svg, "width") - points).abs() < 0.11, "{}", size(&svg, "width"));
            assert!(!svg.contains("A note") && !svg.contains(">A title</text>"), "{svg}");
            let page = Page { width, caption: Caption::Shown };
            let export = Export { page, ..export };
            let whole =
                String::from_utf8(FileFormat::Svg.bytes(&figure, &export).unwrap()).unwrap();
            assert!(whole.contains("A note") && whole.contains(">A title</text>"), "{whole}");
            assert!(size(&whole, "height") > size(&svg, "height"));
        }
    }
    // Several come in the order in which they are named.
    let two = figure.only(&["parts".to_owned(), "Lens".to_owned()]).unwrap();
    assert_eq!(two.charts.iter().map(Chart::name).collect::<Vec<_>>(), ["Parts", "Lens"]);
    let export = Export { charts: vec!["Lense".to_owned()], ..Export::default() };
    let error = FileFormat::Svg.bytes(&figure, &export).unwrap_err().to_string();
    assert!(error.contains("Lense") && error.contains("“Trace of MLPs”, “Lens”"), "{error}");
}

/// The table of a sweep, with the longest names of its groups: on paper the names of columns take several
/// lines before a group is cut, which another could then be taken for.
#[test]
fn the_groups_of_a_wide_table_are_whole_on_any_page() {
    let columns = [
        "Group",
        "Place",
        "Mean",
        "95 % low by SE",
        "95 % high by SE",
        "95 % low by bootstrap",
        "95 % high by bootstrap",
        "p",
        "Facts",
    ];
    let row = |group: &str| {
        let texts = [group, "attn L11"].map(|it| Cell::Text(it.to_owned()));
        let numbers = [-0.634_235_6, -1.071, -0.1976, -1.057, -0.1965, 0.0005, 606.0];
        Row::new(texts.into_iter().chain(numbers.map(Cell::Number)))
    };
    let rows = ["fact", "inverse", "inverse − fact"].map(row);
    let table = Chart::Table(Table::new("Largest means".to_owned(), columns.to_vec(), rows));
    let figure = Figure { title: "A title".to_owned(), charts: vec![table], ..Figure::default() };
    for width in PageWidth::ALL {
        let svg = to_svg(&figure, Page { width, caption: Caption::Shown });
        assert!(svg.contains(">inverse − fact</text>") && !svg.contains('…'), "{svg}");
        let (_, rest) = svg.split_once("viewBox=\"0 0 ").unwrap();
        let drawn: f32 = rest.split(' ').next().unwrap().parse().unwrap();
        let scale = width.points().map_or(1.0, |points| points / drawn);
        assert!(scale > 0.6, "{scale} of {width:?}");
    }
}

/// As those of a fact, of its inverse and of their difference.
#[test]
fn charts_of_the_same_columns_are_named_in_csv() {
    let map = |name: &str, value: f32| {
        let Chart::Map(map) = figure().charts.swap_remove(0) else { panic!("no map") };
        let values = vec![value; map.values.len()];
        Chart::Map(Map { name: name.to_owned(), values, ..map })
    };
    let all = figure().charts;
    let figure = Figure { charts: vec![map("One", 1.0), map("Two", 2.0)], ..figure() };
    let csv = to_csv(&figure);
    let tables: Vec<&str> = csv.split("\n\n").collect();
    assert_eq!(tables.len(), 2);
    for (table, (name, value)) in tables.iter().zip([("One", "1"), ("Two", "2")]) {
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        assert_eq!(&reader.headers().unwrap()[0], "chart");
        let records: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert!(!records.is_empty());
        assert!(records.iter().all(|it| &it[0] == name && it.iter().any(|it| it == value)));
    }
    // Where each has columns of its own, they tell.
    assert!(all.len() > 1 && !to_csv(&Figure { charts: all, ..figure }).contains("chart,"));
}
