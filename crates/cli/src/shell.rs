//! Standard input, output and error as the commands see them: what is a terminal, what may be asked, and one clock.
//!
//! The only file that reads a terminal, the environment or the clock.

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clavitor_core::exit;
use clavitor_core::secret::SecretText;
use zeroize::{Zeroize, Zeroizing};

use crate::error::Failure;

/// The longest passphrase, setup secret or invitation that is read, in bytes.
const SECRET_BYTES_MAX: usize = 64 * 1024;

/// The three streams and what surrounds them.
pub(crate) struct Shell {
    /// Standard output.
    pub(crate) out: Box<dyn Write>,
    /// Standard error.
    pub(crate) err: Box<dyn Write>,
    /// Standard input, until something claims it.
    pub(crate) input: Option<Box<dyn Read>>,
    /// Whether standard output is a terminal.
    pub(crate) out_is_terminal: bool,
    /// Whether standard error is a terminal.
    pub(crate) err_is_terminal: bool,
    /// Where a person's answers come from; `None` where nobody can be asked.
    pub(crate) answers: Option<Box<dyn Read>>,
    /// Whether to print JSON.
    pub(crate) json: bool,
    /// Where the profile is, where nothing says otherwise.
    pub(crate) profile: Option<PathBuf>,
}

impl Shell {
    /// The process's own.
    pub(crate) fn of_process() -> Self {
        let (input, out, err) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        Self {
            out_is_terminal: out.is_terminal(),
            err_is_terminal: err.is_terminal(),
            // Standard input may carry a value while a person sits at the terminal.
            answers: err.is_terminal().then(open_terminal).flatten(),
            out: Box::new(out),
            err: Box::new(err),
            input: Some(Box::new(input)),
            json: false,
            profile: default_profile(&|name| std::env::var_os(name)),
        }
    }

    /// Whether a person can be asked.
    pub(crate) fn may_ask(&self) -> bool {
        self.answers.is_some()
    }

    /// Whether values are hidden unless they are asked for.
    pub(crate) fn hides_values(&self) -> bool {
        self.out_is_terminal
    }

