//! Nothing that was found is lost: over a change and back, a model that cannot be opened, a crash, a close,
//! and a display that goes away.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use super::display::{Desk, Display, Program, picture, settings, unsaved, wait_for};

/// The share of a picture that is darker than its middle.
fn darkness(path: &Path) -> f32 {
    let picture = image::open(path).unwrap().into_luma8();
    let dark = picture.pixels().filter(|pixel| pixel.0[0] < 100).count();
    dark as f32 / picture.pixels().len() as f32
}

#[test]
fn what_was_found_at_a_first_launch_is_kept_and_opened_again() {
    let display = Display::start();
    let home = display.home.path();
    let [kept, first, dark, again] =
        ["kept.factscope", "first.png", "dark.png", "again.png"].map(|name| home.join(name));
    let mut program = display.factscope(&["explore", "--size", "1280x720"]);
    let desk = Desk::sit_down(&display);

    desk.command("light theme");
    // The fact and its inverse are traced and compared.
    desk.press("F5");
    desk.command("compare");
    let listed = || {
        let listed = desk.keeps(&kept);
        let n_traces = listed.matches("causal trace").count();
        (n_traces >= 2 && listed.contains("comparison") && !listed.contains("stopped on the way"))
            .then_some(())
    };
    wait_for("both traces and the comparison", listed);
    let (size, n_colors) = desk.takes_a_picture(&first);
    assert_eq!(size, (1280, 720));
    assert!(n_colors > 100, "{n_colors} colours: hardly a figure");

    // What cannot be opened costs nothing of what is there.
    desk.command("type a path");
    sleep(Duration::from_secs(1));
    desk.write("/etc/hostname");
    desk.press("Escape");
    // Dark, and smaller.
    desk.command("dark theme");
    display.xdotool(&["windowsize", "--sync", &desk.window, "1000", "640"]);
    sleep(Duration::from_secs(2));
    let (size, _) = desk.takes_a_picture(&dark);
    assert_eq!(size, (1000, 640));
    assert!(darkness(&first) < 0.3 && darkness(&dark) > 0.6);
    desk.leaves(&mut program);

    let order = ["--session", kept.to_str().unwrap(), "--screenshot", again.to_str().unwrap()];
    display
        .factscope(&[&["explore", "--theme", "light", "--size", "1280x720"], &order[..]].concat())
        .exits_well();
    let (_, n_colors) = picture(&again);
    assert!(n_colors > 100, "{n_colors} colours: the results are gone");
}

#[test]
fn nothing_is_lost_over_a_change_a_broken_model_a_crash_and_a_close() {
    let display = Display::start();
    let home = display.home.path();
    let kept = home.join("kept.factscope");
    let order = ["explore", "--size", "1280x720", "--case", "0"];
    let listed = |path: &Path| display.factscope_output(&["session", path.to_str().unwrap()]);
    let is_kept = |wanted: &[&str]| {
        let listed = listed(unsaved(&display).first()?);
        wanted.iter().all(|it| listed.contains(it)).then_some(())
    };

    let mut program = display.factscope(&order);
    let desk = Desk::sit_down(&display);
    desk.command("compare");
    wait_for("the comparison", || is_kept(&["comparison: The capital of France is"]));
    // On a busy machine it is not made unasked.
    desk.press("F5");
    wait_for("the trace", || is_kept(&["causal trace: The capital of France is"]));
    // The model is changed, and changed back.
    desk.command("steering use the changed model");
    desk.command("cut attention");
    wait_for("a knockout in the changed model", || {
        is_kept(&["comparison, model with 0 edits: The capital", "attention knockout: The capital"])
    });
    desk.command("back to the model as it is");
    desk.command("cut attention");
    wait_for("both knockouts", || {
        is_kept(&[
            "comparison: The capital",
            "attention knockout: The capital",
            "attention knockout, model with 1 edit: The capital",
        ])
    });

    // A model that is no model, which nobody is asked about.
    let broken = home.join("broken");
    std::fs::create_dir(&broken).unwrap();
    for file in ["config.json", "tokenizer.json"] {
        std::fs::copy(Path::new("tests/fixtures/tiny").join(file), broken.join(file)).unwrap();
    }
    desk.command("type a path");
    sleep(Duration::from_secs(1));
    desk.write(broken.to_str().unwrap());
    sleep(Duration::from_secs(2));
    let picture = home.join("broken.png");
    desk.takes_a_picture(&picture);
    desk.press("Escape");
    program.is_killed();
    let before = unsaved(&display);
    assert_eq!(before.len(), 1);
    let found = listed(&before[0]);

    // Offered, taken up again, and saved when the window is closed.
    let mut program = display.factscope(&order);
    let desk = Desk::sit_down(&display);
    desk.command("restore");
    sleep(Duration::from_secs(3));
    desk.press("ctrl+q");
    desk.press("Return");
    sleep(Duration::from_secs(1));
    desk.write(kept.to_str().unwrap());
    program.exits_well();
    let again = listed(&kept);
    for method in ["comparison: ", "attention knockout, model with 1 edit: ", "causal trace: "] {
        let n = |text: &str| text.matches(method).count();
        assert!(n(&found) > 0 && n(&again) >= n(&found), "{method}: {found}\n{again}");
    }
    assert_eq!(unsaved(&display), [""; 0].map(PathBuf::from));
}

#[test]
fn settings_and_results_outlive_the_x_server() {
    let mut display = Display::start();
    let mut command = display.command(assert_cmd::cargo::cargo_bin("factscope"));
    command.args(["explore", "--case", "0"]).stderr(Stdio::piped());
    let mut program = Program(command.spawn().unwrap());
    let desk = Desk::sit_down(&display);
    desk.command("dark theme");
    desk.command("compare");
    wait_for("what was found", || (!unsaved(&display).is_empty()).then_some(()));
    let is_written =
        || std::fs::read_to_string(settings(&display)).ok()?.contains("Dark").then_some(());
    wait_for("the settings", is_written);
    display.server.kill().unwrap();
    display.server.wait().unwrap();
    let status = wait_for("the program to end", || program.0.try_wait().unwrap());
    let said = std::io::read_to_string(program.0.stderr.take().unwrap()).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.starts_with("factscope: the X server has gone"), "{said}");
    assert_eq!(unsaved(&display).len(), 1);
}
