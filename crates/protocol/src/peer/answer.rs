//! What a backup's answers do to its machine: positions, acknowledgements, refusals. Timers and rounds are
//! in `machine`.

use clavitor_core::alerts::AlertKind;
use clavitor_core::order::{Epoch, Position, Seq};

use super::event::{Effect, Now};
use super::state::{Peer, Sent, State};
use crate::decide::{Decision, Evidence, Mine, decide};
use crate::message::{Ack, FORMAT, FormatRange, PositionReply, Refusal, Reply};
use crate::rules::Rules;

impl<R: Rules> Peer<R> {
    /// Judges the answer to the request that is under way.
    pub(super) fn on_reply(&mut self, reply: Reply, evidence: &Evidence, now: Now, out: &mut Vec<Effect>) {
        self.last_ok_at_ms = Some(now.wall_ms);
        match (self.state.clone(), reply) {
            (State::Handshake { .. }, Reply::Position(_)) if self.rehello => self.greet(now, out),
            (State::Handshake { .. }, Reply::Position(theirs)) => {
                self.on_position(&theirs, evidence, now, out);
            }
            (State::Sending { sent: Some(sent), .. }, Reply::Ack(ack)) => self.on_ack(sent, &ack, now, out),
            (_, Reply::Refused(refusal)) => self.on_refused(refusal, evidence, now, out),
            _ => self.failed("the backup answered something else than was asked", now, out),
        }
    }

    fn on_position(&mut self, theirs: &PositionReply, evidence: &Evidence, now: Now, out: &mut Vec<Effect>) {
        let Some(view) = &self.view else { return };
        if !(theirs.formats.oldest..=theirs.formats.newest).contains(&FORMAT) {
            self.stop_for_format(theirs.formats, now, out);
            return;
        }
        let mine = Mine {
            epoch: view.epoch,
            head: view.head,
            floor: view.floor,
            lineage: &view.lineage,
            acked: self.acked.seq,
        };
        match decide::<R>(mine, theirs, evidence) {
            Decision::Stream => {
                self.note_quarantined(theirs.quarantined, out);
                self.accept(theirs, evidence, now, out);
            }
            Decision::Demote { epoch } => {
                self.stop(State::Stopped, out);
                out.push(Effect::Demote { epoch });
            }
            Decision::Fenced { epoch } => self.stop_fenced(epoch, now, out),
            Decision::Halt { cause } => {
                out.push(Effect::Halt { cause: cause.clone() });
                self.stop_diverged(cause, now, out);
            }
            Decision::Diverged { cause } => {
                let own = evidence.at(theirs.position.seq);
                if own.is_some_and(|(chain, _)| chain == theirs.position.chain) {
                    self.digest_equal = Some(false);
                }
                self.stop_diverged(cause, now, out);
            }
        }
    }

    /// The backup stands in our line: that is its cursor, whatever we believed before.
    fn accept(&mut self, theirs: &PositionReply, evidence: &Evidence, now: Now, out: &mut Vec<Effect>) {
        self.confirmed = true;
        self.session = Some(theirs.session);
        self.recover(AlertKind::Diverged, out);
        self.recover(AlertKind::Fenced, out);
        self.recover(AlertKind::FormatUnknown, out);
        self.set_acked(theirs.position, now, out);
        if theirs.position.seq == self.head() && theirs.quarantined == 0 {
            let own = evidence.at(theirs.position.seq);
            self.digest_equal = own.map(|(_, digest)| digest == theirs.digest);
        }
        self.proceed(now, out);
    }

    fn on_ack(&mut self, sent: Sent, ack: &Ack, now: Now, out: &mut Vec<Effect>) {
        if ack.position.seq != sent.end.seq {
            self.regreet("the backup acknowledged another change than was sent", now, out);
            return;
        }
        if R::CHAIN_CHECK && ack.position.chain != sent.end.chain {
            self.stop_diverged(
                format!(
                    "the backup's log differs from this node's after the batch up to {}, although it agreed \
                     before: its copy is damaged. Empty its folder and join anew",
                    sent.end.seq
                ),
                now,
                out,
            );
            return;
        }
        self.note_quarantined(ack.quarantined, out);
        self.batches_total += 1;
        self.records_total += sent.records;
        let seq = if R::CURSOR { sent.end.seq } else { self.head() };
        self.set_acked(Position { seq, ..ack.position }, now, out);
        self.succeeded(out);
        if sent.at_head && ack.quarantined == 0 {
            let equal = !ack.mismatch && ack.digest.is_none_or(|digest| digest == sent.digest);
            self.digest_equal = Some(equal);
            if !equal && R::CHAIN_CHECK {
                self.stop_diverged(
                    format!(
                        "the backup's records differ from this node's at {} although their logs agree: one \
                         of the two copies is damaged. Check both, then empty the backup's folder and join \
                         anew",
                        sent.end.seq
                    ),
                    now,
                    out,
                );
                return;
            }
        }
        self.proceed(now, out);
    }

