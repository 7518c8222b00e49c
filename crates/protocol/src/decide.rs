//! What a backup's position means for the primary: stream to it, or why not. First match; it sends and
//! stores nothing.
//!
//! Source: the replication design, "Deciding on a POSITION". What needs a snapshot or fetched log rows is
//! decided as far as the facts at hand allow, and otherwise named in the cause together with the way out.

use clavitor_core::order::{Chain, Digest, Epoch, Position, Seq};
use clavitor_core::replica::LineageEntry;

use crate::message::PositionReply;
use crate::rules::Rules;

/// What the primary's own log and records say about an answer; gathered by the shell before the answer is
/// judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The own chain value and digest at each of [`PositionReply::seqs_to_compare`]; `None` where the log
    /// does not know.
    pub mine: Vec<(Seq, Option<(Chain, Digest)>)>,
    /// The epoch of a promotion record that verified, where the answer came with one.
    pub promotion: Option<Epoch>,
    /// Whether log rows above the common point recomputed to the peer's chain under this node's own
    /// signature.
    pub rows_are_mine: bool,
}

impl Evidence {
    /// The own chain value and digest at `seq`. Before the first change both are zero.
    pub fn at(&self, seq: Seq) -> Option<(Chain, Digest)> {
        if seq == Seq::ZERO {
            return Some((Chain::ZERO, Digest::ZERO));
        }
        self.mine.iter().find(|(known, _)| *known == seq).and_then(|(_, point)| *point)
    }
}

impl PositionReply {
    /// Where the primary's own log must be read before this answer is judged, without repetition.
    pub fn seqs_to_compare(&self) -> Vec<Seq> {
        let mut seqs = vec![self.position.seq];
        seqs.extend(self.points.iter().map(|point| point.seq));
        seqs.retain(|seq| *seq != Seq::ZERO);
        seqs.sort_unstable();
        seqs.dedup();
        seqs
    }

    /// The greatest point that both logs share, as far as the points tell.
    pub fn common(&self, evidence: &Evidence) -> Seq {
        let shared = |point: &&crate::message::Point| {
            evidence.at(point.seq).is_some_and(|(chain, _)| chain == point.chain)
        };
        self.points.iter().filter(shared).map(|point| point.seq).max().unwrap_or(Seq::ZERO)
    }
}

/// The primary's side of the comparison.
#[derive(Debug, Clone, Copy)]
pub struct Mine<'a> {
    /// The epoch, which names the history.
    pub epoch: Epoch,
    /// The head.
    pub head: Seq,
    /// Changes at or below it are no longer in the log.
    pub floor: Seq,
    /// Where earlier histories ended.
    pub lineage: &'a [LineageEntry],
    /// What this peer has acknowledged to me.
    pub acked: Seq,
}

/// What follows from a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Its state is in my line: it gets everything above.
    Stream,
    /// A newer epoch is proved: this node is not primary any more.
    Demote {
        /// The newer epoch.
        epoch: Epoch,
    },
    /// A newer epoch is claimed without proof: nothing is sent, nobody steps down.
    Fenced {
        /// The epoch claimed.
        epoch: Epoch,
    },
    /// This node was rewound or forked, and that is proved: it must take no more writes.
    Halt {
        /// What was found and what to do.
        cause: String,
    },
    /// Its copy is not in my line: nothing is sent to it, I go on.
    Diverged {
        /// What was found and what to do.
        cause: String,
    },
}

/// Judges a position.
pub fn decide<R: Rules>(mine: Mine<'_>, theirs: &PositionReply, evidence: &Evidence) -> Decision {
    let at = theirs.position;
    if R::EPOCH_FENCE && theirs.epoch_seen > mine.epoch {
        let epoch = theirs.epoch_seen;
        return if evidence.promotion == Some(epoch) {
            Decision::Demote { epoch }
        } else {
            Decision::Fenced { epoch }
        };
    }
    if !R::CHAIN_CHECK {
        return Decision::Stream;
    }
    if at.seq == Seq::ZERO && at.chain == Chain::ZERO && mine.floor == Seq::ZERO {
        return Decision::Stream;
    }
    let known = evidence.at(at.seq);
    if at.history == mine.epoch && differs(mine, theirs, known) {
        return disagreement(mine, theirs, evidence);
    }
    if at.seq >= mine.floor && is_ours(mine, at, known) {
        return Decision::Stream;
    }
    Decision::Diverged { cause: cause_of_foreign(mine, at, theirs.common(evidence)) }
}