    /// One line on standard output.
    pub(crate) fn say(&mut self, line: impl AsRef<str>) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{}", line.as_ref())?)
    }

    /// One line on standard error.
    pub(crate) fn note(&mut self, line: impl AsRef<str>) -> Result<(), Failure> {
        Ok(writeln!(self.err, "{}", line.as_ref())?)
    }

    /// One JSON value on standard output, on one line.
    pub(crate) fn say_json<T: serde::Serialize>(&mut self, value: &T) -> Result<(), Failure> {
        let line = Zeroizing::new(serde_json::to_string(value).expect("our own types are always writable"));
        self.say(line.as_str())
    }

    /// Asks for a yes. `flag` is what answers it where nobody can be asked.
    pub(crate) fn confirm(&mut self, question: &str, flag: &str) -> Result<(), Failure> {
        if !self.may_ask() {
            let hint = format!("Give {flag} where nobody can be asked; nothing was changed.");
            return Err(Failure::usage("this needs a yes", hint));
        }
        write!(self.err, "{question} [y/N] ")?;
        self.err.flush()?;
        let answer = self.read_line()?;
        if matches!(answer.trim(), "y" | "Y" | "yes") {
            return Ok(());
        }
        Err(Failure::new(exit::DECLINED, "declined", "Nothing was changed."))
    }

    /// Asks for a text that may be seen; an empty answer takes `default`.
    pub(crate) fn ask(&mut self, question: &str, default: &str) -> Result<String, Failure> {
        if !self.may_ask() {
            return Ok(default.to_owned());
        }
        write!(self.err, "{question} [{default}]: ")?;
        self.err.flush()?;
        let answer = self.read_line()?;
        let answer = answer.trim();
        Ok(if answer.is_empty() { default.to_owned() } else { answer.to_owned() })
    }

    /// One line of what a person answers.
    fn read_line(&mut self) -> Result<String, Failure> {
        let mut line = Vec::new();
        if let Some(answers) = &mut self.answers {
            let mut byte = [0];
            while line.len() < SECRET_BYTES_MAX && answers.read(&mut byte)? == 1 && byte[0] != b'\n' {
                line.push(byte[0]);
            }
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// Asks for a secret without echo. `flag` is what gives it where nobody can be asked.
    pub(crate) fn ask_secret(&mut self, question: &str, flag: &str) -> Result<SecretText, Failure> {
        if !self.may_ask() {
            let hint = format!("Give {flag}, or run it on a terminal.");
            return Err(Failure::usage(format!("{question} is needed, and nobody can be asked"), hint));
        }
        let read = rpassword::prompt_password(format!("{question}: "));
        read.map(SecretText::new).map_err(|error| {
            Failure::unexpected(format!("the terminal could not be read: {error}"), format!("Give {flag}."))
        })
    }

    /// Asks for a new secret, twice.
    pub(crate) fn ask_new_secret(&mut self, question: &str, flag: &str) -> Result<SecretText, Failure> {
        let first = self.ask_secret(question, flag)?;
        let second = self.ask_secret(&format!("{question}, again"), flag)?;
        if first.expose() == second.expose() {
            return Ok(first);
        }
        Err(Failure::new(exit::DECLINED, "the two differ", "Nothing was changed; try again."))
    }

    /// A secret of one line from a file; `-` is standard input.
    pub(crate) fn read_secret(&mut self, file: &Path) -> Result<SecretText, Failure> {
        let text = if file.as_os_str() == "-" {
            self.read_input(SECRET_BYTES_MAX)?
        } else {
            self.warn_if_open(file)?;
            text_of(read_file(file, SECRET_BYTES_MAX)?, &file.display().to_string())?
        };
        let secret = without_line_end(text);
        if secret.expose().is_empty() {
            return Err(Failure::usage(format!("{} is empty", file.display()), "Nothing was changed."));
        }
        Ok(secret)
    }

    fn warn_if_open(&mut self, file: &Path) -> Result<(), Failure> {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(file).map(|meta| (meta.is_file(), meta.permissions().mode()));
        if mode.is_ok_and(|(is_file, mode)| is_file && mode & 0o077 != 0) {
            let file = file.display();
            self.note(format!("warning: {file} can be read by others: chmod 600 {file}"))?;
        }
        Ok(())
    }

    /// All of standard input as text, for the first who asks.
    pub(crate) fn read_input(&mut self, bytes_max: usize) -> Result<Zeroizing<String>, Failure> {
        let Some(mut input) = self.input.take() else {
            return Err(Failure::usage(
                "standard input is asked for twice",
                "Give one of the two by a file instead.",
            ));
        };
        let bytes = read_capped(&mut *input, "standard input", bytes_max)?;
        text_of(bytes, "standard input")
    }
}

/// The terminal that this process belongs to.
fn open_terminal() -> Option<Box<dyn Read>> {
    Some(Box::new(std::fs::File::open("/dev/tty").ok()?))
}

/// A whole file, at most `bytes_max` long.
pub(crate) fn read_file(file: &Path, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let name = file.display().to_string();
    let mut open = std::fs::File::open(file).map_err(|error| unreadable(&name, &error))?;
    read_capped(&mut open, &name, bytes_max)
}

fn read_capped(from: &mut dyn Read, name: &str, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    from.take(limit).read_to_end(&mut bytes).map_err(|error| unreadable(name, &error))?;
    if bytes.len() > bytes_max {
        let what = format!("{name} has more than {bytes_max} bytes");
        return Err(Failure::new(exit::LIMIT, what, "Nothing was changed."));
    }
    Ok(bytes)
}

fn unreadable(name: &str, error: &std::io::Error) -> Failure {
    let code = if error.kind() == std::io::ErrorKind::NotFound { exit::NOT_FOUND } else { exit::UNEXPECTED };
    Failure::new(code, format!("{name} could not be read: {error}"), "Check the path and its permissions.")
}

/// Bytes as text. The bytes are never shown.
pub(crate) fn text_of(mut bytes: Zeroizing<Vec<u8>>, name: &str) -> Result<Zeroizing<String>, Failure> {
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) => {
            error.into_bytes().zeroize();
            Err(Failure::usage(
                format!("{name} is not UTF-8 text"),
                "Values are texts: encode other bytes first, for example with base64.",
            ))
        }
    }
}

