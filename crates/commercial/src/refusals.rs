//! Refused requests in the audit: each source and reason makes a row at once, then at most one a minute, with a count of
//! those between. A flood therefore costs a bounded number of rows and a bounded table.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use clavitor_core::audit::{Action, Actor, AuditEvent, AuditSealer, Outcome};
use clavitor_core::change::Operation;
use clavitor_core::clock::Clock;
use clavitor_core::ids::{PopName, VaultId};
use clavitor_core::limits;
use clavitor_core::replica::{ReplicaStore, ReplicaWrite};

/// Who was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// A pinned member.
    Pop(PopName, IpAddr),
    /// Somebody without a pin.
    Address(IpAddr),
    /// Everybody beyond what the table holds.
    Many,
}

/// Where refusals go that the table has no room for.
const COMMON: (Source, &str) = (Source::Many, "many-sources");

#[derive(Clone, Copy)]
struct Noted {
    row_at_ms: u64,
    since: u64,
}

/// Notes refusals.
pub(crate) struct Refusals {
    store: Arc<dyn ReplicaStore>,
    audit: Arc<dyn AuditSealer>,
    clock: Arc<dyn Clock>,
    noted: Mutex<HashMap<(Source, &'static str), Noted>>,
}

impl Refusals {
    /// An empty table.
    pub(crate) fn new(
        store: Arc<dyn ReplicaStore>,
        audit: Arc<dyn AuditSealer>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, audit, clock, noted: Mutex::default() }
    }

    /// Notes one refusal: a row now, or one more in the count of the next row. Never waits.
    ///
    /// - `code`: a stable code, never a value from the request.
    pub(crate) fn note(&self, action: Action, source: Source, code: &'static str) {
        let Some((source, before)) = self.due(source, code) else { return };
        let (actor, address) = match source {
            Source::Pop(name, address) => {
                (Actor::Pop { name: Some(name.to_string()) }, Some(address.to_string()))
            }
            Source::Address(address) => (Actor::Pop { name: None }, Some(address.to_string())),
            Source::Many => (Actor::Pop { name: None }, None),
        };
        let detail = if before == 0 { code.to_owned() } else { format!("{code}, and {before} before it") };
        tracing::warn!(address, code, before, "a POP request was refused");
        let event = AuditEvent {
            at_ms: self.clock.now_ms(),
            vault_id: VaultId::NIL,
            actor,
            action,
            outcome: Outcome::Denied,
            record_id: None,
            address,
            request_id: None,
            detail: Some(detail),
        };
        let operation = Operation { audit: vec![self.audit.seal(&event)], ..Operation::default() };
        let done = Box::new(|answer: Result<_, clavitor_core::replica::ApplyError>| {
            if let Err(error) = answer {
                tracing::error!(%error, "a refusal could not be audited");
            }
        });
        self.store.submit(ReplicaWrite::Commit(Box::new(operation)), done);
    }

    /// Whether a row is due, under which source, and how many refusals came since the last one.
    fn due(&self, source: Source, code: &'static str) -> Option<(Source, u64)> {
        let now_ms = self.clock.monotonic_ms();
        let is_old =
            |noted: &Noted| now_ms.saturating_sub(noted.row_at_ms) >= limits::REFUSAL_AUDIT_S * 1_000;
        let mut table = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (source, code);
        if !table.contains_key(&key) && table.len() >= limits::REFUSAL_SOURCES_MAX {
            forget_old(&mut table, is_old);
            if table.len() >= limits::REFUSAL_SOURCES_MAX {
                key = COMMON;
            }
        }
        let noted = table.get_mut(&key);
        let Some(noted) = noted else {
            table.insert(key.clone(), Noted { row_at_ms: now_ms, since: 0 });
            return Some((key.0, 0));
        };
        if !is_old(noted) {
            noted.since += 1;
            return None;
        }
        let before = std::mem::take(&mut noted.since);
        noted.row_at_ms = now_ms;
        Some((key.0, before))
    }
}

/// Forgets what is old; what was counted since goes into the common count.
fn forget_old(table: &mut HashMap<(Source, &'static str), Noted>, is_old: impl Fn(&Noted) -> bool) {
    let mut counted = 0;
    table.retain(|_, noted| {
        let keep = !is_old(noted);
        counted += if keep { 0 } else { noted.since };
        keep
    });
    if counted > 0 {
        table.entry(COMMON).or_insert(Noted { row_at_ms: 0, since: 0 }).since += counted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeStore, FixedClock, PlainSealer};

    fn address(last: u8) -> Source {
        Source::Address(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn a_flood_makes_few_rows_and_keeps_its_count() {
        let (store, clock) = (FakeStore::primary("a"), FixedClock::at(1_000_000));
        let refusals = Refusals::new(store.clone(), Arc::new(PlainSealer), clock.clone());
        for _ in 0..1_000 {
            refusals.note(Action::PopRefused, address(1), "unpinned");
        }
        refusals.note(Action::PopRefused, address(2), "unpinned");
        clock.advance_ms(limits::REFUSAL_AUDIT_S * 1_000);
        refusals.note(Action::PopRefused, address(1), "unpinned");
        let details: Vec<_> = store.audited().into_iter().map(|event| event.detail.unwrap()).collect();
        assert_eq!(details, ["unpinned", "unpinned", "unpinned, and 999 before it"]);
    }

    #[test]
    fn the_table_is_bounded() {
        let (store, clock) = (FakeStore::primary("a"), FixedClock::at(1_000_000));
        let refusals = Refusals::new(store.clone(), Arc::new(PlainSealer), clock);
        for number in 0..10_000_u32 {
            let source = Source::Address(IpAddr::from(number.to_be_bytes()));
            refusals.note(Action::PopRefused, source, "unpinned");
        }
        assert!(refusals.noted.lock().unwrap().len() <= limits::REFUSAL_SOURCES_MAX + 1);
        assert_eq!(store.audited().len(), limits::REFUSAL_SOURCES_MAX + 1);
    }
}
