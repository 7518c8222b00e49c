//! Puts the sources together in their order and checks every value.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clavitor_core::edition::ConfigText;
use tracing_subscriber::EnvFilter;
use url::{Host, Url};

use super::file::{self, FileValues, Said};
use super::problem::{ConfigErrors, Located};
use super::{
    Config, DEFAULT_FILE, DEFAULT_LISTEN, DEFAULT_LOG_FILTER, KEYRING_CREDENTIAL, KeyringPlace, LogConfig,
    LogFormat,
};
use crate::edition;

/// What flags say: the last word.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<String>,
    /// `--public-url`.
    pub public_url: Option<String>,
    /// `--keyring-file`.
    pub keyring_file: Option<PathBuf>,
}

/// Where a configuration comes from. The environment is an argument, so that tests need not share one.
pub struct Sources<'a> {
    /// Reads one environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The flags.
    pub flags: Overrides,
}

impl Sources<'_> {
    /// Reads and checks the whole configuration, the edition's tables included.
    ///
    /// # Errors
    /// Every problem found, together.
    pub fn load(self) -> Result<Config, ConfigErrors> {
        self.read(true)
    }

    /// As [`Sources::load`], leaving the edition's tables alone: enough to find a node on this machine.
    ///
    /// # Errors
    /// Every problem found, together.
    pub fn load_without_edition(self) -> Result<Config, ConfigErrors> {
        self.read(false)
    }

    fn read(self, with_edition: bool) -> Result<Config, ConfigErrors> {
        let mut problems = Vec::new();
        let text = self.text(&mut problems);
        let said =
            text.as_ref().map_or_else(FileValues::default, |t| file::read(&t.path, &t.text, &mut problems));
        if let Some(text) = text.as_ref().filter(|_| with_edition && said.parses) {
            let found = edition::check_config(text);
            problems.extend(found.into_iter().map(|problem| Located::from_edition(&text.path, problem)));
        }
        let listen = self.choose("listen", said.listen, self.flags.listen.clone());
        let public_url = self.choose("public_url", said.public_url, self.flags.public_url.clone());
        let data_dir = self.choose_path("data_dir", said.data_dir, self.flags.data_dir.as_deref());
        let keyring = self.choose_path("keyring_file", said.keyring_file, self.flags.keyring_file.as_deref());
        let filter = self.choose("log_filter", said.log_filter, None);
        let format = self.choose("log_format", said.log_format, None);

        let listen = check_listen(listen, &mut problems);
        let public_url = public_url.and_then(|said| check_public_url(&said, &mut problems));
        let data_dir = self.data_dir(data_dir, &mut problems);
        let log = check_log(filter, format, &mut problems);
        let keyring = data_dir.as_deref().and_then(|dir| self.keyring(keyring, dir, &mut problems));
        match (listen, data_dir, keyring, log, problems.is_empty()) {
            (Some(listen), Some(data_dir), Some(keyring), Some(log), true) => {
                Ok(Config { listen, public_url, data_dir, keyring, log, text })
            }
            _ => Err(ConfigErrors(problems)),
        }
    }

    fn text(&self, problems: &mut Vec<Located>) -> Option<ConfigText> {
        let named = self.flags.config.clone().or_else(|| (self.env)("CLAVITOR_CONFIG").map(PathBuf::from));
        let path = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(ConfigText { path, text }),
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                let what = format!("the configuration file could not be read: {error}");
                problems.push(Located::new(
                    path.display().to_string(),
                    what,
                    "name a readable file with --config",
                ));
                None
            }
        }
    }

    /// The flag, else the environment, else the file.
    fn choose(&self, key: &str, file: Option<Said>, flag: Option<String>) -> Option<Said> {
        let flag = flag.map(|value| Said { value, place: format!("--{}", key.replace('_', "-")) });
        flag.or_else(|| {
            let place = format!("CLAVITOR_{}", key.to_uppercase());
            (self.env)(&place).filter(|value| !value.is_empty()).map(|value| Said { value, place })
        })
        .or(file)
    }

    fn choose_path(&self, key: &str, file: Option<Said>, flag: Option<&Path>) -> Option<(PathBuf, String)> {
        match flag {
            Some(path) => Some((path.to_owned(), format!("--{}", key.replace('_', "-")))),
            None => self.choose(key, file, None).map(|said| (PathBuf::from(said.value), said.place)),
        }
    }

    fn data_dir(&self, said: Option<(PathBuf, String)>, problems: &mut Vec<Located>) -> Option<PathBuf> {
        if let Some(said) = said {
            return absolute(said, problems);
        }
        let folder = |name: &str| (self.env)(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let base = folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share")));
        if let Some(base) = base {
            return Some(base.join("clavitor"));
        }
        let what = "there is no default data folder: neither XDG_DATA_HOME nor HOME is set";
        problems.push(Located::new("data_dir", what, "name one with --data-dir"));
        None
    }

    fn keyring(
        &self,
        said: Option<(PathBuf, String)>,
        data_dir: &Path,
        problems: &mut Vec<Located>,
    ) -> Option<KeyringPlace> {
        if let Some(said) = said {
            return absolute(said, problems).map(KeyringPlace::File);
        }
        let credential =
            (self.env)("CREDENTIALS_DIRECTORY").map(|dir| Path::new(&dir).join(KEYRING_CREDENTIAL));
        if let Some(path) = credential.filter(|path| path.is_file()) {
            return Some(KeyringPlace::Credential(path));
        }
        let Some(name) = data_dir.file_name() else {
            let what = "this data folder has no name, so that nothing can lie beside it";
            problems.push(Located::new("data_dir", what, "name a folder of its own"));
            return None;
        };
        let mut name = name.to_owned();
        name.push(".keyring");
        Some(KeyringPlace::File(data_dir.with_file_name(name)))
    }
}

