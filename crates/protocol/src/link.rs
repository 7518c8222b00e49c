//! The backup's machine for its live link: keep one long request open at a primary, tell the operator when
//! it is gone for too long. Pure, in the style of [`crate::peer`]; an open link costs no timer.

use clavitor_core::alerts::{Alert, AlertKind};
use clavitor_core::ids::PopName;
use clavitor_core::limits;

use crate::delay::{self, Delay};

/// A machine has at most one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LinkTimer {
    /// The next try to open the link.
    Retry,
    /// The link has been gone for too long.
    Alert,
}

/// Names one try, so that news of an older one is recognised and dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt(pub u64);

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkInput {
    /// The node has started as a backup.
    Started,
    /// The primary has answered the first event of the link.
    Opened(Attempt),
    /// The link could not be opened, was refused, or has ended.
    Lost {
        /// Which try.
        attempt: Attempt,
        /// Why, in a phrase for the operator, without secrets.
        cause: String,
    },
    /// A timer has run out.
    TimerFired(LinkTimer),
    /// The operator ends the wait.
    OperatorWake,
    /// The node stops, or is no backup any more.
    Shutdown,
}

/// What the shell must do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEffect {
    /// Close what is left of an older link, open one to this member, and report it under this try.
    Open {
        /// To be repeated in the reports.
        attempt: Attempt,
        /// The member.
        pop: PopName,
    },
    /// Close the link.
    Close,
    /// Arm this timer, in place of an armed one of the same name.
    ArmTimer {
        /// Which.
        timer: LinkTimer,
        /// For how long.
        delay: Delay,
    },
    /// Disarm this timer.
    CancelTimer(LinkTimer),
    /// Tell the operator.
    Alert(Alert),
    /// What was told is well again.
    Recovered {
        /// About what.
        kind: AlertKind,
        /// Which POP.
        subject: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Stopped,
    Opening,
    Open,
    Waiting,
}

/// The machine. `members` are tried in turn; today that is the primary that the backup joined.
#[derive(Debug, Clone)]
pub struct Link {
    members: Vec<PopName>,
    state: State,
    attempt: Attempt,
    turn: usize,
    alert_armed: bool,
    alerted: bool,
    cause: Option<String>,
}

impl Link {
    /// A machine that has not started. `members`: at least one.
    ///
    /// # Panics
    /// Without any member: a backup has a primary.
    pub fn new(members: Vec<PopName>) -> Self {
        assert!(!members.is_empty(), "a backup has a primary to watch");
        Self {
            members,
            state: State::Stopped,
            attempt: Attempt(0),
            turn: 0,
            alert_armed: false,
            alerted: false,
            cause: None,
        }
    }

    /// Whether the link is open.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Why it is not open.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// How many timers are armed.
    pub fn timers_armed(&self) -> u32 {
        u32::from(self.state == State::Waiting) + u32::from(self.alert_armed)
    }

    /// Takes one event and says what the shell must do, in this order.
    pub fn step(&mut self, input: LinkInput) -> Vec<LinkEffect> {
        let mut out = Vec::new();
        match input {
            LinkInput::Started if self.state == State::Stopped => {
                self.arm_alert(&mut out);
                self.open(&mut out);
            }
            LinkInput::Opened(attempt) if attempt == self.attempt && self.state == State::Opening => {
                self.opened(&mut out);
            }
            LinkInput::Lost { attempt, cause } if attempt == self.attempt => self.lost(cause, &mut out),
            LinkInput::TimerFired(LinkTimer::Retry) if self.state == State::Waiting => self.open(&mut out),
            LinkInput::TimerFired(LinkTimer::Alert) if self.alert_armed => self.alert(&mut out),
            LinkInput::OperatorWake if self.state == State::Waiting => {
                out.push(LinkEffect::CancelTimer(LinkTimer::Retry));
                self.open(&mut out);
            }
            LinkInput::Shutdown => self.stop(&mut out),
            _ => {}
        }
        out
    }

    fn open(&mut self, out: &mut Vec<LinkEffect>) {
        self.attempt.0 += 1;
        self.state = State::Opening;
        let pop = self.members[self.turn % self.members.len()].clone();
        out.push(LinkEffect::Open { attempt: self.attempt, pop });
    }

    fn opened(&mut self, out: &mut Vec<LinkEffect>) {
        self.state = State::Open;
        self.cause = None;
        self.cancel_alert(out);
        if std::mem::take(&mut self.alerted) {
            out.push(LinkEffect::Recovered { kind: AlertKind::PrimaryUnreachable, subject: self.subject() });
        }
    }

    fn lost(&mut self, cause: String, out: &mut Vec<LinkEffect>) {
        if !matches!(self.state, State::Opening | State::Open) {
            return;
        }
        if self.state == State::Opening {
            self.turn = self.turn.wrapping_add(1);
        }
        self.cause = Some(cause);
        self.state = State::Waiting;
        self.arm_alert(out);
        out.push(LinkEffect::ArmTimer { timer: LinkTimer::Retry, delay: delay::LINK_RETRY });
    }

    fn alert(&mut self, out: &mut Vec<LinkEffect>) {
        self.alert_armed = false;
        self.alerted = true;
        let text = format!(
            "no link to the primary for {} s ({}). This node goes on answering reads from its copy, which \
             may be old; look whether the primary runs and can be reached",
            limits::LINK_ALERT_S,
            self.cause.as_deref().unwrap_or("no answer")
        );
        out.push(LinkEffect::Alert(Alert {
            kind: AlertKind::PrimaryUnreachable,
            subject: self.subject(),
            text,
        }));
    }

