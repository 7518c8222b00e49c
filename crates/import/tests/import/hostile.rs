//! Files that are wrong, cut, huge, or made to hurt: a clear error or a clear report, and never a value in either.

use clavitor_core::limits;
use clavitor_import::{ImportError, Level, Options, bitwarden};
use serde_json::json;

use crate::complete::assert_complete;

fn error(bytes: &[u8]) -> ImportError {
    let error = bitwarden::read(bytes, Options::default()).expect_err("it must be refused");
    assert!(!error.to_string().contains("hunter2") && !error.remedy().is_empty());
    assert!(!error.to_string().ends_with('.'));
    error
}

#[test]
fn other_formats_are_named() {
    let cases: [(&[u8], ImportError); 12] = [
        (b"", ImportError::Empty),
        (b"\xef\xbb\xbf \n", ImportError::Empty),
        (b"PK\x03\x04rest", ImportError::Zip),
        (b"\xff\xfe{\x00", ImportError::Utf16),
        (b"{\"items\": \"\xc3\x28hunter2\"}", ImportError::NotUtf8 { at: 11 }),
        (b"folder,favorite,type,name,notes,fields,reprompt,login_uri,login_username,login_password,login_totp\n", ImportError::Csv),
        (b"\"url\";\"username\";\"password\"\nx;y;hunter2", ImportError::Csv),
        (b"hunter2", ImportError::Unknown),
        (b"{\"encrypted\":true,\"passwordProtected\":true,\"data\":\"2.hunter2\"}", ImportError::EncryptedWithPassword),
        (b"{\"encrypted\":true,\"items\":[{\"name\":\"2.hunter2\"}]}", ImportError::AccountRestricted),
        (b"{\"accounts\":[\"hunter2\"]}", ImportError::NotBitwarden { missing: "there is no list \"items\"" }),
        (b"{\"items\":{\"a\":\"hunter2\"}}", ImportError::WrongType { path: "items", expected: "a list" }),
    ];
    for (bytes, expected) in cases {
        assert_eq!(error(bytes), expected);
    }
    assert!(error(b"{\"encrypted\":true,\"items\":[]}").remedy().contains("restricted to the account"));
}

#[test]
fn broken_json_is_placed() {
    assert_eq!(error(b"{\"items\":[{\"name\":\"hunter2\"}"), ImportError::CutOff { line: 1 });
    assert!(matches!(error(b"{\"items\":\n[hunter2]}"), ImportError::Syntax { line: 2, .. }));
    let deep = format!("{{\"items\":{}", "[".repeat(1_000_000));
    assert!(matches!(error(deep.as_bytes()), ImportError::TooDeep { line: 1, .. }));
}

#[test]
fn caps_hold() {
    let large = vec![b' '; limits::IMPORT_BYTES_MAX + 1];
    assert_eq!(error(&large), ImportError::TooLarge { bytes: limits::IMPORT_BYTES_MAX + 1 });
    let many = format!("{{\"items\":[{}0]}}", "0,".repeat(limits::IMPORT_ENTRIES_MAX));
    assert_eq!(error(many.as_bytes()), ImportError::TooManyEntries { count: limits::IMPORT_ENTRIES_MAX + 1 });
    let values = format!("{{\"x\":[{}0]}}", "0,".repeat(limits::IMPORT_VALUES_MAX));
    assert_eq!(error(values.as_bytes()), ImportError::TooManyValues);
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let import = bitwarden::read(b"\xef\xbb\xbf{\"items\":[{\"name\":\"a\"}]}", Options::default()).unwrap();
    assert_eq!(import.entries[0].draft.title, "a");
}

