//! `get`: one entry, or one value.

use std::io::Write as _;

use clavitor_client::OpenEntry;
use clavitor_core::draft::{DraftField, EntryDraft};
use clavitor_core::entry::Tier;
use clavitor_core::exit;

use super::vault;
use crate::args::GetArgs;
use crate::error::Failure;
use crate::fields;
use crate::render::entry::{About, json, text};
use crate::render::{HIDDEN, printable};
use crate::shell::Shell;

/// Runs it.
pub(crate) async fn run(args: &GetArgs, shell: &mut Shell) -> Result<u8, Failure> {
    let entry =
        vault::with(shell, &args.vault, async |_, vault| vault::resolve(vault, &args.name).await).await?;
    print(args, shell, &entry_about(&entry), &entry.draft)?;
    Ok(exit::OK)
}

fn entry_about(entry: &OpenEntry) -> About {
    About {
        id: entry.id,
        version: entry.version,
        updated_at_ms: entry.updated_at_ms,
        import_id: entry.import_id(),
    }
}

/// A value that was asked for: of a field, or of what every entry has.
enum Value<'d> {
    Field(&'d DraftField),
    Open(&'d str),
}

fn print(args: &GetArgs, shell: &mut Shell, about: &About, draft: &EntryDraft) -> Result<(), Failure> {
    let reveal = args.reveal || !shell.hides_values();
    let named = args.field.as_deref().map(|name| find(draft, name)).transpose()?;
    if shell.json {
        let only = match named {
            Some(Value::Field(field)) => Some(field),
            _ => None,
        };
        return shell.say_json(&json(*about, draft, only, reveal));
    }
    let value = match named {
        Some(value) => value,
        None if shell.hides_values() => return shell.say(text(*about, draft, args.reveal)),
        None => Value::Field(fields::main_of(draft).ok_or_else(|| no_main(draft))?),
    };
    print_value(shell, &value, reveal)
}

fn print_value(shell: &mut Shell, value: &Value<'_>, reveal: bool) -> Result<(), Failure> {
    let (shown, text) = match value {
        Value::Field(field) => (reveal || field.tier == Tier::Vault, field.value.expose()),
        Value::Open(text) => (true, *text),
    };
    if !shell.hides_values() {
        // The value alone, exactly as it is: whoever reads it decides about line ends.
        shell.out.write_all(text.as_bytes())?;
        return Ok(shell.out.flush()?);
    }
    if shown {
        for line in text.lines() {
            shell.say(printable(line))?;
        }
        return Ok(());
    }
    shell.say(HIDDEN)?;
    shell.note("--reveal shows it")
}

fn find<'d>(draft: &'d EntryDraft, name: &str) -> Result<Value<'d>, Failure> {
    let open = match name.to_ascii_lowercase().as_str() {
        "title" => draft.title.as_str(),
        "username" => &draft.username,
        "url" => draft.urls.first().map_or("", String::as_str),
        "folder" => &draft.folder,
        _ => "",
    };
    if !open.is_empty() {
        return Ok(Value::Open(open));
    }
    let mut of_name = draft.fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
    match (of_name.next(), of_name.next()) {
        (Some(field), None) => Ok(Value::Field(field)),
        (Some(_), Some(_)) => {
            Err(Failure::usage(format!("several fields are called {name:?}"), "--json shows them all."))
        }
        (None, _) => {
            let what = format!("the entry has no field {name:?}");
            Err(Failure::new(exit::NOT_FOUND, what, names(draft)))
        }
    }
}

fn no_main(draft: &EntryDraft) -> Failure {
    let what = format!("an entry of type {} has no one value to print", draft.entry_type.name());
    Failure::new(exit::NOT_FOUND, what, format!("Name one by --field, or take --json. {}", names(draft)))
}

fn names(draft: &EntryDraft) -> String {
    let names: Vec<&str> = draft.fields.iter().map(|field| field.name.as_str()).collect();
    if names.is_empty() { "It has no fields.".to_owned() } else { format!("It has: {}", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::VaultArgs;
    use crate::render::entry::tests::sample;
    use crate::shell::tests::piped;

    fn shown(field: Option<&str>, reveal: bool, terminal: bool, json: bool) -> Result<String, Failure> {
        let (about, draft) = sample();
        let (mut shell, out, _) = piped("");
        (shell.out_is_terminal, shell.json) = (terminal, json);
        let field = field.map(str::to_owned);
        let args = GetArgs { name: "Mail".into(), field, reveal, vault: VaultArgs::default() };
        print(&args, &mut shell, &about, &draft).map(|()| out.text())
    }

    #[test]
    fn piped_is_the_value_alone() {
        assert_eq!(shown(None, false, false, false).unwrap(), "hunter2");
        assert_eq!(shown(Some("Password"), false, false, false).unwrap(), "hunter2");
        assert_eq!(shown(Some("username"), false, false, false).unwrap(), "ann@mail.example");
        assert_eq!(
            shown(Some("notes"), false, false, false).unwrap(),
            "one\ntwo\u{1b}[31m",
            "exactly as it is"
        );
    }

    #[test]
    fn a_terminal_shows_values_only_when_asked() {
        for json in [false, true] {
            for field in [None, Some("password")] {
                assert!(!shown(field, false, true, json).unwrap().contains("hunter2"), "{field:?} {json}");
                assert!(shown(field, true, true, json).unwrap().contains("hunter2"), "{field:?} {json}");
            }
        }
        assert_eq!(shown(Some("password"), false, true, false).unwrap(), "••••\n");
        assert_eq!(
            shown(Some("hint"), false, true, false).unwrap(),
            "seen by the server\n",
            "it is no secret"
        );
        assert_eq!(
            shown(Some("notes"), true, true, false).unwrap(),
            "one\ntwo\u{fffd}[31m\n",
            "nothing draws"
        );
    }

    #[test]
    fn json_through_a_pipe_has_the_values() {
        let json: serde_json::Value =
            serde_json::from_str(&shown(Some("notes"), false, false, true).unwrap()).unwrap();
        assert_eq!(json["fields"].as_array().unwrap().len(), 1);
        assert_eq!(json["fields"][0]["value"], "one\ntwo\u{1b}[31m");
    }

    #[test]
    fn a_wrong_field_names_the_right_ones() {
        let failure = shown(Some("pin"), false, false, false).unwrap_err();
        assert_eq!(failure.code, exit::NOT_FOUND);
        assert!(failure.hint.contains("password, notes, hint") && !failure.hint.contains("hunter2"));
    }

    #[test]
    fn two_fields_of_a_name_are_refused() {
        let (_, mut draft) = sample();
        draft.push("notes", clavitor_core::entry::FieldKind::Note, "again".into());
        assert_eq!(find(&draft, "notes").err().unwrap().code, exit::USAGE);
    }
}