/// A text without its last line end: what `echo` and editors add.
pub(crate) fn without_line_end(mut text: Zeroizing<String>) -> SecretText {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    SecretText::new(std::mem::take(&mut *text))
}

/// The wall clock, in milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one clock of the commands: for display and one-time codes"
    )]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Where the profile lies, by the environment.
fn default_profile(env: &dyn Fn(&str) -> Option<std::ffi::OsString>) -> Option<PathBuf> {
    let set = |name| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(file) = set("CLAVITOR_PROFILE") {
        return Some(file);
    }
    let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(config.join("clavitor").join("profile.toml"))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// A buffer that a test can read while a shell writes to it.
    #[derive(Clone, Default)]
    pub(crate) struct Buffer(Rc<RefCell<Vec<u8>>>);

    impl Buffer {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.borrow().clone()).unwrap()
        }
    }

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// A shell without any terminal, and its standard output and error.
    pub(crate) fn piped(input: &'static str) -> (Shell, Buffer, Buffer) {
        let (out, err) = (Buffer::default(), Buffer::default());
        let shell = Shell {
            out: Box::new(out.clone()),
            err: Box::new(err.clone()),
            input: Some(Box::new(input.as_bytes())),
            out_is_terminal: false,
            err_is_terminal: false,
            answers: None,
            json: false,
            profile: None,
        };
        (shell, out, err)
    }

    #[test]
    fn standard_input_is_given_out_once() {
        let (mut shell, ..) = piped("seven brass owls\r\n");
        assert_eq!(shell.read_secret(Path::new("-")).unwrap().expose(), "seven brass owls");
        assert_eq!(shell.read_input(10).unwrap_err().code, exit::USAGE);
    }

    #[test]
    fn input_has_a_cap_and_must_be_text() {
        let (mut shell, ..) = piped("12345678901");
        assert_eq!(shell.read_input(10).unwrap_err().code, exit::LIMIT);
        let failure = text_of(Zeroizing::new(b"hunter2\xff".to_vec()), "it").unwrap_err();
        assert!(!format!("{failure:?}").contains("hunter2"));
        let (mut shell, ..) = piped("\n");
        assert_eq!(
            shell.read_secret(Path::new("-")).unwrap_err().code,
            exit::USAGE,
            "an empty secret is none"
        );
    }

    #[test]
    fn nobody_is_asked_without_a_terminal() {
        let (mut shell, ..) = piped("y\n");
        let failure = shell.confirm("really?", "--yes").unwrap_err();
        assert!(failure.code == exit::USAGE && failure.hint.contains("--yes"));
        assert!(shell.ask_secret("the passphrase", "--passphrase-file").is_err());
        assert_eq!(shell.ask("name", "personal").unwrap(), "personal");
    }

    #[test]
    fn a_person_may_decline() {
        for (answer, code) in
            [("y\n", None), ("yes\n", None), ("\n", Some(14)), ("n\n", Some(14)), ("", Some(14))]
        {
            let (mut shell, ..) = piped("");
            shell.answers = Some(Box::new(answer.as_bytes()));
            assert_eq!(shell.confirm("really?", "--yes").err().map(|f| f.code), code, "{answer:?}");
        }
    }

    #[test]
    fn the_profile_follows_the_environment() {
        let with = |set: &'static [(&'static str, &'static str)]| {
            let found = move |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).into());
            default_profile(&found).map(|path| path.display().to_string())
        };
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[("HOME", "/h")]).as_deref(), Some("/h/.config/clavitor/profile.toml"));
        assert_eq!(
            with(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")]).as_deref(),
            Some("/x/clavitor/profile.toml")
        );
        assert_eq!(with(&[("HOME", "/h"), ("CLAVITOR_PROFILE", "/p")]).as_deref(), Some("/p"));
    }
}
