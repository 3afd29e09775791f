//! Pictures of the window that are ordered from the command line.

use super::display::{Display, picture};

#[test]
fn a_picture_can_be_ordered_from_the_command_line() {
    let display = Display::start();
    let shot = display.home.path().join("ordered.png");
    let file = shot.to_str().unwrap();
    let common = ["explore", "--model", "tests/fixtures/tiny", "--facts", "data/first_facts.json"];
    let order = ["--case", "10", "--trace", "mlp", "--size", "1100x700", "--screenshot", file];
    display.factscope(&[&common[..], &order].concat()).exits_well();
    let (size, n_colors) = picture(&shot);
    assert_eq!(size, (1100, 700));
    assert!(n_colors > 100, "{n_colors} colours: hardly a figure");
}

#[test]
fn a_picture_larger_than_the_window_shows_the_same() {
    let display = Display::start();
    let home = display.home.path();
    let common = ["explore", "--model", "tests/fixtures/tiny", "--facts", "data/first_facts.json"];
    let take = |name: &str, scale: &str| {
        let path = home.join(name);
        let file = path.to_str().unwrap();
        let order = ["--trace", "mlp", "--size", "1100x700", "--theme", "light"];
        let picture = ["--scale", scale, "--screenshot", file];
        display.factscope(&[&common[..], &order, &picture].concat()).exits_well();
        image::open(path).unwrap().into_rgb8()
    };
    let small = take("small.png", "1");
    let large = take("large.png", "3");
    assert_eq!(small.dimensions(), (1100, 700));
    assert_eq!(large.dimensions(), (3300, 2100));
    // Each part is where it belongs: seen from afar, both are the same.
    let filter = image::imageops::FilterType::Triangle;
    let [small, large] = [&small, &large].map(|it| image::imageops::resize(it, 110, 70, filter));
    let apart = small.iter().zip(large.iter()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>();
    let apart = apart / small.len() as f64;
    assert!(apart < 3.0, "{apart} of 255 apart on average");
}
