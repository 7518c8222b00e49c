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

#[cfg(test)]
mod tests {
    use clavitor_core::order::{Epoch, Seq};

    use super::*;
    use crate::message::{LINK_EVENT_BYTES_MAX, LinkEvent, Refusal};

    #[test]
    fn frames_are_put_together_from_any_pieces() {
        let opened = LinkEvent::Opened { epoch: Epoch { number: 1, nonce: 2 }, head: Seq(300) };
        let refused = LinkEvent::Refused(Refusal::ForeignCell);
        let bytes = [encode(&opened), encode(&refused)].concat();
        for size in 1..=bytes.len() {
            let mut reader = FrameReader::default();
            let mut events = Vec::new();
            for piece in bytes.chunks(size) {
                reader.push(piece);
                while let Some(event) = reader.next_message::<LinkEvent>() {
                    events.push(event.unwrap());
                }
            }
            assert_eq!(events, [opened.clone(), refused.clone()], "pieces of {size}");
        }
    }

    #[test]
    fn a_frame_that_announces_too_much_is_refused_at_once() {
        let mut reader = FrameReader::default();
        reader.push(&u32::MAX.to_be_bytes());
        let refused = reader.next_message::<LinkEvent>().unwrap();
        assert!(matches!(refused, Err(DecodeError::TooLarge { max: LINK_EVENT_BYTES_MAX, .. })));
    }

    #[test]
    fn a_frame_that_does_not_decode_is_an_error() {
        let mut reader = FrameReader::default();
        reader.push(&[0, 0, 0, 2, message::FORMAT, 0xff]);
        assert!(matches!(reader.next_message::<LinkEvent>(), Some(Err(DecodeError::Malformed(_)))));
    }
}
