//! Identifiers: 16-byte UUIDv7 values, and the names of POPs. Randomness and clocks come from the caller.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

/// A text that is not the identifier it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a {what}: expected a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct InvalidId {
    /// What was expected, for the sentence.
    pub what: &'static str,
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[cbor(n(0), with = "minicbor::bytes")] [u8; 16]);

        impl $name {
            /// The nil value: no object of this type.
            pub const NIL: Self = Self([0; 16]);

            /// Takes the 16 bytes as they are.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Makes a UUIDv7 from a wall-clock time in milliseconds and ten random bytes.
            pub fn from_parts(unix_ms: u64, random: &[u8; 10]) -> Self {
                Self(*uuid::Builder::from_unix_timestamp_millis(unix_ms, random).into_uuid().as_bytes())
            }

            /// The 16 bytes, as they are stored and hashed.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Uuid::from_bytes(self.0).hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let id = Uuid::try_parse(text).map_err(|_| InvalidId { what: $what })?;
                Ok(Self(*id.as_bytes()))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id_type!(
    /// The id of any record: an entry, an unlocker, a POP.
    RecordId, "record id");
id_type!(
    /// The id of a vault. Records of the node itself carry [`VaultId::NIL`].
    VaultId, "vault id");
id_type!(
    /// The id of a cell: one primary, its backups and their one order of changes.
    CellId, "cell id");
id_type!(
    /// The id under which the operations of one import are known.
    ImportId, "import id");

impl From<VaultId> for RecordId {
    fn from(id: VaultId) -> Self {
        Self::from_bytes(*id.as_bytes())
    }
}

/// The name of a POP, such as `zurich-01`: 1 to 63 of `a-z 0-9 -`, starting and ending with a letter or digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct PopName(#[n(0)] String);

/// A text that cannot name a POP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a POP name: use 1 to 63 of a-z, 0-9 and '-', such as zurich-01")]
pub struct InvalidPopName;

impl PopName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PopName {
    type Err = InvalidPopName;
    fn from_str(text: &str) -> Result<Self, InvalidPopName> {
        let ok = (1..=63).contains(&text.len())
            && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !text.starts_with('-')
            && !text.ends_with('-');
        if ok { Ok(Self(text.to_owned())) } else { Err(InvalidPopName) }
    }
}

impl<'de> Deserialize<'de> for PopName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for PopName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PopName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PopName({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_print() {
        let id = RecordId::from_parts(1_700_000_000_000, &[7; 10]);
        assert_eq!(id.to_string().parse::<RecordId>(), Ok(id));
        assert_eq!(id.to_string().as_bytes()[14], b'7', "version 7");
        assert!("".parse::<RecordId>().is_err());
        assert!(RecordId::from_parts(1, &[0xff; 10]) < RecordId::from_parts(2, &[0; 10]));
    }

    #[test]
    fn pop_names_are_host_labels() {
        for good in ["a", "zurich-01", "0"] {
            assert_eq!(good.parse::<PopName>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", "a-", "Zurich", "a.b", "a/b", &"x".repeat(64)] {
            assert!(bad.parse::<PopName>().is_err(), "{bad}");
        }
    }
}
