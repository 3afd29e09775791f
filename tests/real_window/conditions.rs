//! A window under odd conditions: of the display, the system, and the files of settings.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::display::{Desk, Display, Program, settings, wait_for, write_program};

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
