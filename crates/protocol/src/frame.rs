//! Messages on the live link: a length of 4 bytes, big-endian, then a body. It never reads a socket.

use crate::message::{self, DecodeError, Message};

/// One message as it is written to the link.
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    let body = message::encode(message);
    let length = u32::try_from(body.len()).expect("a body is far below 4 GiB");
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend_from_slice(&body);
    frame
}

/// Puts frames together from pieces as they arrive. Holds at most one frame and the piece last pushed.
#[derive(Debug, Default)]
pub struct FrameReader {
    pending: Vec<u8>,
}

impl FrameReader {
    /// Takes what arrived.
    pub fn push(&mut self, piece: &[u8]) {
        self.pending.extend_from_slice(piece);
    }

    /// The next whole message, `None` when more bytes are needed. Call it until `None` after each push.
    ///
    /// # Errors
    /// As [`message::decode`]; the link is unusable afterwards and must be closed. A frame announced as too
    /// large is refused before its bytes are waited for.
    pub fn next_message<M: Message>(&mut self) -> Option<Result<M, DecodeError>> {
        let (length, rest) = self.pending.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > M::BYTES_MAX {
            return Some(Err(DecodeError::TooLarge { bytes: length, max: M::BYTES_MAX }));
        }
        let decoded = message::decode(rest.get(..length)?);
        self.pending.drain(..4 + length);
        Some(decoded)
    }
}
