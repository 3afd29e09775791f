//! A display of its own, the programs on it, and a person's hands on keyboard and mouse.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Long enough for the slowest machine; nothing waits for it unless something is wrong.
const PATIENCE: Duration = Duration::from_mins(2);

/// A virtual display, and the programs on it. All end with it.
pub struct Display {
    number: String,
    pub server: Child,
    pub home: TempDir,
}

impl Display {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    pub fn start_with(args: &[&str]) -> Self {
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
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
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

    pub fn factscope(&self, args: &[&str]) -> Program {
        let mut command = self.command(assert_cmd::cargo::cargo_bin("factscope"));
        command.args(args).args(["--device", "cpu"]);
        Program(command.spawn().unwrap())
    }

    /// What a command prints.
    pub fn factscope_output(&self, args: &[&str]) -> String {
        let mut command = self.command(assert_cmd::cargo::cargo_bin("factscope"));
        String::from_utf8(command.args(args).output().unwrap().stdout).unwrap()
    }

    pub fn xdotool(&self, args: &[&str]) -> String {
        let output = self.command("xdotool").args(args).output();
        let output = output.expect("xdotool is not installed; tests/run.sh installs it");
        assert!(output.status.success(), "xdotool {args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// A program of the shell's.
pub fn write_program(path: &Path, text: &str) {
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
pub struct Desk<'a> {
    display: &'a Display,
    pub window: String,
}

impl<'a> Desk<'a> {
    #[track_caller]
    pub fn sit_down(display: &'a Display) -> Self {
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

    pub fn press(&self, keys: &str) {
        self.display.xdotool(&["key", keys]);
        sleep(Duration::from_secs(1));
    }

    /// Over what was there.
    pub fn write(&self, text: &str) {
        self.press("ctrl+a");
        self.display.xdotool(&["type", "--delay", "20", text]);
        sleep(Duration::from_secs(1));
        self.press("Return");
    }

    /// In points of the window, which has no frame here.
    pub fn click(&self, x: u32, y: u32) {
        self.display.xdotool(&["mousemove", &x.to_string(), &y.to_string()]);
        // A frame in which the pointer is seen there.
        sleep(Duration::from_millis(500));
        self.display.xdotool(&["click", "1"]);
        sleep(Duration::from_secs(1));
    }

    pub fn point_at(&self, x: u32, y: u32) {
        self.display.xdotool(&["mousemove", &x.to_string(), &y.to_string()]);
        sleep(Duration::from_secs(1));
    }

    /// What the figure of a view holds.
    pub fn saves_figure(&self, view: &str, path: &Path) -> String {
        self.command(&format!("export {view}"));
        sleep(Duration::from_secs(1));
        self.write(path.to_str().unwrap());
        wait_for("the figure", || path.is_file().then_some(()));
        std::fs::read_to_string(path).unwrap()
    }

    /// Closes the window, and lets go of what it may still have.
    #[track_caller]
    pub fn leaves(&self, program: &mut Program) {
        self.press("ctrl+q");
        if program.is_running() {
            // From Save on to Discard.
            self.press("Tab");
            self.press("Return");
        }
        program.exits_well();
    }

    /// By name, from the palette.
    pub fn command(&self, name: &str) {
        self.press("ctrl+k");
        self.write(name);
    }

    /// Saves what was found under a name, without a dialog, and says what that is.
    pub fn keeps(&self, path: &Path) -> String {
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
    pub fn takes_a_picture(&self, path: &Path) -> ((u32, u32), usize) {
        // Without a system dialog the path is typed.
        self.press("ctrl+alt+s");
        sleep(Duration::from_secs(1));
        self.write(path.to_str().unwrap());
        wait_for("the picture", || path.is_file().then_some(()));
        picture(path)
    }
}

/// Ends with the test, even if it fails.
pub struct Program(pub Child);

impl Program {
    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// As the system ends it when memory is short, or when the power is cut.
    pub fn is_killed(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    #[track_caller]
    pub fn exits_well(&mut self) {
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
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
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
pub fn picture(path: &Path) -> ((u32, u32), usize) {
    let picture = image::open(path).unwrap().into_rgb8();
    let mut colors: Vec<_> = picture.pixels().map(|pixel| pixel.0).collect();
    colors.sort_unstable();
    colors.dedup();
    (picture.dimensions(), colors.len())
}

/// What is not saved in the windows of a display.
pub fn unsaved(display: &Display) -> Vec<PathBuf> {
    let files = std::fs::read_dir(display.home.path().join("factscope/unsaved"));
    let files = files.into_iter().flatten().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|it| it == "factscope")).collect()
}

/// Where a display's programs keep their settings.
pub fn settings(display: &Display) -> PathBuf {
    display.home.path().join("factscope/app.ron")
}
