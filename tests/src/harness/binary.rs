//! The binary under test, run as a person runs it: arguments, standard input, exit code.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::Process;

/// The `clavitor` of the edition that is built, with a home folder of its own: it sees nothing of the person's who runs the test.
#[derive(Debug, Clone)]
pub struct Binary {
    path: PathBuf,
    home: PathBuf,
}

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    /// The exit code; 255 where a signal ended it.
    pub code: u8,
    /// What it printed.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
}

impl Binary {
    /// Takes a path to the binary and a folder for its profile.
    pub fn new(path: impl Into<PathBuf>, home: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), home: home.into() }
    }

    /// The binary that was built together with this program, and lies beside it.
    ///
    /// # Errors
    /// When it is not there: the program was then not built by `cargo xtask demo`.
    pub fn beside_this_program(home: impl Into<PathBuf>) -> Result<Self> {
        let program = std::env::current_exe().context("this program's own path")?;
        let path = program.with_file_name("clavitor-under-test");
        if !path.is_file() {
            bail!("{} is not there: start the demo with `cargo xtask demo`, which builds it", path.display());
        }
        Ok(Self::new(path, home))
    }

    /// Where this binary keeps its profile.
    pub fn profile(&self) -> PathBuf {
        self.home.join("profile.toml")
    }

    /// The same binary with another profile: another person.
    #[must_use]
    pub fn as_person(&self, name: &str) -> Self {
        Self::new(&self.path, self.home.join(name))
    }

    /// Starts a command without waiting for it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, arguments: &[&str], input: Option<&str>) -> Result<Process> {
        std::fs::create_dir_all(&self.home)?;
        let mut command = Command::new(&self.path);
        command.args(arguments).env_clear().current_dir(&self.home);
        command.env("HOME", &self.home).env("CLAVITOR_PROFILE", self.profile());
        for kept in ["PATH", "RUST_BACKTRACE", "RUST_LOG", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        let name = format!("clavitor {}", arguments.iter().take(2).copied().collect::<Vec<_>>().join(" "));
        Process::start(&name, &mut command, input)
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// When it cannot be started or does not end within the limit.
    pub fn run(&self, arguments: &[&str], input: Option<&str>) -> Result<Answer> {
        let ended = self.start(arguments, input)?.wait()?;
        Ok(Answer {
            code: ended.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX),
            stdout: ended.stdout.join("\n"),
            stderr: ended.stderr.join("\n"),
        })
    }

    /// Runs a command that must succeed, and returns what it printed.
    ///
    /// # Errors
    /// As [`Self::run`], and when the exit code is not 0; shows what it said.
    pub fn succeed(&self, arguments: &[&str], input: Option<&str>) -> Result<String> {
        let answer = self.run(arguments, input)?;
        if answer.code != 0 {
            let Answer { code, stdout, stderr } = answer;
            bail!("`clavitor {}` ended with {code}\n{stdout}\n{stderr}", arguments.join(" "));
        }
        Ok(answer.stdout)
    }

    /// Runs a command that must succeed with `--json`, and reads the object that it printed.
    ///
    /// # Errors
    /// As [`Self::succeed`], and when it is not JSON.
    pub fn json(&self, arguments: &[&str], input: Option<&str>) -> Result<serde_json::Value> {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let printed = self.succeed(&arguments, input)?;
        serde_json::from_str(&printed)
            .with_context(|| format!("`clavitor {}` printed no JSON", arguments.join(" ")))
    }
}

/// A path as an argument.
pub(super) fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have names in UTF-8")
}
