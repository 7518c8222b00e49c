//! Reaching and unlocking a vault, and finding one entry in it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clavitor_client::{Client, ClientError, ClientOptions, OpenEntry, OpenVault, Query};
use clavitor_core::ids::{RecordId, VaultId};
use clavitor_core::{exit, limits};
use url::Url;

use super::failure::of_client;
use crate::args::{PlaceArgs, VaultArgs};
use crate::error::Failure;
use crate::profile::Profile;
use crate::shell::Shell;

/// Where a node is when nothing says otherwise.
pub(crate) const SERVER_DEFAULT: &str = "http://localhost:1984";

/// The file of the profile.
pub(crate) fn profile_file(place: &PlaceArgs, shell: &Shell) -> Option<PathBuf> {
    place.profile.clone().or_else(|| shell.profile.clone())
}

/// The profile; one that is named must be there.
pub(crate) fn read_profile(place: &PlaceArgs, shell: &Shell) -> Result<Option<Profile>, Failure> {
    let Some(file) = profile_file(place, shell) else { return Ok(None) };
    let profile = Profile::read(&file)?;
    if profile.is_none() && place.profile.is_some() {
        let what = format!("there is no profile {}", file.display());
        return Err(Failure::new(exit::NOT_FOUND, what, "`clavitor init` writes one."));
    }
    Ok(profile)
}

/// A client of a server.
pub(crate) fn client(server: &str) -> Result<Client, Failure> {
    let url = Url::parse(server).map_err(|_| {
        Failure::usage(
            "the server is no URL",
            "Write it like https://vault.example.org or http://localhost:1984.",
        )
    })?;
    let timeout = Duration::from_secs(limits::REQUEST_TIMEOUT_S);
    Client::new(ClientOptions { server: url, timeout }).map_err(of_client)
}

/// Where a vault is and by which name it is unlocked.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    server: String,
    name: String,
    /// The vault that must answer, where the profile knows it.
    id: Option<VaultId>,
}

fn target(args: &VaultArgs, profile: Option<Profile>) -> Result<Target, Failure> {
    let known = profile.as_ref().map(|profile| &profile.vault);
    let name = args.vault.clone().or_else(|| known.map(|vault| vault.name.clone()));
    let id = known.filter(|vault| Some(&vault.name) == name.as_ref()).map(|vault| vault.id);
    let server = args.place.server.clone().or(profile.map(|profile| profile.server));
    match (server, name) {
        (Some(server), Some(name)) => Ok(Target { server, name, id }),
        (None, Some(name)) => Ok(Target { server: SERVER_DEFAULT.to_owned(), name, id }),
        (_, None) => Err(Failure::usage(
            "which vault is not known: there is no profile",
            "`clavitor init` creates a vault and the profile; for one that exists give --server URL --vault NAME.",
        )),
    }
}

/// Unlocks the vault, does something with it, and ends the session.
pub(crate) async fn with<T>(
    shell: &mut Shell,
    args: &VaultArgs,
    work: impl AsyncFnOnce(&mut Shell, &OpenVault) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let vault = unlock(shell, args).await?;
    let done = work(shell, &vault).await;
    // The session would end by its age too.
    let _ = vault.sign_out().await;
    done
}

async fn unlock(shell: &mut Shell, args: &VaultArgs) -> Result<OpenVault, Failure> {
    let target = target(args, read_profile(&args.place, shell)?)?;
    let client = client(&target.server)?;
    let passphrase = match &args.passphrase_file {
        Some(file) => shell.read_secret(file)?,
        None => shell.ask_secret(&format!("passphrase of {}", target.name), "--passphrase-file FILE")?,
    };
    let vault = client.unlock(&target.name, &passphrase).await.map_err(of_client)?;
    if target.id.is_some_and(|id| id != vault.vault_id()) {
        let what = format!("{} answered with another vault than the profile's", target.server);
        let _ = vault.sign_out().await;
        return Err(Failure::new(
            exit::CHECK_FAILED,
            what,
            "Nothing was read or written. Check the address; a vault that was created anew needs a new profile.",
        ));
    }
    Ok(vault)
}

/// Finds one entry by id, by title, else by host.
pub(crate) async fn resolve(vault: &OpenVault, name: &str) -> Result<OpenEntry, Failure> {
    if let Ok(id) = name.parse::<RecordId>() {
        return vault.find(&Query::Id(id)).await.map_err(of_client);
    }
    match vault.find(&Query::Title(name.to_owned())).await {
        Err(ClientError::NotFound { .. }) if looks_like_a_host(name) => {}
        found => return found.map_err(of_client),
    }
    vault.find(&Query::Host(name.to_owned())).await.map_err(|error| match error {
        ClientError::NotFound { .. } => {
            of_client(ClientError::NotFound { what: format!("no entry has the title or host {name:?}") })
        }
        other => of_client(other),
    })
}

/// Whether a name that is no title may be a host: it has a dot or is a URL.
fn looks_like_a_host(name: &str) -> bool {
    (name.contains('.') || name.contains("://") || name == "localhost") && !name.contains(char::is_whitespace)
}

/// A path that is shown to a person.
pub(crate) fn shown(file: &Path) -> String {
    file.display().to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::profile::ProfileVault;

    fn profile() -> Profile {
        let id = VaultId::from_bytes([7; 16]);
        Profile {
            server: "https://a.example".into(),
            vault: ProfileVault { name: "personal".into(), id },
            pops: BTreeMap::new(),
        }
    }

    #[test]
    fn flags_come_before_the_profile() {
        let from_profile = target(&VaultArgs::default(), Some(profile())).unwrap();
        assert_eq!(from_profile.server, "https://a.example");
        assert_eq!(from_profile.id, Some(VaultId::from_bytes([7; 16])));
        let mut args = VaultArgs { vault: Some("family".into()), ..VaultArgs::default() };
        args.place.server = Some("https://b.example".into());
        let named = target(&args, Some(profile())).unwrap();
        assert_eq!(
            (named.server.as_str(), named.name.as_str(), named.id),
            ("https://b.example", "family", None)
        );
        args.vault = None;
        let elsewhere = target(&args, Some(profile())).unwrap();
        assert_eq!(elsewhere.id, Some(VaultId::from_bytes([7; 16])), "the same vault on another POP");
    }

    #[test]
    fn without_a_profile_the_vault_must_be_named() {
        assert_eq!(target(&VaultArgs::default(), None).unwrap_err().code, exit::USAGE);
        let args = VaultArgs { vault: Some("home".into()), ..VaultArgs::default() };
        assert_eq!(target(&args, None).unwrap().server, SERVER_DEFAULT);
    }

    #[test]
    fn hosts_are_recognised() {
        for host in ["mail.example", "https://mail.example/x", "localhost"] {
            assert!(looks_like_a_host(host), "{host}");
        }
        for title in ["Mail", "Dr. No", "my mail"] {
            assert!(!looks_like_a_host(title), "{title}");
        }
    }

    #[test]
    fn a_server_must_be_a_url() {
        assert_eq!(client("vault example").unwrap_err().code, exit::USAGE);
        assert_eq!(
            client("http://vault.example.org").unwrap_err().code,
            exit::USAGE,
            "not https, not this machine"
        );
    }
}