/// Whether a position in my own history contradicts my log: beyond my head, another chain value, or another
/// digest.
fn differs(mine: Mine<'_>, theirs: &PositionReply, known: Option<(Chain, Digest)>) -> bool {
    if theirs.position.seq > mine.head {
        return true;
    }
    known.is_some_and(|(chain, digest)| {
        chain != theirs.position.chain || (theirs.quarantined == 0 && digest != theirs.digest)
    })
}

/// Whether a position lies in my history, or in one of my lineage at or below its end, with my chain value.
fn is_ours(mine: Mine<'_>, at: Position, known: Option<(Chain, Digest)>) -> bool {
    let ended = || mine.lineage.iter().find(|past| past.history == at.history).map(|past| past.upto);
    let upto = if at.history == mine.epoch { Some(mine.head) } else { ended() };
    upto.is_some_and(|upto| at.seq <= upto) && known.is_some_and(|(chain, _)| chain == at.chain)
}

fn disagreement(mine: Mine<'_>, theirs: &PositionReply, evidence: &Evidence) -> Decision {
    let at = theirs.position.seq;
    let common = theirs.common(evidence);
    let acknowledged = common < mine.acked;
    if evidence.rows_are_mine && !acknowledged {
        return Decision::Halt {
            cause: format!(
                "the backup holds changes up to {at} that this node once made and no longer has (common up \
                 to {common}): this node was started from an older copy; it takes no writes. Keep the \
                 backup's folder and bring back the newest copy of this node, or promote the backup"
            ),
        };
    }
    let cause = if at > mine.head {
        format!(
            "the backup stands at {at}, beyond this node's head {}: this node was probably started from an \
             older copy. Keep the backup's folder, it may hold the only copy of those changes. Bring back \
             the newest copy of this node; only if nothing is missed, empty the backup's folder and join \
             anew",
            mine.head
        )
    } else if evidence.at(theirs.position.seq).is_some_and(|(chain, _)| chain == theirs.position.chain) {
        format!(
            "the backup's records differ from this node's at {at} although their logs agree: one of the two \
             copies is damaged. Nothing was overwritten; check both, then empty the backup's folder and \
             join anew"
        )
    } else {
        format!(
            "the backup's log differs from this node's above {common} (it stands at {at}). Nothing was \
             overwritten; keep a copy of its folder if it may hold changes that are missed, then empty the \
             folder and join anew"
        )
    };
    Decision::Diverged { cause }
}

