//! `put`: creates an entry, or changes one.

use clavitor_client::{ListRequest, OpenVault};
use clavitor_core::api::WriteAnswer;
use clavitor_core::draft::{DraftField, EntryDraft};
use clavitor_core::entry::{EntryType, FieldKind, Tier};
use clavitor_core::secret::SecretText;
use clavitor_core::{exit, limits};

use super::failure::of_client;
use super::vault;
use crate::args::PutArgs;
use crate::error::Failure;
use crate::fields;
use crate::render::printable;
use crate::shell::{self, Shell};

/// Runs it.
pub(crate) async fn run(args: &PutArgs, shell: &mut Shell) -> Result<u8, Failure> {
    // Standard input first: a pipe must be read whatever comes later.
    let given = given_value(args, shell)?;
    vault::with(shell, &args.vault, async |shell, vault| {
        let (answer, title) = if args.update {
            let mut entry = vault::resolve(vault, &args.title).await?;
            let value = or_ask(args, shell, given, entry.draft.entry_type)?;
            change(args, &mut entry.draft, value);
            (vault.update(&entry).await.map_err(of_client)?, entry.draft.title)
        } else {
            refuse_second(vault, &args.title).await?;
            let entry_type = args.entry_type.map_or(EntryType::Login, |arg| arg.0);
            let value = or_ask(args, shell, given, entry_type)?;
            let mut draft = EntryDraft::new(entry_type, args.title.clone());
            draft.created_at_ms = shell::now_ms();
            change(args, &mut draft, value);
            (vault.create(&draft).await.map_err(of_client)?, draft.title)
        };
        report(args, shell, &answer, &title)
    })
    .await
}

fn report(args: &PutArgs, shell: &mut Shell, answer: &WriteAnswer, title: &str) -> Result<u8, Failure> {
    if shell.json {
        shell.say_json(answer)?;
    } else {
        let what = if args.update { "changed" } else { "created" };
        shell.say(format!("{what} {} ({}, version {})", printable(title), answer.id, answer.version))?;
    }
    Ok(exit::OK)
}

/// The value from standard input or a file; `None` where neither is named.
fn given_value(args: &PutArgs, shell: &mut Shell) -> Result<Option<SecretText>, Failure> {
    if args.value.stdin {
        return Ok(Some(shell::without_line_end(shell.read_input(limits::FIELD_BYTES_MAX)?)));
    }
    let Some(file) = &args.value.from_file else { return Ok(None) };
    let bytes = shell::read_file(file, limits::FIELD_BYTES_MAX)?;
    let mut text = shell::text_of(bytes, &vault::shown(file))?;
    Ok(Some(SecretText::new(std::mem::take(&mut *text))))
}

/// The value to write: the given one, else the answer of a person, unless none is wanted.
fn or_ask(
    args: &PutArgs,
    shell: &mut Shell,
    given: Option<SecretText>,
    entry_type: EntryType,
) -> Result<Option<SecretText>, Failure> {
    let names_field = args.field.is_some() || args.kind.is_some();
    if given.is_some() || args.value.no_value || (args.update && !names_field && changes_others(args)) {
        return Ok(given);
    }
    let name = args.field.as_deref().unwrap_or(fields::main_field(entry_type).0);
    let question = format!("{} of {}", printable(name), printable(&args.title));
    shell.ask_new_secret(&question, "--stdin, --from-file FILE or --no-value").map(Some)
}

/// Whether something but a value is changed.
fn changes_others(args: &PutArgs) -> bool {
    args.username.is_some()
        || args.folder.is_some()
        || args.entry_type.is_some()
        || !args.urls.is_empty()
        || !args.tags.is_empty()
}

/// An entry of this title must not be there yet: two could not be told apart by it.
async fn refuse_second(vault: &OpenVault, title: &str) -> Result<(), Failure> {
    let request = ListRequest { limit: Some(1), title: Some(title.to_owned()), ..ListRequest::default() };
    match vault.list(&request).await.map_err(of_client)?.items.first() {
        None => Ok(()),
        Some(row) => Err(Failure::new(
            exit::CHANGED,
            format!("an entry called {:?} is here already ({})", row.title, row.id),
            "Nothing was written. --update changes it; otherwise take another title.",
        )),
    }
}

/// Puts what was given into a draft; what was not given stays.
fn change(args: &PutArgs, draft: &mut EntryDraft, value: Option<SecretText>) {
    if let Some(entry_type) = args.entry_type {
        draft.entry_type = entry_type.0;
    }
    for (new, old) in [(&args.username, &mut draft.username), (&args.folder, &mut draft.folder)] {
        if let Some(new) = new {
            old.clone_from(new);
        }
    }
    for (new, old) in [(&args.urls, &mut draft.urls), (&args.tags, &mut draft.tags)] {
        if !new.is_empty() {
            old.clone_from(new);
        }
    }
    let Some(value) = value else { return };
    let (main_name, main_kind) = fields::main_field(draft.entry_type);
    let name = args.field.as_deref().unwrap_or(main_name);
    let by_name = if name.eq_ignore_ascii_case(main_name) { main_kind } else { fields::kind_of_name(name) };
    let kind = args.kind.map(|arg| arg.0);
    set_field(draft, name, kind, by_name, value);
}

