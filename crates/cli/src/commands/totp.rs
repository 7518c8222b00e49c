//! `totp`: the one-time code of now, from an `otpauth://` URI or a bare secret.

use clavitor_core::entry::FieldKind;
use clavitor_core::exit;
use serde::Serialize;
use totp_rs::{Algorithm, Builder, Secret, Totp};
use url::Url;
use zeroize::Zeroizing;

use super::vault;
use crate::args::TotpArgs;
use crate::error::Failure;
use crate::shell::{self, Shell};

/// A code; a written contract as JSON.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Code {
    code: String,
    seconds_left: u64,
}

/// Runs it.
pub(crate) async fn run(args: &TotpArgs, shell: &mut Shell) -> Result<u8, Failure> {
    let entry =
        vault::with(shell, &args.vault, async |_, vault| vault::resolve(vault, &args.name).await).await?;
    let field = entry.draft.field_of(FieldKind::Totp).ok_or_else(|| {
        Failure::new(
            exit::NOT_FOUND,
            "the entry has no one-time codes",
            "Add the secret or the otpauth:// URI: clavitor put TITLE --update --field totp",
        )
    })?;
    let code = code_at(field.value.expose(), shell::now_ms() / 1_000)?;
    if shell.json {
        shell.say_json(&code)?;
    } else if shell.out_is_terminal {
        shell.say(format!("{}  ({} s left)", code.code, code.seconds_left))?;
    } else {
        shell.say(&code.code)?;
    }
    Ok(exit::OK)
}

/// The code at a time, in seconds since 1970.
fn code_at(text: &str, now_s: u64) -> Result<Code, Failure> {
    let (totp, period) = parse(text.trim()).ok_or_else(|| {
        Failure::new(
            exit::UNEXPECTED,
            "the one-time secret of the entry cannot be read",
            "It must be an otpauth://totp/… URI, steam://… or a secret in base32.",
        )
    })?;
    Ok(Code { code: totp.generate(now_s).to_string(), seconds_left: period - now_s % period })
}

fn parse(text: &str) -> Option<(Totp, u64)> {
    let (mut algorithm, mut digits, mut period) = (Algorithm::SHA1, 6, 30);
    let mut encoded = Zeroizing::new(String::new());
    if let Some(secret) = text.strip_prefix("steam://") {
        (algorithm, digits) = (Algorithm::Steam, 5);
        encoded.push_str(secret);
    } else if text.starts_with("otpauth:") {
        let uri = Url::parse(text).ok().filter(|uri| uri.host_str() == Some("totp"))?;
        for (key, value) in uri.query_pairs() {
            match key.as_ref() {
                "secret" => encoded.push_str(&value),
                "algorithm" => algorithm = value.replace('-', "").parse().ok()?,
                "digits" => digits = value.parse().ok().filter(|n| (5..=9).contains(n))?,
                "period" => period = value.parse().ok().filter(|n| (1..=3600).contains(n))?,
                _ => {}
            }
        }
    } else {
        encoded.push_str(text);
    }
    if algorithm == Algorithm::Steam {
        digits = 5;
    }
    // As people paste it: in groups, in small letters, padded.
    encoded.retain(|c| !c.is_whitespace() && c != '-' && c != '=');
    encoded.make_ascii_uppercase();
    let secret = Secret::try_from_base32(encoded.as_str()).ok().filter(|s| !s.as_bytes().is_empty())?;
    let builder = Builder::new().with_algorithm(algorithm).with_digits(digits).with_step_duration(period);
    Some((builder.with_secret(secret).build_noncompliant(), period))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238, appendix B, in base32.
    const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn code(text: &str, at: u64) -> String {
        code_at(text, at).unwrap().code
    }

    #[test]
    fn vectors_of_rfc_6238() {
        let eight = format!("otpauth://totp/x:y?secret={SEED}&digits=8&issuer=other");
        for (at, expected) in [(59, "94287082"), (1_111_111_109, "07081804"), (2_000_000_000, "69279037")] {
            assert_eq!(code(&eight, at), expected);
        }
        let seed_256 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA====";
        let uri =
            format!("otpauth://totp/x?secret={}&digits=8&algorithm=SHA-256", seed_256.replace('=', "%3D"));
        assert_eq!(code(&uri, 59), "46119246");
    }

    #[test]
    fn a_bare_secret_as_people_paste_it() {
        assert_eq!(code(SEED, 59), "287082");
        assert_eq!(code(" gezd gnbv-gy3t qojq gezd gnbv gy3t qojq== ", 59), "287082");
        assert_eq!(code_at(SEED, 59).unwrap().seconds_left, 1);
        assert_eq!(code_at(SEED, 60).unwrap().seconds_left, 30);
    }

    #[test]
    fn steam_has_letters() {
        let code = code(&format!("steam://{SEED}"), 59);
        assert!(code.len() == 5 && code.chars().all(|c| "23456789BCDFGHJKMNPQRTVWXY".contains(c)), "{code}");
    }

    #[test]
    fn what_cannot_be_read_is_not_repeated() {
        let wrong = ["", "hunter2!", "otpauth://hotp/x?secret=GEZDGNBV", "otpauth://totp/x", "steam://"];
        let mut wrong: Vec<String> = wrong.map(str::to_owned).into();
        for option in ["digits=10", "digits=0", "period=0", "algorithm=MD5"] {
            wrong.push(format!("otpauth://totp/hunter2?secret={SEED}&{option}"));
        }
        for text in wrong {
            let failure = code_at(&text, 59).unwrap_err();
            assert!(!format!("{failure:?}").contains("hunter2"), "{text}");
        }
    }
}