fn cause_of_foreign(mine: Mine<'_>, at: Position, common: Seq) -> String {
    if at.seq < mine.floor {
        return format!(
            "the backup stands at {}, below {}, the oldest change in this node's log. Empty its folder and \
            join anew",
            at.seq, mine.floor
        );
    }
    format!(
        "the backup follows another history ({}, at {}; common up to {common}). Nothing was overwritten; \
         keep a copy of its folder if it may hold changes that are missed, then empty the folder and join \
         anew",
        at.history, at.seq
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{FORMATS, Point, Session};
    use crate::rules::Strict;

    const OLD: Epoch = Epoch { number: 1, nonce: 9 };
    const PRESENT: Epoch = Epoch { number: 2, nonce: 5 };
    const NEXT: Epoch = Epoch { number: 3, nonce: 1 };
    const LINEAGE: &[LineageEntry] = &[LineageEntry { history: OLD, upto: Seq(4), chain: Chain([4; 32]) }];
    const MINE: Mine<'_> =
        Mine { epoch: PRESENT, head: Seq(9), floor: Seq::ZERO, lineage: LINEAGE, acked: Seq(6) };

    fn chain(seq: u8) -> Chain {
        Chain([seq; 32])
    }

    fn evidence() -> Evidence {
        let mine = (1..=9).map(|seq| (Seq(u64::from(seq)), Some((chain(seq), Digest([seq; 32])))));
        Evidence { mine: mine.collect(), ..Evidence::default() }
    }

    fn at(history: Epoch, seq: u8) -> PositionReply {
        PositionReply {
            epoch_seen: PRESENT,
            position: Position { history, seq: Seq(u64::from(seq)), chain: chain(seq) },
            digest: Digest([seq; 32]),
            points: vec![Point { seq: Seq(2), chain: chain(2) }, Point { seq: Seq(8), chain: chain(88) }],
            quarantined: 0,
            session: Session(1),
            formats: FORMATS,
        }
    }

    fn judge(theirs: &PositionReply) -> Decision {
        decide::<Strict>(MINE, theirs, &evidence())
    }

    fn cause(decision: Decision) -> String {
        match decision {
            Decision::Diverged { cause } => cause,
            other => panic!("expected Diverged, got {other:?}"),
        }
    }

    #[test]
    fn my_history_and_my_lineage_stream() {
        for theirs in
            [at(PRESENT, 9), at(PRESENT, 3), at(PRESENT, 0), at(OLD, 4), at(OLD, 1), at(Epoch::NONE, 0)]
        {
            assert_eq!(judge(&theirs), Decision::Stream, "{:?}", theirs.position);
        }
    }

    #[test]
    fn an_epoch_above_mine_needs_its_proof() {
        let mut theirs = at(PRESENT, 9);
        theirs.epoch_seen = NEXT;
        assert_eq!(judge(&theirs), Decision::Fenced { epoch: NEXT });
        let proved = Evidence { promotion: Some(NEXT), ..evidence() };
        assert_eq!(decide::<Strict>(MINE, &theirs, &proved), Decision::Demote { epoch: NEXT });
        let another = Evidence { promotion: Some(OLD), ..evidence() };
        assert_eq!(decide::<Strict>(MINE, &theirs, &another), Decision::Fenced { epoch: NEXT });
    }

    #[test]
    fn beyond_my_head_is_an_older_copy_of_mine() {
        let mut theirs = at(PRESENT, 12);
        theirs.points =
            vec![Point { seq: Seq(8), chain: chain(8) }, Point { seq: Seq(12), chain: chain(12) }];
        assert!(cause(judge(&theirs)).contains("may hold the only copy"));
        let proved = Evidence { rows_are_mine: true, ..evidence() };
        assert!(matches!(decide::<Strict>(MINE, &theirs, &proved), Decision::Halt { .. }));
        theirs.points = vec![Point { seq: Seq(5), chain: chain(5) }];
        let below_acked = decide::<Strict>(MINE, &theirs, &proved);
        assert!(matches!(below_acked, Decision::Diverged { .. }), "it acknowledged 6: the fault is its own");
    }

    #[test]
    fn another_chain_or_digest_is_another_copy() {
        let mut theirs = at(PRESENT, 7);
        theirs.digest = Digest([99; 32]);
        assert!(cause(judge(&theirs)).contains("although their logs agree"));
        theirs.quarantined = 1;
        assert_eq!(judge(&theirs), Decision::Stream, "its digest leaves out what it set aside");
        theirs.position.chain = chain(77);
        assert!(cause(judge(&theirs)).contains("differs from this node's above 2"));
    }

    #[test]
    fn what_is_not_in_my_line_is_not_streamed_to() {
        let other = Epoch { number: 1, nonce: 1 };
        for theirs in [at(OLD, 5), at(other, 3), at(Epoch::NONE, 3)] {
            assert!(cause(judge(&theirs)).contains("another history"), "{:?}", theirs.position);
        }
        let mut torn = at(PRESENT, 0);
        torn.position.chain = chain(1);
        assert!(matches!(judge(&torn), Decision::Diverged { .. }), "nothing has only one chain value");
    }

    #[test]
    fn below_the_floor_there_is_nothing_to_stream_from() {
        let mine = Mine { floor: Seq(5), ..MINE };
        for theirs in [at(PRESENT, 3), at(PRESENT, 0), at(OLD, 2)] {
            let decision = decide::<Strict>(mine, &theirs, &evidence());
            assert!(cause(decision).contains("oldest change"), "{:?}", theirs.position);
        }
        assert_eq!(decide::<Strict>(mine, &at(PRESENT, 5), &evidence()), Decision::Stream);
    }

    #[test]
    fn the_seqs_to_compare_are_the_position_and_its_points() {
        assert_eq!(at(PRESENT, 9).seqs_to_compare(), [Seq(2), Seq(8), Seq(9)]);
        assert_eq!(at(PRESENT, 0).seqs_to_compare(), [Seq(2), Seq(8)]);
        assert_eq!(at(PRESENT, 9).common(&evidence()), Seq(2));
    }
}
