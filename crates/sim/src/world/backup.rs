//! A backup: judges what arrives, applies it, answers. The shell around the receiver.

use std::rc::Rc;

use clavitor_core::order::Seq;
use clavitor_protocol::message::{self, Apply, DecodeError, Hello, Refusal, Reply, Session};
use clavitor_protocol::receiver::Submission;
use clavitor_protocol::rules::Rules;

use super::coverage::Situation;
use super::step::{Content, Life, Packet, Step};
use super::turn::World;

impl<R: Rules> World<R> {
    /// A request reaches a backup that runs.
    pub(super) fn asked(&mut self, packet: &Rc<Packet>) {
        let verdict = match packet.content {
            Content::Hello => message::decode(&packet.body).map(|hello| self.greeted(packet, &hello)),
            Content::Apply => message::decode(&packet.body).map(|apply| self.offered(packet, apply)),
            Content::Reply => Err(DecodeError::Malformed("a reply is no request".to_owned())),
        };
        let refusal = match verdict {
            Ok(Ok(())) => return,
            Ok(Err(refusal)) => refusal,
            Err(error) => Refusal::from(error),
        };
        match refusal {
            Refusal::Session => self.coverage.note(Situation::OldSession),
            Refusal::Busy { .. } => self.coverage.note(Situation::Busy),
            _ => {}
        }
        self.reply(packet, &Reply::Refused(refusal));
    }

    fn greeted(&mut self, packet: &Rc<Packet>, hello: &Hello) -> Result<(), Refusal> {
        let node = &mut self.nodes[packet.target.backup + 1];
        let seqs = node.receiver.hello(&node.store.node(), hello)?;
        let life = node.life;
        self.after(0, 2, Step::TellPosition { life, packet: Rc::clone(packet), seqs });
        Ok(())
    }

    fn offered(&mut self, packet: &Rc<Packet>, apply: Apply) -> Result<(), Refusal> {
        let node = &mut self.nodes[packet.target.backup + 1];
        let submission = node.receiver.apply(&node.store.node(), apply)?;
        let life = node.life;
        if !R::PERSIST_BEFORE_ACK {
            let mut imagined = node.store.clone();
            let outcome = imagined.apply::<R>(&submission.batch);
            let reply = node.receiver.applied(&imagined.node(), submission.asked, outcome);
            self.reply(packet, &reply);
        }
        self.after(1, 6, Step::Apply { life, packet: Rc::clone(packet), submission: Rc::new(submission) });
        Ok(())
    }

    /// The greeting's answer, once the chain values are read.
    pub(super) fn tell_position(&mut self, life: Life, packet: &Rc<Packet>, seqs: &[Seq]) {
        if !self.lives(life) {
            return;
        }
        let session = Session(self.random.next());
        let node = &mut self.nodes[life.node];
        let points = node.store.points(seqs);
        let reply = node.receiver.position(&node.store.node(), &points, 0, session);
        self.reply(packet, &reply);
    }

    /// The transaction of a batch.
    pub(super) fn apply(&mut self, life: Life, packet: &Rc<Packet>, submission: &Submission) {
        if !self.lives(life) {
            return;
        }
        let node = &mut self.nodes[life.node];
        let epoch_seen = node.store.epoch_seen;
        let outcome = node.store.apply::<R>(&submission.batch);
        if outcome.is_ok() {
            self.seen.below_fence |= submission.batch.epoch < epoch_seen;
            self.truth.has(life.node - 1, node.store.position());
        }
        if R::PERSIST_BEFORE_ACK {
            let reply = node.receiver.applied(&node.store.node(), submission.asked, outcome);
            self.reply(packet, &reply);
        }
    }

    fn reply(&mut self, packet: &Packet, reply: &Reply) {
        let life = self.nodes[packet.target.backup + 1].life;
        let body = message::encode(reply).into();
        let packet = Rc::new(Packet { target: packet.target, id: packet.id, content: Content::Reply, body });
        self.after(0, 2, Step::Transmit { life, packet });
    }
}
