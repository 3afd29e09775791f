//! What a person asks for with the keyboard and with the mouse.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::display::{Desk, Display, wait_for};

#[test]
fn a_fact_is_traced_and_the_window_saved_with_the_keyboard() {
    let display = Display::start();
    let shot = display.home.path().join("by hand.png");
    let mut program = display.factscope(&[
        "explore",
        "--model",
        "tests/fixtures/tiny",
        "--facts",
        "data/first_facts.json",
        "--size",
        "1280x720",
    ]);
    let desk = Desk::sit_down(&display);
    desk.press("Down");
    desk.press("F5");
    let (size, n_colors) = desk.takes_a_picture(&shot);
    assert_eq!(size, (1280, 720));
    assert!(n_colors > 100, "{n_colors} colours: hardly a figure");
    desk.leaves(&mut program);
}

#[test]
fn a_trace_is_asked_stopped_asked_again_and_exported_with_the_mouse() {
    let display = Display::start();
    let home = display.home.path();
    let [stopped, whole, figure] =
        ["stopped.factscope", "whole.factscope", "map.svg"].map(|name| home.join(name));
    let mut program = display.factscope(&["explore", "--size", "1280x720", "--case", "0"]);
    let desk = Desk::sit_down(&display);
    let (second_fact, trace, settings, samples) = ((140, 317), (648, 184), (744, 184), (369, 245));
    let click = |(x, y): (u32, u32)| desk.click(x, y);
    desk.command("trace only when asked");
    let set_samples = |n: &str| {
        click(samples);
        desk.write(n);
    };
    click(second_fact);
    click(settings);
    // More than are done before anyone can stop them.
    set_samples("1000");
    click(trace);
    desk.press("Escape");
    let listed = desk.keeps(&stopped);
    assert!(listed.contains("prediction: The capital of Japan is"), "{listed}");
    assert!(!listed.contains("causal trace: The capital of Japan is"), "{listed}");

    set_samples("2");
    click(trace);
    let is_whole = || {
        let listed = desk.keeps(&whole);
        let is_whole = listed.contains("causal trace: The capital of Japan is");
        is_whole.then_some(())
    };
    // Under another name.
    desk.press("ctrl+shift+s");
    sleep(Duration::from_secs(1));
    desk.write(whole.to_str().unwrap());
    wait_for("the trace", is_whole);
    let svg = desk.saves_figure("causal trace", &figure);
    assert!(svg.starts_with("<svg") && svg.contains("Japan"), "{}", &svg[..200]);
    desk.leaves(&mut program);
}

/// Whether two pictures show the same from the left and top on, so many points wide and high.
fn is_same(one: &Path, other: &Path, [left, top, width, height]: [u32; 4]) -> bool {
    let [one, other] = [one, other].map(|path| {
        let picture = image::open(path).unwrap().into_rgb8();
        image::imageops::crop_imm(&picture, left, top, width, height).to_image()
    });
    one == other
}

#[test]
fn what_is_clicked_is_followed_in_all_views() {
    let display = Display::start();
    let home = display.home.path();
    let in_home = |name: &str| home.join(name);
    let order = ["explore", "--size", "1280x720", "--case", "0", "--trace", "hidden"];
    let mut program = display.factscope(&order);
    let desk = Desk::sit_down(&display);

    // Among the small patterns, 25 points high and wide.
    for (layer, head) in [(2, 3), (4, 1)] {
        desk.command("show attention");
        desk.click(884 + 25 * layer, 495 + 25 * head);
        let name = format!("L{layer} H{head}");
        let attention = desk.saves_figure("attention", &in_home(&format!("attention {name}.svg")));
        assert!(attention.contains(&format!("Attention pattern — {name}")), "{name}");
        // Its tokens are read without a button.
        desk.command("show weights");
        let weights = desk.saves_figure("weights", &in_home(&format!("weights {name}.svg")));
        assert!(weights.contains(&format!("OV circuit of {name}")), "{name}");
    }

    // The last token and layer 4 of the trace.
    desk.command("show logit lens");
    desk.click(657, 381);
    desk.point_at(560, 16);
    let [picked, cleared] = ["picked.png", "cleared.png"].map(in_home);
    desk.takes_a_picture(&picked);
    desk.command("show trace cell");
    let cell = desk.saves_figure("trace cell", &in_home("cell.svg"));
    assert!(cell.contains("token 4 ·is, layer 4"), "another cell, or none");

    desk.command("show causal trace");
    desk.command("show logit lens");
    desk.press("Escape");
    desk.takes_a_picture(&cleared);
    let (trace, lens) = ([373, 291, 378, 90], [922, 226, 276, 220]);
    for place in [trace, lens] {
        assert!(!is_same(&picked, &cleared, place), "the mark of the cell is not gone");
    }
    desk.leaves(&mut program);
}
