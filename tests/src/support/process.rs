//! The binary as a process: found, started, told to stop, killed.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command as Process};

use super::soon;

/// The binary under test: `SALON_BIN`, or the one that Cargo has put beside the tests.
///
/// # Panics
/// There is none.
pub(super) fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("SALON_BIN") {
        return PathBuf::from(path);
    }
    let test = std::env::current_exe().expect("a test knows its own path");
    let profile = test.parent().and_then(Path::parent).expect("tests lie in target/<profile>/deps");
    let path = profile.join("salon");
    assert!(path.is_file(), "there is no {}: run `cargo build -p salon` first, or set SALON_BIN", path.display());
    path
}

/// One run of the command line.
#[derive(Debug, Clone, Default)]
pub struct Command {
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    pub input: String,
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Command {
    #[must_use]
    pub fn new(arguments: &[&str]) -> Self {
        Self { arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(), ..Self::default() }
    }

    fn process(&self) -> Process {
        let mut process = Process::new(binary());
        // The machine's own settings must not change what is tested.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SALON_")) {
            process.env_remove(name);
        }
        process.args(&self.arguments).envs(self.environment.iter().cloned()).kill_on_drop(true);
        process
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// It cannot be started, or does not end.
    pub async fn run(&self) -> Outcome {
        let mut process = self.process();
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process.spawn().expect("the binary starts");
        let mut stdin = child.stdin.take().expect("it was piped");
        // A command that does not read its input may close it early.
        let _ = stdin.write_all(self.input.as_bytes()).await;
        drop(stdin);
        let output = soon(&format!("the end of {:?}", self.arguments), child.wait_with_output()).await.expect("it ends");
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A server that runs.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    log: PathBuf,
    /// `http=` of the ready line.
    pub(super) http: String,
    /// `grpc=` of the ready line.
    pub(super) grpc: String,
    /// Lines before the ready line.
    pub(super) preamble: Vec<String>,
}

impl Server {
    /// Starts it and waits for its ready line. Its standard error goes to the end of `log`.
    pub(super) async fn start(command: &Command, log: &Path) -> Self {
        let stderr = std::fs::File::options().create(true).append(true).open(log).expect("the log can be written");
        let mut process = command.process();
        process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = process.spawn().expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it was piped")).lines();
        let mut preamble = Vec::new();
        loop {
            let line = soon("the ready line", lines.next_line()).await.expect("standard output is text");
            let Some(line) = line else { panic!("the server ended before it was ready:\n{}", read(log)) };
            if let Some(ready) = line.strip_prefix("salon ready ") {
                let address = |key: &str| {
                    let found = ready.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
                    found.unwrap_or_default().to_owned()
                };
                let (http, grpc) = (address("http"), address("grpc"));
                return Self { child, log: log.to_owned(), http, grpc, preamble };
            }
            preamble.push(line);
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id().expect("it still runs")
    }

    /// SIGTERM, and how it ended.
    pub(super) async fn terminate(mut self) -> ExitStatus {
        // The standard library sends SIGKILL only.
        let kill = format!("kill -TERM {}", self.id());
        let sent = Process::new("sh").args(["-c", &kill]).status().await.expect("there is a shell");
        assert!(sent.success(), "{kill}");
        soon("the end of the server", self.child.wait()).await.expect("it was started")
    }

    /// SIGKILL: it gets no chance to tidy up.
    pub(super) async fn kill(mut self) {
        self.child.kill().await.expect("it still runs");
    }

    /// Whether it still runs.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Resident memory, in bytes (`/proc/<pid>/statm`).
    pub(super) fn resident_bytes(&self) -> u64 {
        /// Linux on x86-64 and on almost every arm64.
        const PAGE_BYTES: u64 = 4096;
        let statm = read(Path::new(&format!("/proc/{}/statm", self.id())));
        let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("statm has the resident pages");
        pages * PAGE_BYTES
    }

    pub(super) fn log(&self) -> String {
        read(&self.log)
    }
}

pub(super) fn read(path: &Path) -> String {
    let mut text = String::new();
    if let Ok(mut file) = std::fs::File::open(path) {
        // What is not text would be a fault of its own; the rest is still worth reading.
        let _ = file.read_to_string(&mut text);
    }
    text
}
