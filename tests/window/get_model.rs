//! *Get a model…*: what there is, a search, and a download that can be stopped and gone on with.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use eframe::egui::{Key, Modifiers, ThemePreference, vec2};
use egui_kittest::kittest::Queryable as _;
use egui_kittest::{SnapshotOptions, image_snapshot_options};
use factscope::ui::Options;
use factscope::ui::command::Command;

use super::support::{PATIENCE, Window, tiny};

#[path = "../engine/hub/server.rs"]
#[expect(dead_code, reason = "most of it is for the tests of the engine")]
mod server;

use server::{Fault, Model, Server};

const FIELD: &str = "Name, or text to search the hub for";

/// A hub that has the tiny model, and a window that asks it.
fn open() -> (Window, Server) {
    let mut model = Model::new("me/tiny");
    model.files.clear();
    for entry in fs::read_dir(tiny()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        model.files.insert(name, fs::read(&path).unwrap());
    }
    let server = Server::start(model);
    let cache = tempfile::tempdir().unwrap();
    let hub = Some(server.settings(cache.path()));
    let mut window = Window::new(Options { hub, ..Options::default() }, None);
    // The cache lives as long as the window.
    window.dir = cache;
    window.does(Command::GetModel);
    (window, server)
}

fn download() -> Command {
    Command::Download("me/tiny".parse().unwrap())
}

fn has(window: &Window, label: &str) -> bool {
    window.harness.query_all_by_label_contains(label).next().is_some()
}

#[track_caller]
fn wait_to_see(window: &mut Window, label: &str) {
    let start = Instant::now();
    while !has(window, label) {
        assert!(start.elapsed() < PATIENCE, "waited too long for “{label}”");
        window.harness.step();
        sleep(Duration::from_millis(5));
    }
    window.harness.run_steps(3);
}

#[test]
fn a_model_is_searched_downloaded_and_opened() {
    let (mut window, server) = open();
    window.sees("gpt2-xl");
    assert!(server.seen().is_empty(), "the list asks nobody");
    window.retype(FIELD, "tiny");
    assert!(server.seen().is_empty(), "what is typed is not sent before it is to be");
    window.harness.key_press_modifiers(Modifiers::NONE, Key::Enter);
    wait_to_see(&mut window, "me/tiny");
    window.sees("gated");
    assert!(!has(&window, "gpt2-xl"));
    assert_eq!(server.seen().len(), 1);

    window.does(download());
    wait_to_see(&mut window, "me/tiny is downloaded");
    window.click("Open it");
    window.wait("the model", |app| app.state.info().is_some());
    assert_eq!(window.app().state.info().unwrap().name, "me/tiny");
    assert!(!has(&window, "Get a model"), "the dialog is closed");
}

/// The picture of it in the documents.
#[test]
fn the_list_looks_as_it_did() {
    let (mut window, _server) = open();
    window.harness.set_size(vec2(1000.0, 700.0));
    window.does(Command::SetTheme(ThemePreference::Light));
    // No field whose cursor blinks.
    window.harness.get_by_label("Close").focus();
    window.harness.run_steps(4);
    let place = |label: &str| window.harness.get_by_label_contains(label).rect();
    // Below it stands the folder of this test's cache.
    let (heading, below) = (place("Get a model"), place("Kept in Hugging Face"));
    let (left, top) = (heading.left() as u32 - 12, heading.top() as u32 - 12);
    let (right, bottom) = (place("Close").right() as u32 + 12, below.top() as u32 - 2);
    let whole = window.harness.render().unwrap();
    let list = image::imageops::crop_imm(&whole, left, top, right - left, bottom - top).to_image();
    image_snapshot_options(&list, "get_model", &SnapshotOptions::new().max_failed_pixels(20));
}

#[test]
fn a_download_is_stopped_and_gone_on_with() {
    let (mut window, server) = open();
    server.spoil("/store/", 9, Fault::Slow(500));
    window.does(download());
    window.wait("some bytes", |app| {
        app.state.jobs.iter().any(|(_, job)| job.progress.is_some_and(|it| it.done > 20_000))
    });
    window.click("Stop");
    window.wait("the end", |app| app.state.jobs.iter().next().is_none());
    assert!(!has(&window, "is downloaded"));
    server.forgive();
    server.seen();
    // The dialog is closed, and the download goes on behind it.
    window.does(download());
    window.click("Close");
    window.wait("the download", |app| app.state.jobs.iter().next().is_none());
    assert!(server.seen().iter().any(|it| it.headers.contains_key("range")));
    assert_eq!(window.app().state.notice.as_deref(), Some("me/tiny is downloaded"));
    window.does(Command::GetModel);
    window.sees("Get a model");
}

#[test]
fn what_goes_wrong_is_said_in_the_dialog() {
    let (mut window, server) = open();
    server.spoil("/resolve/", 9, Fault::Status(403, &[("x-error-code", "GatedRepo")]));
    window.does(download());
    wait_to_see(&mut window, "The model me/tiny is gated");
    server.forgive();
    server.spoil("/api/", 9, Fault::WebPage);
    window.does(Command::SearchHub("tiny".to_owned()));
    wait_to_see(&mut window, "answers with a web page");
    assert!(!has(&window, "is gated"));
    window.click("Close");
    assert!(!has(&window, "Get a model"));
}
