//! A process that answers questions: Factscope, or one of the Python peers.
//!
//! Each has a process of its own, Factscope too, so that peak memory is read in the same way of all.
//! Only one works at a time; the others wait for a line and use no processor.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context as _;
use clap::ValueEnum as _;

use crate::On;
use crate::question::{Question, Reply};

/// One that takes part, or the reason why it does not.
pub struct Contender {
    pub name: &'static str,

    /// What it is, with versions.
    pub labels: Vec<String>,

    process: Result<Process, String>,
}

struct Process {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

pub const FACTSCOPE: &str = "Factscope";
pub const ROME: &str = "ROME's procedure on `transformers`";
pub const TRANSFORMERS: &str = "`transformers`";
/// The two interfaces that people have.
pub const TRANSFORMER_LENS: [&str; 2] = ["TransformerLens 2", "TransformerLens 4"];

/// How contenders are started.
#[derive(Clone, Debug)]
pub struct Starter {
    /// The Python that has `transformers` and TransformerLens 2.
    pub python: std::path::PathBuf,

    /// The Python that has TransformerLens 4, which wants another `transformers`.
    pub python_of_lens_4: std::path::PathBuf,
    pub threads: usize,
    pub on: On,
}

impl Starter {
    pub fn factscope(&self) -> Contender {
        let command = std::env::current_exe().map(Command::new).map(|mut command| {
            command.arg("--worker");
            command
        });
        match command {
            Ok(command) => self.start(FACTSCOPE, command),
            Err(error) => Contender::missing(FACTSCOPE, format!("cannot find itself: {error}")),
        }
    }

    /// ROME's procedure, and `transformers` by itself.
    pub fn rome(&self) -> Contender {
        self.python_peer(&self.python, ROME, "rome")
    }

    pub fn transformer_lenses(&self) -> [Contender; 2] {
        let [of_2, of_4] = TRANSFORMER_LENS;
        [(&self.python, of_2), (&self.python_of_lens_4, of_4)]
            .map(|(python, name)| self.python_peer(python, name, "transformer-lens"))
    }

    fn python_peer(&self, python: &Path, name: &'static str, peer: &str) -> Contender {
        if !python.is_file() {
            let reason = format!(
                "there is no {}; `benches/run.sh` installs the peers there",
                python.display()
            );
            return Contender::missing(name, reason);
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers.py");
        let mut command = Command::new(python);
        command.arg(script).args(["--peer", peer]);
        self.start(name, command)
    }

    fn start(&self, name: &'static str, mut command: Command) -> Contender {
        let threads = self.threads.to_string();
        let on = self.on.to_possible_value().map(|it| it.get_name().to_owned());
        command.args(["--threads", &threads, "--on", &on.unwrap_or_default()]);
        for library in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"] {
            command.env(library, &threads);
        }
        // Some machines set these for old versions of numpy's OpenBLAS; they only slow a new one.
        command.env_remove("OPENBLAS_CORETYPE").env_remove("OPENBLAS_L2_SIZE");
        let hello = Process::start(command).and_then(|mut process| {
            let hello = process.read()?;
            Ok((process, hello))
        });
        match hello {
            Ok((process, hello)) => Contender { name, labels: hello.labels, process: Ok(process) },
            Err(error) => Contender::missing(name, format!("{error:#}")),
        }
    }
}

impl Contender {
    fn missing(name: &'static str, reason: String) -> Self {
        eprintln!("missing: {name}: {reason}");
        Self { name, labels: Vec::new(), process: Err(reason) }
    }

    /// Nothing if it is missing. One that fails is missing from then on, and says why.
    pub fn ask(&mut self, question: &Question) -> Option<Reply> {
        let process = self.process.as_mut().ok()?;
        match process.ask(question) {
            Ok(reply) => Some(reply),
            Err(error) => {
                let reason = format!("{error:#}");
                eprintln!("{} has failed: {reason}", self.name);
                self.process = Err(reason);
                None
            }
        }
    }

    /// Why it does not take part.
    pub fn failure(&self) -> Option<&str> {
        self.process.as_ref().err().map(String::as_str)
    }

    /// The most memory it has had resident so far, in bytes. Nothing where the system does not say.
    pub fn peak_bytes(&self) -> Option<u64> {
        let process = self.process.as_ref().ok()?;
        let status = fs::read_to_string(format!("/proc/{}/status", process.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    }
}

impl Process {
    fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("a piped output")?);
        Ok(Self { child, questions, answers })
    }

    fn ask(&mut self, question: &Question) -> anyhow::Result<Reply> {
        let mut line = String::new();
        _ = writeln!(line, "{}", serde_json::to_string(question)?);
        let questions = self.questions.as_mut().context("it is being stopped")?;
        questions.write_all(line.as_bytes()).context("its process has ended")?;
        questions.flush().context("its process has ended")?;
        self.read()
    }

    fn read(&mut self) -> anyhow::Result<Reply> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            let status = self.child.wait()?;
            anyhow::bail!("its process has ended ({status})");
        }
        let reply: Reply = serde_json::from_str(&line)
            .with_context(|| format!("cannot read its answer: {}", line.trim_end()))?;
        match reply.error {
            Some(error) => anyhow::bail!(error),
            None => Ok(reply),
        }
    }
}

/// It ends when there are no more questions.
impl Drop for Process {
    fn drop(&mut self) {
        self.questions = None;
        if let Err(error) = self.child.wait() {
            eprintln!("cannot wait for a process to end: {error}");
        }
    }
}
