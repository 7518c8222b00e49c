//! The one order of changes: sequence numbers, epochs, chain values, digests, positions.

use std::fmt;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// The commit order of a cell: dense from 1, unique. 0 is "before the first change".
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct Seq(#[n(0)] pub u64);

impl Seq {
    /// Before the first change.
    pub const ZERO: Self = Self(0);

    /// The sequence number that follows.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// How many changes lie above `acked`, up to this one.
    pub const fn above(self, acked: Self) -> u64 {
        self.0.saturating_sub(acked.0)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The version of one record, from 1, for optimistic concurrency.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct Version(#[n(0)] pub u64);

impl Version {
    /// The version of a record that has just been created.
    pub const FIRST: Self = Self(1);

    /// The version that follows.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who may number changes: the fencing value. Compared as one value, number first; it also names a history.
///
/// Of two promotions with one number the greater nonce wins. Source: the replication design, "State".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
pub struct Epoch {
    /// Rises by one with each promotion.
    #[n(0)]
    pub number: u64,
    /// 64 random bits, so that two promotions with one number differ.
    #[n(1)]
    pub nonce: u64,
}

impl Epoch {
    /// Before any history: what a node holds that has never numbered nor applied a change.
    pub const NONE: Self = Self { number: 0, nonce: 0 };
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.number, self.nonce)
    }
}

impl Serialize for Epoch {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Epoch {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parsed = text.split_once('-').and_then(|(number, nonce)| {
            Some(Self { number: number.parse().ok()?, nonce: u64::from_str_radix(nonce, 16).ok()? })
        });
        parsed.ok_or_else(|| serde::de::Error::custom("an epoch reads <number>-<16 hex digits>"))
    }
}

macro_rules! hash_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

        impl $name {
            /// 32 zero bytes.
            pub const ZERO: Self = Self([0; 32]);
        }

        impl Default for $name {
            fn default() -> Self {
                Self::ZERO
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

hash_type!(
    /// The hash chain over the log at one seq. `chain[0]` is 32 zero bytes;
    /// `chain[n] = SHA-256("clavitor/v1/log" | chain[n-1] | n | SHA-256(record bytes))`, `n` as 8 bytes big-endian.
    Chain);
hash_type!(
    /// The state of all records at one seq: the sum mod 2^256 (big-endian) of `SHA-256(seq | SHA-256(record bytes))`
    /// over every current record and tombstone. It finds faults, not attackers.
    Digest);
hash_type!(
    /// SHA-256 over a DER SubjectPublicKeyInfo: what a pin is compared with.
    Fingerprint);

impl Digest {
    /// Adds a term: a record that is now part of the state.
    #[must_use]
    pub fn plus(self, term: &[u8; 32]) -> Self {
        let mut sum = [0; 32];
        let mut carry = 0u16;
        for i in (0..32).rev() {
            let [high, low] = (u16::from(self.0[i]) + u16::from(term[i]) + carry).to_be_bytes();
            sum[i] = low;
            carry = u16::from(high);
        }
        Self(sum)
    }

    /// Takes a term away: a record that has been replaced.
    #[must_use]
    pub fn minus(self, term: &[u8; 32]) -> Self {
        let mut negated = [0; 32];
        for i in 0..32 {
            negated[i] = !term[i];
        }
        let mut one = [0; 32];
        one[31] = 1;
        self.plus(&negated).plus(&one)
    }
}

/// Names exactly one state: whose numbering, how far, and the chain value there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Encode, Decode)]
pub struct Position {
    /// Who numbered these changes.
    #[n(0)]
    pub history: Epoch,
    /// The last change that it covers.
    #[n(1)]
    pub seq: Seq,
    /// The chain value at `seq`.
    #[n(2)]
    pub chain: Chain,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_minus_undoes_plus() {
        let (a, b) = ([0xff; 32], [0x37; 32]);
        let both = Digest::ZERO.plus(&a).plus(&b);
        assert_eq!(both.minus(&a), Digest(b));
        assert_eq!(both.minus(&b).minus(&a), Digest::ZERO);
        assert_eq!(Digest::ZERO.plus(&a).plus(&b), Digest::ZERO.plus(&b).plus(&a));
        assert_eq!(Digest::ZERO.minus(&a).plus(&a), Digest::ZERO);
    }

    #[test]
    fn an_epoch_compares_number_first() {
        let low = Epoch { number: 1, nonce: u64::MAX };
        let high = Epoch { number: 2, nonce: 0 };
        assert!(low < high);
    }
}
