//! From bytes to a message and back: the format byte, the caps before reading, the sizes after decoding.

use clavitor_core::limits;
use clavitor_core::order::Seq;
use minicbor::{Decode, Encode};
use thiserror::Error;

use super::bodies::{
    Apply, FORMAT, FORMATS, Hello, LINK_EVENT_BYTES_MAX, LinkEvent, Reply, SMALL_BYTES_MAX, Watch,
};
use super::refusal::Refusal;

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The format byte is not one that this version reads.
    #[error("format {found} is not read here")]
    Format {
        /// What was found.
        found: u8,
    },
    /// Over a limit.
    #[error("a message of {bytes} bytes is over the limit of {max}")]
    TooLarge {
        /// Its size, or that of the records in it.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The bytes do not decode, or contradict themselves.
    #[error("the message is malformed: {0}")]
    Malformed(String),
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Format { .. } => Self::Format { supported: FORMATS },
            DecodeError::TooLarge { max, .. } => Self::TooLarge { max: max as u64 },
            DecodeError::Malformed(_) => Self::Malformed,
        }
    }
}

/// A whole body: something with a cap and a shape of its own.
pub trait Message: Encode<()> + for<'b> Decode<'b, ()> {
    /// The largest body. A server refuses more before it reads it.
    const BYTES_MAX: usize;

    /// What the types cannot say: sizes after decoding, order of the entries.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`], [`DecodeError::Malformed`].
    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}

impl Message for Hello {
    const BYTES_MAX: usize = SMALL_BYTES_MAX;
}

impl Message for Reply {
    const BYTES_MAX: usize = SMALL_BYTES_MAX;
}

impl Message for Watch {
    const BYTES_MAX: usize = LINK_EVENT_BYTES_MAX;
}

impl Message for LinkEvent {
    const BYTES_MAX: usize = LINK_EVENT_BYTES_MAX;
}

impl Message for Apply {
    const BYTES_MAX: usize = limits::MESSAGE_BYTES_MAX;

    fn check(&self) -> Result<(), DecodeError> {
        let mut total = 0usize;
        let mut expected = self.base.seq;
        for entry in &self.entries {
            expected = Seq(expected.0.checked_add(1).ok_or_else(|| malformed("a seq overflows"))?);
            if entry.seq != expected {
                return Err(malformed("the entries are not dense above the base"));
            }
            check_size(entry.record.len(), limits::RECORD_BYTES_MAX)?;
            total += entry.record.len();
        }
        check_size(total, limits::BATCH_BYTES_MAX)?;
        match self.entries.last() {
            Some(last) if last.operation_end => Ok(()),
            Some(_) => Err(malformed("the batch ends inside an operation")),
            None => Err(malformed("the batch is empty")),
        }
    }
}

fn malformed(what: &str) -> DecodeError {
    DecodeError::Malformed(what.to_owned())
}

fn check_size(bytes: usize, max: usize) -> Result<(), DecodeError> {
    if bytes > max { Err(DecodeError::TooLarge { bytes, max }) } else { Ok(()) }
}

/// The body of a message: the format byte, then the fields.
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    let mut body = vec![FORMAT];
    minicbor::encode(message, &mut body).expect("encoding into a Vec cannot fail");
    body
}

/// Reads a body. Fields that a newer version added are ignored.
///
/// # Errors
/// - [`DecodeError::TooLarge`]: over [`Message::BYTES_MAX`], checked before reading, or over a limit once
///   decoded.
/// - [`DecodeError::Format`]: another format byte.
/// - [`DecodeError::Malformed`]: anything else, bytes after the message included.
pub fn decode<M: Message>(body: &[u8]) -> Result<M, DecodeError> {
    check_size(body.len(), M::BYTES_MAX)?;
    let (&found, fields) = body.split_first().ok_or_else(|| malformed("the body is empty"))?;
    if !(FORMATS.oldest..=FORMATS.newest).contains(&found) {
        return Err(DecodeError::Format { found });
    }
    let mut decoder = minicbor::Decoder::new(fields);
    let message: M = decoder.decode().map_err(|error| DecodeError::Malformed(error.to_string()))?;
    if decoder.position() != fields.len() {
        return Err(malformed("bytes after the message"));
    }
    message.check()?;
    Ok(message)
}
