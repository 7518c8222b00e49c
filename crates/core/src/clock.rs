//! The port through which time is read. Only its implementations touch the system's clocks.

/// Two clocks: one for people and expiry, one for durations.
pub trait Clock: Send + Sync + 'static {
    /// Wall-clock time in milliseconds since 1970. It may jump; nothing is ordered by it.
    fn now_ms(&self) -> u64;

    /// Milliseconds since an arbitrary start; never falls.
    fn monotonic_ms(&self) -> u64;
}
