//! `init`: creates the first vault of a node and writes the profile.

use clavitor_core::exit;
use clavitor_core::ids::{CellId, VaultId};
use clavitor_core::secret::SecretText;
use serde::Serialize;

use super::failure::of_client;
use super::vault::{SERVER_DEFAULT, client, profile_file};
use crate::args::InitArgs;
use crate::error::Failure;
use crate::profile::{Profile, ProfileVault};
use crate::render::printable;
use crate::shell::Shell;

/// The name of a vault that nobody named.
const NAME_DEFAULT: &str = "personal";

/// What was made; a written contract as JSON.
#[derive(Debug, Serialize)]
struct Made {
    vault: String,
    vault_id: VaultId,
    cell: CellId,
    server: String,
    profile: String,
}

/// Runs it.
pub(crate) async fn run(args: &InitArgs, shell: &mut Shell) -> Result<u8, Failure> {
    let Some(file) = profile_file(&args.place, shell) else {
        return Err(Failure::usage("there is no place for the profile", "Give --profile FILE, or set HOME."));
    };
    if file.exists() {
        return Err(Failure::usage(
            format!("there is a profile already: {}", file.display()),
            "Nothing was created. Keep both by --profile ANOTHER.",
        ));
    }
    let server = args.place.server.clone().unwrap_or_else(|| SERVER_DEFAULT.to_owned());
    let client = client(&server)?;
    let setup = match &args.setup_file {
        Some(file) => shell.read_secret(file)?,
        None => shell.ask_secret(
            "setup secret (what stands in the file that `clavitor serve` names)",
            "--setup-file FILE",
        )?,
    };
    let name = match &args.name {
        Some(name) => name.clone(),
        None => shell.ask("name of the vault", NAME_DEFAULT)?,
    };
    let passphrase = match &args.passphrase_file {
        Some(file) => shell.read_secret(file)?,
        None => shell.ask_new_secret("new passphrase", "--passphrase-file FILE")?,
    };
    let summary = client.setup(&secret_of(&setup), &name, &passphrase).await.map_err(of_client)?;
    let vault = ProfileVault { name: summary.name.clone(), id: summary.vault_id };
    Profile { server: server.clone(), vault, pops: Default::default() }.create(&file)?;
    let profile = file.display().to_string();
    let made = Made { vault: summary.name, vault_id: summary.vault_id, cell: summary.cell, server, profile };
    tell(shell, &made)?;
    Ok(exit::OK)
}

/// The secret itself, also where the whole link was given.
fn secret_of(text: &SecretText) -> SecretText {
    let text = text.expose().trim();
    SecretText::new(text.rsplit_once('#').map_or(text, |(_, secret)| secret).to_owned())
}

fn tell(shell: &mut Shell, made: &Made) -> Result<(), Failure> {
    if shell.json {
        return shell.say_json(made);
    }
    shell.say(format!(
        "created the vault {} ({}) on {}",
        printable(&made.vault),
        made.vault_id,
        made.server
    ))?;
    shell.say(format!("wrote the profile {} (it holds no secret)", printable(&made.profile)))?;
    shell.note("Nobody can restore a lost passphrase: write it down and keep it away from this machine.")?;
    shell.note("Next: clavitor put Mail --username ann@mail.example --url https://mail.example")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::PlaceArgs;
    use crate::shell::tests::piped;

    #[test]
    fn a_link_or_the_secret_alone() {
        for text in ["s3cret", " s3cret\n", "http://localhost:1984/setup#s3cret"] {
            assert_eq!(secret_of(&SecretText::new(text.to_owned())).expose(), "s3cret");
        }
    }

    #[test]
    fn what_was_made() {
        let made = Made {
            vault: "personal".into(),
            vault_id: VaultId::from_bytes([7; 16]),
            cell: CellId::from_bytes([3; 16]),
            server: "http://localhost:1984".into(),
            profile: "/home/ann/.config/clavitor/profile.toml".into(),
        };
        let (mut shell, out, err) = piped("");
        tell(&mut shell, &made).unwrap();
        insta::assert_snapshot!(format!("{}{}", out.text(), err.text()));
        insta::assert_json_snapshot!(made);
    }

    #[tokio::test]
    async fn a_profile_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("profile.toml");
        std::fs::write(&file, "mine").unwrap();
        let place = PlaceArgs { profile: Some(file.clone()), server: None };
        let args = InitArgs { place, setup_file: None, name: None, passphrase_file: None };
        let (mut shell, ..) = piped("");
        assert_eq!(run(&args, &mut shell).await.unwrap_err().code, exit::USAGE);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    }
}