#[test]
fn what_is_too_large_is_reported_and_the_rest_lands() {
    let big = "x".repeat(limits::FIELD_BYTES_MAX + 1);
    let half = "y".repeat(limits::FIELD_BYTES_MAX / 2);
    let source = json!({"items": [
        {"type": 2, "name": "big note", "notes": big, "fields": [{"name": "kept", "value": "v", "type": 1}]},
        {"type": 2, "name": "many halves", "fields": (0..5).map(|i|
            json!({"name": format!("f{i}"), "value": format!("{i}{half}"), "type": 1})).collect::<Vec<_>>()},
        {"type": 2, "name": "many fields", "fields": (0..300).map(|i|
            json!({"name": format!("f{i}"), "value": format!("v{i}"), "type": 0})).collect::<Vec<_>>()},
        {"type": 1, "name": "t".repeat(2_000), "login": {"username": "u".repeat(20_000),
            "uris": (0..70).map(|i| json!({"uri": format!("https://{i}.example")})).collect::<Vec<_>>()}},
    ]});
    let import = bitwarden::read(&serde_json::to_vec(&source).unwrap(), Options::default()).unwrap();
    assert_complete(&source, &import);
    assert_eq!(import.entries.len(), 4);
    let dropped: Vec<_> = import.report.lines.iter().filter(|l| l.level == Level::Dropped).collect();
    let paths: Vec<_> = dropped.iter().map(|l| (l.path.as_str(), l.items.as_slice())).collect();
    assert_eq!(paths, [("items[].fields[]", [2, 3].as_slice()), ("items[].notes", [1].as_slice())]);
    assert_eq!(import.entries[0].draft.field("kept").unwrap().value.expose(), "v");
    let long = &import.entries[3].draft;
    assert_eq!(
        (long.title.len(), long.urls.len(), long.username.len()),
        (limits::TITLE_BYTES_MAX, limits::URLS_MAX, 0)
    );
    assert_eq!(long.field("username").unwrap().value.expose().len(), 20_000);
    assert_eq!(long.fields.iter().filter(|f| f.name == "url").count(), 6);
}

#[test]
fn odd_items_do_not_stop_the_others() {
    let source = r#"{"items": [7, null, "hunter2", [], {"type": "login", "name": {"a": "hunter2"}, "login": [1]},
        {"type": 1, "id": "same", "name": "first"}, {"type": 1, "id": "same", "name": "first", "name": "second"},
        {"type": 99, "name": "future", "bankAccount": {"iban": "hunter2"}}],
        "folders": [{"id": "a", "name": "A"}, {"id": "a", "name": "B"}, 4], "extra": {"deep": "hunter2"}}"#;
    let import = bitwarden::read(source.as_bytes(), Options::default()).unwrap();
    let titles: Vec<_> = import.entries.iter().map(|e| e.draft.title.as_str()).collect();
    assert_eq!(titles, ["Unnamed item 5", "first", "second", "future"]);
    let report = &import.report;
    assert_eq!((report.items_seen, report.count(Level::Skipped)), (8, 4));
    let named = |path: &str| report.lines.iter().any(|l| l.path == path);
    for path in [
        "extra",
        "items[].id",
        "items[].login",
        "items[].name",
        "items[].type",
        "items[].bankAccount",
        "folders[]",
    ] {
        assert!(named(path), "{path} in {report:?}");
    }
    assert!(!serde_json::to_string(report).unwrap().contains("hunter2"));
    assert!(!format!("{import:?}").contains("hunter2"), "a draft prints no values");
    let future = &import.entries[3].draft;
    assert!(future.field("other").unwrap().value.expose().contains("hunter2"), "nothing is lost");
}

#[test]
fn keys_of_the_file_cannot_draw_on_a_terminal() {
    let source =
        json!({"items": [{"type": 1, "name": "n", "\u{1b}[2J\u{202e}evil": "v", "k".repeat(500): "w"}]});
    let import = bitwarden::read(&serde_json::to_vec(&source).unwrap(), Options::default()).unwrap();
    let paths: String = import.report.lines.iter().map(|l| l.path.as_str()).collect();
    assert!(!paths.contains(['\u{1b}', '\u{202e}']) && paths.len() < 400, "{paths}");
}
