//! The program in a real window, on a display of its own, driven with keys and clicks.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Long enough for the slowest machine; nothing waits for it unless something is wrong.
const PATIENCE: Duration = Duration::from_mins(2);

/// A virtual display, and the programs on it. All end with it.
struct Display {
    number: String,
    server: Child,
    home: TempDir,
}

impl Display {
    fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(args: &[&str]) -> Self {
        // Two servers that look for a free number at once may take each other's; so each is given
        // one that no other process has.
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let nth = STARTED.fetch_add(1, Ordering::Relaxed);
        let number = format!(":{}", 1000 + (8 * std::process::id() + nth) % 50_000);
        let mut server = Command::new("Xvfb")
            .arg(&number)
            // Without `-noreset` it starts over whenever its last client leaves, and turns away
            // whoever comes meanwhile: xdotool, or a program that looks first and then opens.
            .args(["-noreset", "-displayfd", "1", "-screen", "0", "1280x720x24"])
            .args(["-nolisten", "tcp"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is not installed; tests/run.sh installs it");
        // Says its number once it can be connected to.
        let mut said = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(format!(":{}", said.trim()), number, "Xvfb did not start");
        let home = TempDir::new().unwrap();
        // As where no dialog is installed: it ends at once, so that paths are typed.
        write_program(&home.path().join("zenity"), "exit 1");
        Self { number, server, home }
    }

    /// A program that sees this display and keeps its files here.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let home = self.home.path();
        command
            .env("DISPLAY", &self.number)
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env("PATH", format!("{}:{}", home.display(), std::env::var("PATH").unwrap()))
            .env("HOME", home)
            .env("XDG_DATA_HOME", home)
            .env("XDG_CACHE_HOME", home)
            .env("XDG_RUNTIME_DIR", home);
        command
    }

    fn factscope(&self, args: &[&str]) -> Program {
        let mut command = self.command(assert_cmd::cargo::cargo_bin("factscope"));
        command.args(args).args(["--device", "cpu"]);
        Program(command.spawn().unwrap())
    }

    /// What a command prints.
    fn factscope_output(&self, args: &[&str]) -> String {
        let mut command = self.command(assert_cmd::cargo::cargo_bin("factscope"));
        String::from_utf8(command.args(args).output().unwrap().stdout).unwrap()
    }

    fn xdotool(&self, args: &[&str]) -> String {
        let output = self.command("xdotool").args(args).output();
        let output = output.expect("xdotool is not installed; tests/run.sh installs it");
        assert!(output.status.success(), "xdotool {args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// A program of the shell's.
fn write_program(path: &Path, text: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

impl Drop for Display {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

/// A program's window, and a person's hands on its keyboard.
struct Desk<'a> {
    display: &'a Display,
    window: String,
}

impl<'a> Desk<'a> {
    #[track_caller]
    fn sit_down(display: &'a Display) -> Self {
        let window = wait_for("the window", || {
            let search = ["search", "--onlyvisible", "--name", "Factscope"];
            let search = display.command("xdotool").args(search).output();
            let found = String::from_utf8(search.expect("xdotool").stdout).unwrap();
            found.lines().next().map(str::to_owned)
        });
        // There is no window manager to give it the keyboard.
        display.xdotool(&["windowfocus", "--sync", &window]);
        display.xdotool(&["mousemove", "640", "400"]);
        sleep(Duration::from_secs(3));
        Self { display, window }
    }

    fn press(&self, keys: &str) {
        self.display.xdotool(&["key", keys]);
        sleep(Duration::from_secs(1));
    }

    /// Over what was there.
    fn write(&self, text: &str) {
        self.press("ctrl+a");
        self.display.xdotool(&["type", "--delay", "20", text]);
        sleep(Duration::from_secs(1));
        self.press("Return");
    }

    /// In points of the window, which has no frame here.
    fn click(&self, x: u32, y: u32) {
        self.display.xdotool(&["mousemove", &x.to_string(), &y.to_string()]);
        // A frame in which the pointer is seen there.
        sleep(Duration::from_millis(500));
        self.display.xdotool(&["click", "1"]);
        sleep(Duration::from_secs(1));
    }

    fn point_at(&self, x: u32, y: u32) {
        self.display.xdotool(&["mousemove", &x.to_string(), &y.to_string()]);
        sleep(Duration::from_secs(1));
    }

    /// What the figure of a view holds.
    fn saves_figure(&self, view: &str, path: &Path) -> String {
        self.command(&format!("export {view}"));
        sleep(Duration::from_secs(1));
        self.write(path.to_str().unwrap());
        wait_for("the figure", || path.is_file().then_some(()));
        std::fs::read_to_string(path).unwrap()
    }

    /// Closes the window, and lets go of what it may still have.
    #[track_caller]
    fn leaves(&self, program: &mut Program) {
        self.press("ctrl+q");
        if program.is_running() {
            // From Save on to Discard.
            self.press("Tab");
            self.press("Return");
        }
        program.exits_well();
    }

    /// By name, from the palette.
    fn command(&self, name: &str) {
        self.press("ctrl+k");
        self.write(name);
    }

    /// Saves what was found under a name, without a dialog, and says what that is.
    fn keeps(&self, path: &Path) -> String {
        self.press("ctrl+s");
        if !path.exists() {
            sleep(Duration::from_secs(1));
            self.write(path.to_str().unwrap());
            wait_for("the session", || path.is_file().then_some(()));
        }
        sleep(Duration::from_secs(1));
        self.display.factscope_output(&["session", path.to_str().unwrap()])
    }

    /// Saves the window under a name, without a dialog.
    #[track_caller]
    fn takes_a_picture(&self, path: &Path) -> ((u32, u32), usize) {
        // Without a system dialog the path is typed.
        self.press("ctrl+alt+s");
        sleep(Duration::from_secs(1));
        self.write(path.to_str().unwrap());
        wait_for("the picture", || path.is_file().then_some(()));
        picture(path)
    }
}

/// Ends with the test, even if it fails.
struct Program(Child);

impl Program {
    fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// As the system ends it when memory is short, or when the power is cut.
    fn is_killed(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    #[track_caller]
    fn exits_well(&mut self) {
        let status = wait_for("the program to end", || self.0.try_wait().unwrap());
        assert!(status.success(), "{status}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[track_caller]
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        sleep(Duration::from_millis(50));
    }
}

/// A picture with something on it: size, and how many colours.
#[track_caller]
fn picture(path: &Path) -> ((u32, u32), usize) {
    let picture = image::open(path).unwrap().into_rgb8();
    let mut colors: Vec<_> = picture.pixels().map(|pixel| pixel.0).collect();
    colors.sort_unstable();
    colors.dedup();
    (picture.dimensions(), colors.len())
}

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

/// What is not saved in the windows of a display.
fn unsaved(display: &Display) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(display.home.path().join("factscope/unsaved"));
    let files = files.into_iter().flatten().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|it| it == "factscope")).collect()
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
    assert_eq!(unsaved(&display), [""; 0].map(std::path::PathBuf::from));
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

    // Among the small patterns, 19 points high and wide.
    for (layer, head) in [(2, 3), (4, 1)] {
        desk.command("show attention");
        desk.click(1162 + 19 * layer, 249 + 19 * head);
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

#[test]
fn a_display_that_is_not_there_is_named() {
    let output = assert_cmd::Command::cargo_bin("factscope")
        .unwrap()
        .args(["explore", "--device", "cpu"])
        .env("DISPLAY", ":98765")
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains("the display cannot be used"), "{said}");
    assert!(said.contains("commands work"), "{said}");
}

/// What a program says that ends by itself with an error, and nothing else.
#[track_caller]
fn complaint(mut command: Command) -> String {
    let output = command.env("RUST_BACKTRACE", "1").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("factscope: ") && !said.contains("panicked"), "{said}");
    said
}

#[test]
fn a_window_that_cannot_be_made_says_why_and_nothing_else() {
    let display = Display::start();
    let mut command = display.command(assert_cmd::cargo::cargo_bin("factscope"));
    command.env("WINIT_X11_SCALE_FACTOR", "abc");
    assert!(complaint(command).contains("WINIT_X11_SCALE_FACTOR"));
    let old = Display::start_with(&["-extension", "RANDR"]);
    let said = complaint(old.command(assert_cmd::cargo::cargo_bin("factscope")));
    assert!(said.contains("the X server lacks the extension RANDR"), "{said}");
}

/// As somebody's desktop may leave it behind.
#[test]
fn a_scale_that_no_window_can_have_is_passed_over() {
    let display = Display::start();
    let scale = ["-root", "-f", "RESOURCE_MANAGER", "8s", "-set", "RESOURCE_MANAGER", "Xft.dpi: 0"];
    let set = display.command("xprop").args(scale).status();
    assert!(set.expect("xprop is not installed; tests/run.sh installs it").success());
    let mut program = display.factscope(&["explore", "--size", "1000x640"]);
    let desk = Desk::sit_down(&display);
    let (size, _) = desk.takes_a_picture(&display.home.path().join("usual.png"));
    assert_eq!(size, (1000, 640));
    desk.leaves(&mut program);
}

/// Threads count against what a user may run, but root may run as many as there is room for.
#[test]
fn without_room_for_threads_the_program_says_so() {
    let display = Display::start();
    let home = display.home.path();
    // Where any user may run it.
    let program = home.join("program");
    std::fs::copy(assert_cmd::cargo::cargo_bin("factscope"), &program).unwrap();
    for path in [home, &program] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let user = Command::new("id").arg("--user").output().unwrap().stdout;
    let mut command = if user == b"0\n" {
        let mut command = display.command("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "bash"]);
        command
    } else {
        display.command("bash")
    };
    command.arg("-c").arg(format!("ulimit -u 1; exec {}", program.display()));
    let said = complaint(command);
    assert!(said.contains("no threads to compute with"), "{said}");
}

/// Where a display's programs keep their settings.
fn settings(display: &Display) -> std::path::PathBuf {
    display.home.path().join("factscope/app.ron")
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

#[test]
fn settings_that_cannot_be_read_or_written_are_told_of() {
    let display = Display::start();
    let file = settings(&display);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "{").unwrap();
    let mut program = display.factscope(&["explore"]);
    Desk::sit_down(&display).leaves(&mut program);
    assert_eq!(std::fs::read_to_string(file.with_extension("ron.bak")).unwrap(), "{");
    assert_ne!(std::fs::read_to_string(&file).unwrap(), "{");

    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let mut command = display.command(assert_cmd::cargo::cargo_bin("factscope"));
    let mut program = Program(command.stderr(Stdio::piped()).spawn().unwrap());
    Desk::sit_down(&display).press("ctrl+q");
    let status = wait_for("the program to end", || program.0.try_wait().unwrap());
    let said = std::io::read_to_string(program.0.stderr.take().unwrap()).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("The settings are not kept"), "{said}");
}

#[test]
fn a_relative_home_leaves_no_folder_and_a_dialog_ends_with_the_window() {
    let display = Display::start();
    let home = display.home.path();
    let (here, number) = (home.join("here"), home.join("number"));
    std::fs::create_dir(&here).unwrap();
    // A dialog that nobody answers.
    let text = format!("echo $$ > {}\nwhile :; do sleep 0.1; done", number.display());
    write_program(&home.join("zenity"), &text);
    let mut command = display.command(assert_cmd::cargo::cargo_bin("factscope"));
    command.env("HOME", "relative").env_remove("XDG_DATA_HOME").current_dir(&here);
    let mut program = Program(command.spawn().unwrap());
    let desk = Desk::sit_down(&display);
    desk.press("ctrl+o");
    let dialog = wait_for("the dialog", || {
        let number = std::fs::read_to_string(&number).ok()?;
        Some(Path::new("/proc").join(number.trim()))
            .filter(|it| number.ends_with('\n') && it.exists())
    });
    desk.press("ctrl+q");
    if program.is_running() {
        desk.press("Tab");
        desk.press("Return");
    }
    wait_for("the program to end", || program.0.try_wait().unwrap());
    wait_for("the dialog to end", || (!dialog.exists()).then_some(()));
    assert_eq!(std::fs::read_dir(&here).unwrap().count(), 0);
}
