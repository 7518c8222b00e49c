//! Rule sets with one rule left out. A simulation under one of them must find a violation, or it proves
//! nothing.

use clavitor_protocol::rules::{Rules, Strict};

use crate::run::{Outcome, run};

macro_rules! ablations {
    ($($variant:ident, $name:literal, $rule:ident;)*) => {
        /// A safety rule that can be left out.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Ablation {
            $(#[doc = concat!("Without `Rules::", stringify!($rule), "`.")] $variant,)*
        }

        $(
            #[derive(Debug, Clone, Copy, Default)]
            struct $variant;
            impl Rules for $variant {
                const $rule: bool = false;
            }
        )*

        impl Ablation {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name on the command line.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        /// Runs one seed, under all rules or without one.
        pub fn run_seed(seed: u64, without: Option<Ablation>, with_trace: bool) -> Outcome {
            match without {
                None => run::<Strict>(seed, with_trace),
                $(Some(Ablation::$variant) => run::<$variant>(seed, with_trace),)*
            }
        }
    };
}

ablations! {
    Cursor, "cursor", CURSOR;
    Tombstones, "tombstones", TOMBSTONES;
    ChainCheck, "chain", CHAIN_CHECK;
    BatchCap, "batch-cap", BATCH_CAP;
    WholeOperations, "whole-operations", WHOLE_OPERATIONS;
    Sessions, "sessions", SESSIONS;
    EpochFence, "epoch-fence", EPOCH_FENCE;
    Rehello, "rehello", REHELLO;
    PersistBeforeAck, "persist-before-ack", PERSIST_BEFORE_ACK;
    LevelTriggered, "level-triggered", LEVEL_TRIGGERED;
    DisconnectedHello, "disconnected-hello", DISCONNECTED_HELLO;
}

impl std::str::FromStr for Ablation {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = || Self::ALL.iter().map(|ablation| ablation.name()).collect::<Vec<_>>().join(", ");
        Self::ALL
            .iter()
            .copied()
            .find(|a| a.name() == name)
            .ok_or_else(|| format!("not a rule; one of {}", known()))
    }
}