    fn stop(&mut self, out: &mut Vec<LinkEffect>) {
        if self.state == State::Stopped {
            return;
        }
        if self.state == State::Waiting {
            out.push(LinkEffect::CancelTimer(LinkTimer::Retry));
        } else {
            out.push(LinkEffect::Close);
        }
        self.cancel_alert(out);
        self.state = State::Stopped;
    }

    fn subject(&self) -> String {
        self.members[0].to_string()
    }

    fn arm_alert(&mut self, out: &mut Vec<LinkEffect>) {
        if !self.alert_armed && !self.alerted {
            self.alert_armed = true;
            out.push(LinkEffect::ArmTimer { timer: LinkTimer::Alert, delay: delay::LINK_ALERT });
        }
    }

    fn cancel_alert(&mut self, out: &mut Vec<LinkEffect>) {
        if std::mem::take(&mut self.alert_armed) {
            out.push(LinkEffect::CancelTimer(LinkTimer::Alert));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link {
        Link::new(vec!["primary".parse().unwrap(), "second".parse().unwrap()])
    }

    fn opens(effects: &[LinkEffect]) -> Option<(u64, String)> {
        effects.iter().find_map(|effect| match effect {
            LinkEffect::Open { attempt, pop } => Some((attempt.0, pop.to_string())),
            _ => None,
        })
    }

    fn lost(attempt: u64) -> LinkInput {
        LinkInput::Lost { attempt: Attempt(attempt), cause: "gone".to_owned() }
    }

    #[test]
    fn an_open_link_costs_no_timer() {
        let mut link = link();
        assert_eq!(opens(&link.step(LinkInput::Started)), Some((1, "primary".to_owned())));
        let effects = link.step(LinkInput::Opened(Attempt(1)));
        assert_eq!(effects, [LinkEffect::CancelTimer(LinkTimer::Alert)]);
        assert!(link.is_open() && link.timers_armed() == 0 && link.cause().is_none());
    }

    #[test]
    fn a_lost_link_is_tried_again_with_full_jitter_at_the_same_member_first() {
        let mut link = link();
        link.step(LinkInput::Started);
        link.step(LinkInput::Opened(Attempt(1)));
        let effects = link.step(lost(1));
        let retry = LinkEffect::ArmTimer { timer: LinkTimer::Retry, delay: delay::LINK_RETRY };
        assert_eq!(
            effects,
            [LinkEffect::ArmTimer { timer: LinkTimer::Alert, delay: delay::LINK_ALERT }, retry]
        );
        assert_eq!((delay::LINK_RETRY.min_ms, delay::LINK_RETRY.max_ms), (1_000, 30_000));
        let tried = link.step(LinkInput::TimerFired(LinkTimer::Retry));
        assert_eq!(opens(&tried), Some((2, "primary".to_owned())));
        link.step(lost(2));
        let tried = link.step(LinkInput::OperatorWake);
        assert_eq!(opens(&tried), Some((3, "second".to_owned())), "members are tried in turn");
    }

    #[test]
    fn the_operator_is_told_once_and_told_again_that_it_is_well() {
        let mut link = link();
        link.step(LinkInput::Started);
        link.step(lost(1));
        let effects = link.step(LinkInput::TimerFired(LinkTimer::Alert));
        assert!(
            matches!(&effects[..], [LinkEffect::Alert(alert)] if alert.kind == AlertKind::PrimaryUnreachable)
        );
        for attempt in 2..6 {
            link.step(LinkInput::TimerFired(LinkTimer::Retry));
            let effects = link.step(lost(attempt));
            assert_eq!(effects.len(), 1, "only the next try is armed: {effects:?}");
        }
        link.step(LinkInput::TimerFired(LinkTimer::Retry));
        let effects = link.step(LinkInput::Opened(Attempt(6)));
        assert!(matches!(&effects[..], [LinkEffect::Recovered { .. }]), "{effects:?}");
        assert_eq!(link.timers_armed(), 0);
    }

    #[test]
    fn news_of_an_older_try_is_no_news() {
        let mut link = link();
        link.step(LinkInput::Started);
        link.step(lost(1));
        link.step(LinkInput::TimerFired(LinkTimer::Retry));
        for stale in [LinkInput::Opened(Attempt(1)), lost(1), LinkInput::TimerFired(LinkTimer::Retry)] {
            assert!(link.step(stale).is_empty());
        }
        link.step(LinkInput::Opened(Attempt(2)));
        assert!(link.step(lost(1)).is_empty() && link.is_open());
        assert!(link.step(LinkInput::Started).is_empty(), "it has started already");
    }

    #[test]
    fn a_shutdown_leaves_nothing_behind() {
        let mut link = link();
        assert!(link.step(LinkInput::Shutdown).is_empty());
        link.step(LinkInput::Started);
        assert!(link.step(LinkInput::Shutdown).contains(&LinkEffect::Close));
        assert_eq!(link.timers_armed(), 0);
        link.step(LinkInput::Started);
        link.step(lost(2));
        assert!(link.step(LinkInput::Shutdown).contains(&LinkEffect::CancelTimer(LinkTimer::Retry)));
        assert_eq!(link.timers_armed(), 0);
        assert!(link.step(LinkInput::TimerFired(LinkTimer::Retry)).is_empty());
    }
}
