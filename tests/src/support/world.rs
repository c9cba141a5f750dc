//! A server with a data directory of its own, and the people in it.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use salon_client::Credential;
use tokio_util::task::TaskTracker;

use super::inspector;
use super::person::Account;
use super::process::{Command, Server};
use super::{Device, Outcome, Person, Rest};
use crate::checker::Recorder;

/// How to start the server.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub flags: Vec<String>,
    pub environment: Vec<(String, String)>,
}

impl Options {
    #[must_use]
    pub fn flags(flags: &[&str]) -> Self {
        Self { flags: flags.iter().map(|flag| (*flag).to_owned()).collect(), ..Self::default() }
    }

    /// Sets a configuration key through its environment variable.
    #[must_use]
    pub fn key(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }
}

#[derive(Debug)]
pub struct World {
    options: Options,
    directory: tempfile::TempDir,
    server: Option<Server>,
    /// `127.0.0.1:port`, the same after a restart.
    address: String,
    tasks: TaskTracker,
    pub recorder: Recorder,
}

impl World {
    /// A server with nothing special.
    pub async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        let directory = tempfile::tempdir().expect("there is room for a temporary directory");
        let mut world = Self {
            options,
            directory,
            server: None,
            address: "127.0.0.1:0".to_owned(),
            tasks: TaskTracker::new(),
            recorder: Recorder::new(),
        };
        world.starts_again().await;
        world
    }

    fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("server.log")
    }

    /// Starts the server on the same data and the same port.
    ///
    /// # Panics
    /// It runs already, or does not become ready.
    pub async fn starts_again(&mut self) {
        assert!(self.server.is_none(), "the server still runs");
        let mut command = Command::new(&["serve", "--http-addr", &self.address, "--grpc-addr", "127.0.0.1:0"]);
        command.arguments.extend(["--data-dir".to_owned(), self.data_dir().display().to_string()]);
        command.arguments.extend(self.options.flags.iter().cloned());
        command.environment.clone_from(&self.options.environment);
        let server = Server::start(&command, &self.log_file()).await;
        server.http.strip_prefix("http://").expect("http= is a URL").clone_into(&mut self.address);
        self.server = Some(server);
    }

    /// `kill -9`.
    pub async fn is_killed(&mut self) {
        self.server.take().expect("the server runs").kill().await;
    }

    /// SIGTERM.
    pub async fn is_told_to_stop(&mut self) -> ExitStatus {
        self.server.take().expect("the server runs").terminate().await
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("the server runs")
    }

    /// # Panics
    /// The server has ended by itself.
    pub fn still_runs(&mut self) {
        let log = self.log();
        assert!(self.server.as_mut().is_some_and(Server::is_alive), "the server has ended:\n{log}");
    }

    /// `http://127.0.0.1:port`
    #[must_use]
    pub fn http(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `127.0.0.1:port`
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// `ws://127.0.0.1:port/ws`
    #[must_use]
    pub fn ws(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// What the server printed before it was ready.
    #[must_use]
    pub fn preamble(&self) -> &[String] {
        &self.server().preamble
    }

    #[must_use]
    pub fn grpc(&self) -> &str {
        &self.server().grpc
    }

    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        self.server().resident_bytes()
    }

    /// What the server wrote to standard error, of all its lives.
    #[must_use]
    pub fn log(&self) -> String {
        self.server.as_ref().map_or_else(|| super::process::read(&self.log_file()), Server::log)
    }

    /// Runs a subcommand of the binary on this data.
    pub async fn salon(&self, arguments: &[&str], input: &str) -> Outcome {
        let mut command = Command::new(arguments);
        command.arguments.extend(["--data-dir".to_owned(), self.data_dir().display().to_string()]);
        input.clone_into(&mut command.input);
        command.run().await
    }

    /// A file in this world's directory, outside the server's data.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        Path::new(self.directory.path()).join(name)
    }

    /// The REST interface, as nobody.
    #[must_use]
    pub fn rest(&self) -> Rest {
        Rest::new(&self.http(), None)
    }

    /// An account with a device that is connected.
    pub async fn person(&self, name: &str) -> Person {
        let account = self.account(name, &[]).await;
        self.connects(account).await
    }

    /// An administrator.
    pub async fn administrator(&self, name: &str) -> Person {
        let account = self.account(name, &["--admin"]).await;
        self.connects(account).await
    }

    /// Many people, named `<stem>-0`, `<stem>-1` …
    pub async fn people(&self, stem: &str, count: usize) -> Vec<Person> {
        /// Processes at a time.
        const BATCH: usize = 8;
        let mut people = Vec::with_capacity(count);
        while people.len() < count {
            let from = people.len();
            let batch = (from..count.min(from + BATCH)).map(|n| async move { self.person(&format!("{stem}-{n}")).await });
            people.extend(futures_util::future::join_all(batch).await);
        }
        people
    }

    /// Another device of somebody.
    pub async fn another_device(&self, person: &Person) -> Person {
        let Person { name, email, password, token, .. } = person;
        let account = Account { name: name.clone(), email: email.clone(), password: password.clone(), token: token.clone() };
        self.connects(account).await
    }

    async fn account(&self, name: &str, flags: &[&str]) -> Account {
        let (email, password) = (format!("{name}@salon.test"), format!("correct horse {name}"));
        let mut arguments = vec!["user", "add", &email, "--name", name, "--password-stdin"];
        arguments.extend(flags);
        let added = self.salon(&arguments, &format!("{password}\n")).await;
        assert_eq!(added.code, Some(0), "salon user add: {added:?}");
        let created = self.salon(&["token", "create", &email], "").await;
        assert_eq!(created.code, Some(0), "salon token create: {created:?}");
        let token = created.stdout.trim().to_owned();
        Account { name: name.to_owned(), email, password, token }
    }

    async fn connects(&self, account: Account) -> Person {
        let device = self.device(Credential::Token(account.token.clone())).await;
        let rest = self.rest().with_token(&account.token);
        Person::new(account, device, rest)
    }

    /// A device with any credential.
    pub async fn device(&self, credential: Credential) -> Device {
        Device::connect(&self.ws(), credential, &self.recorder, &self.tasks).await
    }

    /// Everything has come to rest, and every guarantee was kept in these rooms.
    ///
    /// # Panics
    /// One was broken.
    pub async fn kept_every_promise(&self, rooms: &[&str]) {
        let account = self.account("inspector", &[]).await;
        inspector::inspect(&self.ws(), Credential::Token(account.token), rooms, &self.recorder).await;
    }
}