    fn on_refused(&mut self, refusal: Refusal, evidence: &Evidence, now: Now, out: &mut Vec<Effect>) {
        if self.rehello && matches!(refusal, Refusal::Session | Refusal::Gap { .. } | Refusal::Busy { .. }) {
            self.greet(now, out);
            return;
        }
        match refusal {
            Refusal::Session | Refusal::Gap { .. } => self.regreet(&refusal.to_string(), now, out),
            Refusal::Busy { after_ms } => self.busy(after_ms, now, out),
            Refusal::Fork { at } => self.on_fork(at, now, out),
            Refusal::Format { supported } => self.stop_for_format(supported, now, out),
            Refusal::Fenced { epoch_seen } => match evidence.promotion {
                Some(epoch) if epoch == epoch_seen && self.is_newer(epoch) => {
                    self.stop(State::Stopped, out);
                    out.push(Effect::Demote { epoch });
                }
                _ if self.is_newer(epoch_seen) => self.stop_fenced(epoch_seen, now, out),
                _ => self.failed(&format!("the backup refused: {refusal}"), now, out),
            },
            Refusal::Damaged { at } => self.stop_diverged(
                format!(
                    "the backup finds its own log damaged at {at}. This node's copy is not affected; empty \
                     the backup's folder and join anew"
                ),
                now,
                out,
            ),
            Refusal::NotPrimary { .. }
            | Refusal::TooLarge { .. }
            | Refusal::ForeignCell
            | Refusal::Malformed
            | Refusal::Unwritable => self.failed(&format!("the backup refused: {refusal}"), now, out),
        }
    }

    fn on_fork(&mut self, at: Seq, now: Now, out: &mut Vec<Effect>) {
        if self.regreeted {
            self.stop_diverged(
                format!(
                    "the backup's log differs from this node's at {at}. Nothing was overwritten; keep a \
                     copy of its folder if it may hold changes that are missed, then empty the folder and \
                     join anew"
                ),
                now,
                out,
            );
        } else {
            self.regreet("the backup's log differs", now, out);
        }
    }

    fn is_newer(&self, epoch: Epoch) -> bool {
        self.view.as_ref().is_some_and(|view| epoch > view.epoch)
    }

    fn note_quarantined(&mut self, quarantined: u64, out: &mut Vec<Effect>) {
        self.quarantined = quarantined;
        if quarantined == 0 {
            self.recover(AlertKind::Quarantined, out);
            return;
        }
        let text = format!(
            "the backup {} has set {quarantined} records aside that it could not take; everything else goes \
             on, and nothing of them is lost there. Look at its log for the reason",
            self.pop
        );
        self.raise(AlertKind::Quarantined, text, out);
    }

    fn stop_diverged(&mut self, cause: String, now: Now, out: &mut Vec<Effect>) {
        self.stick(State::Diverged, AlertKind::Diverged, cause, now, out);
    }

    fn stop_fenced(&mut self, epoch: Epoch, now: Now, out: &mut Vec<Effect>) {
        let cause = format!(
            "the backup has seen epoch {epoch}, of which this node knows nothing. Nothing is sent to it, \
             and this node goes on; find out which node was promoted before you write on"
        );
        self.stick(State::Fenced, AlertKind::Fenced, cause, now, out);
    }

    fn stop_for_format(&mut self, supported: FormatRange, now: Now, out: &mut Vec<Effect>) {
        let cause = format!(
            "the backup reads formats {} to {}, this node writes {FORMAT}. Changes are kept; upgrade the \
             backup, its restart resumes it",
            supported.oldest, supported.newest
        );
        self.stick(State::Format, AlertKind::FormatUnknown, cause, now, out);
    }

    /// Stops sending, without a timer: the way out is the backup's next link, or the operator. A link that
    /// opened meanwhile is that way out already.
    fn stick(&mut self, state: State, kind: AlertKind, cause: String, now: Now, out: &mut Vec<Effect>) {
        self.confirmed = false;
        if self.rehello {
            self.greet(now, out);
            return;
        }
        self.session = None;
        self.state = state;
        let text = format!("backup {}: {cause}", self.pop);
        self.cause = Some(cause);
        self.raise(kind, text, out);
    }
}
