//! A child process with its output kept, that can be waited for and is killed when it goes out of scope.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::STEP_LIMIT;

/// How many lines of each stream are kept.
const LINES_KEPT: usize = 10_000;
/// How many lines of output an error shows.
const LINES_SHOWN: usize = 25;

/// A running child. Started from the thread that keeps it: where the system can, the child dies with that thread.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: Arc<Output>,
}

#[derive(Debug, Default)]
struct Output {
    streams: Mutex<Streams>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Streams {
    stdout: VecDeque<String>,
    stderr: VecDeque<String>,
    /// How many of the two streams have ended.
    ended: usize,
}

/// How a child ended.
#[derive(Debug)]
pub struct Ended {
    /// With which status.
    pub status: ExitStatus,
    /// What it printed, line by line.
    pub stdout: Vec<String>,
    /// What it said.
    pub stderr: Vec<String>,
}

impl Process {
    /// Starts a program.
    ///
    /// - `name`: for errors.
    /// - `input`: written to its standard input, which is then closed.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, command: &mut Command, input: Option<&str>) -> Result<Self> {
        let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{name} could not be started"))?;
        let output = Arc::new(Output::default());
        if let Some(stream) = child.stdout.take() {
            keep(stream, Arc::clone(&output), |streams| &mut streams.stdout);
        }
        if let Some(stream) = child.stderr.take() {
            keep(stream, Arc::clone(&output), |streams| &mut streams.stderr);
        }
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            // A child that does not read its input says so by its exit code.
            let _ = stdin.write_all(input.as_bytes());
        }
        Ok(Self { name: name.to_owned(), child, output })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line on standard output that starts with `prefix`, and returns the rest of it.
    ///
    /// # Errors
    /// When the child ended or the limit passed; shows its last lines.
    pub fn wait_for_line(&self, prefix: &str) -> Result<String> {
        let found =
            |streams: &Streams| streams.stdout.iter().find_map(|l| l.strip_prefix(prefix).map(str::to_owned));
        let streams = self.output.wait(|streams| found(streams).is_some() || streams.ended == 2);
        match found(&streams) {
            Some(rest) => Ok(rest),
            None => bail!("{} never printed `{prefix}`{}", self.name, streams.last_lines()),
        }
    }

    /// Waits until the child has ended by itself.
    ///
    /// # Errors
    /// When the limit passed; the child is killed then.
    pub fn wait(mut self) -> Result<Ended> {
        let streams = self.output.wait(|streams| streams.ended == 2);
        if streams.ended < 2 {
            bail!("{} did not end within {} s{}", self.name, STEP_LIMIT.as_secs(), streams.last_lines());
        }
        let (stdout, stderr) =
            (streams.stdout.iter().cloned().collect(), streams.stderr.iter().cloned().collect());
        drop(streams);
        Ok(Ended { status: self.child.wait()?, stdout, stderr })
    }

    /// Ends the child as a power failure would: SIGKILL.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill().with_context(|| format!("{} could not be killed", self.name))?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks the child to end, SIGTERM, and waits for it.
    ///
    /// # Errors
    /// When it did not end within the limit.
    pub fn terminate(self) -> Result<Ended> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process id")?;
        kill_process(pid, Signal::TERM)
            .with_context(|| format!("{} could not be asked to end", self.name))?;
        self.wait()
    }

    /// All that it has printed and said so far.
    pub fn said(&self) -> String {
        let streams = self.output.lock();
        let lines: Vec<&str> = streams.stdout.iter().chain(&streams.stderr).map(String::as_str).collect();
        lines.join("\n")
    }

    /// Its last lines, for an error.
    pub fn last_lines(&self) -> String {
        self.output.lock().last_lines()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; there is nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Output {
    fn lock(&self) -> std::sync::MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `there` holds, or the limit has passed.
    fn wait(&self, there: impl Fn(&Streams) -> bool) -> std::sync::MutexGuard<'_, Streams> {
        let waited = self.changed.wait_timeout_while(self.lock(), STEP_LIMIT, |streams| !there(streams));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Streams {
    fn last_lines(&self) -> String {
        let mut text = String::new();
        for (name, lines) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            for line in lines.iter().skip(lines.len().saturating_sub(LINES_SHOWN)) {
                text.push_str(&format!("\n    {name}: {line}"));
            }
        }
        text
    }
}

fn keep(
    stream: impl Read + Send + 'static,
    output: Arc<Output>,
    of: impl Fn(&mut Streams) -> &mut VecDeque<String> + Send + 'static,
) {
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stream).split(b'\n');
        while let Some(Ok(line)) = lines.next() {
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            let mut streams = output.lock();
            let kept = of(&mut streams);
            if kept.len() == LINES_KEPT {
                kept.pop_front();
            }
            kept.push_back(line);
            drop(streams);
            output.changed.notify_all();
        }
        output.lock().ended += 1;
        output.changed.notify_all();
    });
}