/// Sets a field: its tier never falls, and a new one is never open to the server.
fn set_field(
    draft: &mut EntryDraft,
    name: &str,
    kind: Option<FieldKind>,
    kind_of_new: FieldKind,
    value: SecretText,
) {
    if let Some(field) = draft.fields.iter_mut().find(|field| field.name.eq_ignore_ascii_case(name)) {
        field.kind = kind.unwrap_or(field.kind);
        field.tier = field.tier.max(field.kind.tier_min());
        field.value = value;
        return;
    }
    let kind = kind.unwrap_or(kind_of_new);
    let tier = kind.tier_min().max(Tier::Credential);
    draft.fields.push(DraftField { id: None, name: name.to_owned(), kind, tier, value });
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};
    use crate::shell::tests::piped;

    fn args(line: &[&str]) -> PutArgs {
        let line = ["clavitor", "put", "Mail"].iter().chain(line);
        match Cli::try_parse_from(line).unwrap().command {
            Some(Command::Put(args)) => args,
            other => panic!("{other:?}"),
        }
    }

    fn secret(text: &str) -> Option<SecretText> {
        Some(SecretText::new(text.to_owned()))
    }

    #[test]
    fn a_new_entry_gets_its_main_field() {
        for (line, name, kind, tier) in [
            (&[][..], "password", FieldKind::Password, Tier::Credential),
            (&["--type", "card"], "card number", FieldKind::CardNumber, Tier::Identity),
            (&["--type", "ssh-key"], "private key", FieldKind::PrivateKey, Tier::Credential),
            (&["--field", "PIN"], "PIN", FieldKind::Pin, Tier::Identity),
            (&["--field", "colour"], "colour", FieldKind::Concealed, Tier::Credential),
            (&["--field", "colour", "--kind", "text"], "colour", FieldKind::Text, Tier::Credential),
        ] {
            let args = args(line);
            let mut draft = EntryDraft::new(args.entry_type.map_or(EntryType::Login, |t| t.0), "Mail");
            change(&args, &mut draft, secret("v"));
            let field = &draft.fields[0];
            assert_eq!((field.name.as_str(), field.kind, field.tier), (name, kind, tier), "{line:?}");
        }
    }

    #[test]
    fn a_change_leaves_the_rest() {
        let mut draft = EntryDraft::new(EntryType::Login, "Mail");
        change(
            &args(&["--username", "ann", "--url", "https://a.example", "--tag", "t"]),
            &mut draft,
            secret("one"),
        );
        draft.fields[0].id = Some(clavitor_core::entry::FieldId(7));
        draft.fields[0].tier = Tier::Identity;
        change(&args(&["--update", "--folder", "Home", "--kind", "text"]), &mut draft, secret("two"));
        assert_eq!((draft.username.as_str(), draft.folder.as_str(), draft.urls.len()), ("ann", "Home", 1));
        let field = &draft.fields[0];
        assert_eq!((field.id.map(|id| id.0), field.value.expose()), (Some(7), "two"));
        assert_eq!(field.tier, Tier::Identity, "a tier never falls");
        change(&args(&["--update", "--url", "https://b.example"]), &mut draft, None);
        assert_eq!(
            (draft.urls.as_slice(), draft.tags.len()),
            (["https://b.example".to_owned()].as_slice(), 1)
        );
    }

    #[test]
    fn the_value_comes_from_where_it_is_said() {
        let (mut shell, ..) = piped("hunter2\n");
        let given = given_value(&args(&["--stdin"]), &mut shell).unwrap().unwrap();
        assert_eq!(given.expose(), "hunter2");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "line\n").unwrap();
        let line = ["--from-file", file.to_str().unwrap()];
        assert_eq!(
            given_value(&args(&line), &mut shell).unwrap().unwrap().expose(),
            "line\n",
            "exactly as it is"
        );
    }

    #[test]
    fn without_a_terminal_the_value_must_be_named() {
        let (mut shell, ..) = piped("hunter2\n");
        let failure = or_ask(&args(&[]), &mut shell, None, EntryType::Login).unwrap_err();
        assert!(failure.code == exit::USAGE && failure.hint.contains("--stdin"), "{failure:?}");
        assert!(or_ask(&args(&["--no-value"]), &mut shell, None, EntryType::Login).unwrap().is_none());
        let tags_only = args(&["--update", "--tag", "x"]);
        assert!(or_ask(&tags_only, &mut shell, None, EntryType::Login).unwrap().is_none());
        let of_field = args(&["--update", "--tag", "x", "--field", "pin"]);
        assert!(or_ask(&of_field, &mut shell, None, EntryType::Login).is_err());
    }
}