fn absolute((path, place): (PathBuf, String), problems: &mut Vec<Located>) -> Option<PathBuf> {
    if let Ok(path) = std::path::absolute(path) {
        return Some(path);
    }
    problems.push(Located::new(place, "not a path", "give the path of a file or folder"));
    None
}

fn check_listen(said: Option<Said>, problems: &mut Vec<Located>) -> Option<SocketAddr> {
    let said =
        said.unwrap_or_else(|| Said { value: DEFAULT_LISTEN.to_owned(), place: "the default".to_owned() });
    let Ok(address) = said.value.parse::<SocketAddr>() else {
        let what = "`listen` is not an address with a port";
        problems.push(Located::new(said.place, what, "write it as 127.0.0.1:1984 or [::1]:1984"));
        return None;
    };
    if !address.ip().is_loopback() {
        let what = "`listen` is not a loopback address: the API would be served there without TLS";
        let remedy = "listen on 127.0.0.1 or [::1] and put a reverse proxy with TLS in front (name its address as \
                      public_url), or reach it through an SSH tunnel";
        problems.push(Located::new(said.place, what, remedy));
        return None;
    }
    Some(address)
}

fn check_public_url(said: &Said, problems: &mut Vec<Located>) -> Option<Url> {
    let mut refuse = |what: &str, remedy: &str| {
        problems.push(Located::new(&said.place, what, remedy));
        None
    };
    let Some(url) = Url::parse(&said.value).ok().filter(|url| url.has_host()) else {
        return refuse("`public_url` is not a URL", "write it as https://vault.example.org");
    };
    let bare = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !bare {
        return refuse(
            "`public_url` must be scheme, host and port alone",
            "write it as https://vault.example.org",
        );
    }
    match url.scheme() {
        "https" => Some(url),
        "http" if is_loopback(&url) => Some(url),
        _ => refuse(
            "`public_url` must be https, or http on this machine",
            "serve it through TLS and write https://…",
        ),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn check_log(filter: Option<Said>, format: Option<Said>, problems: &mut Vec<Located>) -> Option<LogConfig> {
    let mut log = LogConfig { filter: DEFAULT_LOG_FILTER.to_owned(), format: LogFormat::Text };
    let before = problems.len();
    if let Some(said) = filter {
        if EnvFilter::try_new(&said.value).is_err() {
            let remedy = "write it as info, or as warn,clavitor_server=debug";
            problems.push(Located::new(said.place, "`log.filter` is not a filter", remedy));
        }
        log.filter = said.value;
    }
    if let Some(said) = format {
        match said.value.as_str() {
            "text" => log.format = LogFormat::Text,
            "json" => log.format = LogFormat::Json,
            _ => {
                let what = "`log.format` is not a format";
                problems.push(Located::new(said.place, what, "write text or json"));
            }
        }
    }
    (problems.len() == before).then_some(log)
}
