//! What is too weak to enrol.

use clavitor_core::secret::SecretText;
use thiserror::Error;

use super::derive::BYTES_MAX;

/// The shortest passphrase that is enrolled, in characters.
pub const CHARACTERS_MIN: usize = 12;

/// The passphrase is easy to guess.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WeakPassphrase {
    /// Shorter than [`CHARACTERS_MIN`].
    #[error(
        "the passphrase has fewer than {CHARACTERS_MIN} characters; four or more unrelated words are good"
    )]
    TooShort,
    /// Longer than [`BYTES_MAX`].
    #[error("the passphrase is longer than {BYTES_MAX} bytes")]
    TooLong,
    /// It would be guessed; the text says why and never repeats it.
    #[error("the passphrase is easy to guess: {why}; four or more unrelated words are good")]
    Guessable {
        /// Why.
        why: String,
    },
}

/// Refuses a passphrase that would be guessed. For enrolment; an enrolled one is never refused later.
///
/// # Errors
/// [`WeakPassphrase`].
pub fn check_strength(passphrase: &SecretText) -> Result<(), WeakPassphrase> {
    let text = passphrase.expose();
    if text.len() > BYTES_MAX {
        return Err(WeakPassphrase::TooLong);
    }
    if text.trim().chars().count() < CHARACTERS_MIN {
        return Err(WeakPassphrase::TooShort);
    }
    let estimate = zxcvbn::zxcvbn(text, &["clavitor", "vault"]);
    if estimate.score() >= zxcvbn::Score::Four {
        return Ok(());
    }
    let warning = estimate.feedback().and_then(|feedback| feedback.warning());
    let why = warning.map_or_else(|| "too few guesses would find it".to_owned(), |w| w.to_string());
    let why = why.trim_end_matches('.');
    let mut characters = why.chars();
    let why = characters.next().map(|c| c.to_lowercase().chain(characters).collect()).unwrap_or_default();
    Err(WeakPassphrase::Guessable { why })
}
