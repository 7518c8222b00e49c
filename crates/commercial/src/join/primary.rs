//! The primary's side of a join: reads, judges, pins in one transaction, and only then hands over the keyring.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use clavitor_core::alerts::{Alert, AlertKind};
use clavitor_core::audit::{Action, Actor, SealedAudit};
use clavitor_core::change::{Change, Committed, Content, Expect, Guard, LocalChange, Operation, WriteError};
use clavitor_core::ids::{PopName, VaultId};
use clavitor_core::kind::Kind;
use clavitor_core::limits;
use clavitor_core::member::Member;
use clavitor_core::replica::Role;
use http::{StatusCode, header};
use tokio::sync::OwnedSemaphorePermit;

use super::invitation::{Applicant, OpenInvitation, local_key};
use super::judge::{Verdict, judge};
use super::message::{self, JoinAnswer, JoinRefusal, JoinRequest, Welcome};
use super::proof::{self, Transcript};
use crate::config::pop_url;
use crate::members::{MemberView, name_lookup};
use crate::node::Node;
use crate::refusals::Source;
use crate::store_calls;
use crate::tls::{ChannelBinding, PeerKey};
use crate::transport::CBOR;
use crate::transport::body::read_capped;
use crate::transport::listener::RemoteAddress;

/// `POST /pop/join`: open to any key, one at a time, small and short.
pub(crate) async fn join(
    State(node): State<Arc<Node>>,
    Extension(peer): Extension<PeerKey>,
    Extension(channel): Extension<ChannelBinding>,
    Extension(RemoteAddress(address)): Extension<RemoteAddress>,
    request: Request,
) -> Response {
    let limit = Duration::from_secs(limits::JOIN_TIMEOUT_S);
    let (parts, body) = request.into_parts();
    let judged = tokio::time::timeout(limit, async {
        let bytes = read_capped(&parts.headers, body, limits::JOIN_BODY_BYTES_MAX).await?;
        let Some(request) = message::decode_request(&bytes) else {
            return Ok(JoinAnswer::Refused(JoinRefusal::Malformed));
        };
        let Ok(turn) = Arc::clone(&node.joining).try_acquire_owned() else {
            return Ok(JoinAnswer::Refused(JoinRefusal::Busy));
        };
        let turn = Arc::new(turn);
        let joining = Joining { node: &node, peer: &peer, address: address.to_string(), request, turn };
        Ok::<_, StatusCode>(joining.judge(&channel).await.unwrap_or_else(JoinAnswer::Refused))
    });
    let judged = judged.await.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT));
    let code = match &judged {
        Ok(JoinAnswer::Refused(refusal)) => Some(refusal.code()),
        Ok(_) => None,
        Err(StatusCode::PAYLOAD_TOO_LARGE) => Some("join-too-large"),
        Err(_) => Some("join-malformed"),
    };
    if let Some(code) = code {
        node.common.refusals.note(Action::PopRefused, Source::Address(address), code);
    }
    judged.map_or_else(|status| status.into_response(), |judged| answer(&judged))
}

fn answer(answer: &JoinAnswer) -> Response {
    let status = match answer {
        JoinAnswer::Accepted(_) => StatusCode::OK,
        JoinAnswer::Pending => StatusCode::ACCEPTED,
        JoinAnswer::Refused(JoinRefusal::Busy | JoinRefusal::Failed) => StatusCode::SERVICE_UNAVAILABLE,
        JoinAnswer::Refused(JoinRefusal::Malformed) => StatusCode::BAD_REQUEST,
        JoinAnswer::Refused(_) => StatusCode::FORBIDDEN,
    };
    (status, [(header::CONTENT_TYPE, CBOR)], message::encode(answer)).into_response()
}

/// One request to join.
struct Joining<'a> {
    node: &'a Node,
    peer: &'a PeerKey,
    address: String,
    request: JoinRequest,
    /// Kept until the writer has answered, also when the joiner is gone by then.
    turn: Arc<OwnedSemaphorePermit>,
}

impl Joining<'_> {
    async fn judge(&self, channel: &ChannelBinding) -> Result<JoinAnswer, JoinRefusal> {
        let common = &self.node.common;
        let state = common.store.node();
        if state.role != Role::Primary {
            return Err(JoinRefusal::NotPrimary);
        }
        let key = local_key(&self.request.pop);
        let kept = store_calls::read(&common.store, move |store| store.local(&key)).await;
        let kept = kept.map_err(|_| JoinRefusal::Failed)?.ok_or(JoinRefusal::Refused)?;
        let invitation = OpenInvitation::from_bytes(&kept).ok_or(JoinRefusal::Failed)?;
        let own_key = common.identity.fingerprint();
        let transcript =
            proof::transcript(state.cell, own_key, self.peer.fingerprint, channel, &self.request);
        let proved = proof::is_proved(&invitation.proof_key, &transcript, &self.request.proof)
            && proof::is_signed(self.peer, &transcript, &self.request.signature);
        match judge(&invitation, self.peer.fingerprint, proved, common.clock.now_ms()) {
            Verdict::Admit => {
                self.pin(&kept, &invitation).await?;
                self.welcome(self.members().await?.as_ref(), &transcript, &invitation)
            }
            Verdict::Repeat => {
                let view = self.members().await?;
                let answer = self.welcome(&view, &transcript, &invitation)?;
                self.note_repeat(&kept).await?;
                Ok(answer)
            }
            Verdict::Hold => self.hold(&kept, invitation).await,
            Verdict::WrongProof => self.count_wrong_proof(&kept, invitation).await,
            Verdict::Refuse(refusal) => {
                if matches!(refusal, JoinRefusal::WrongKey | JoinRefusal::OtherPending) {
                    self.alert(
                        "its secret was proved by another key than the one expected: --key was mistyped, the new POP \
                         has made itself a new key, or others have seen the invitation. Nobody was admitted",
                    );
                }
                Err(refusal)
            }
        }
    }

    /// Pins the joiner and spends the invitation, in one transaction.
    async fn pin(&self, kept: &[u8], invitation: &OpenInvitation) -> Result<(), JoinRefusal> {
        let common = &self.node.common;
        let member = self.member(invitation)?;
        let view = self.members().await?;
        let key_taken = view.all().iter().any(|known| known.member.key == member.key);
        if key_taken || view.all().len() >= limits::MEMBERS_MAX {
            return Err(JoinRefusal::MemberExists);
        }
        let spent = OpenInvitation { spent: true, ..invitation.clone() };
        let actor = Actor::Pop { name: Some(member.pop.to_string()) };
        let lookup = name_lookup(&member.pop);
        let operation = Operation {
            guards: vec![
                unchanged(&member.pop, kept),
                Guard::LookupAbsent { vault_id: VaultId::NIL, lookup },
            ],
            changes: vec![member_change(common.clock.now_ms(), &member)],
            local: vec![kept_as(&member.pop, &spent)],
            audit: vec![self.audit_row(actor, None)],
        };
        match self.commit(operation).await {
            Ok(_) => {}
            Err(WriteError::Guard { index: 1 }) => return Err(JoinRefusal::MemberExists),
            Err(error) => {
                tracing::error!(%error, "a join could not be stored");
                return Err(JoinRefusal::Failed);
            }
        }
        tracing::info!(pop = %member.pop, key = %member.key, "a POP has joined");
        common.alerts.recovered(AlertKind::JoinRefused, member.pop.as_str());
        Ok(())
    }

    /// The keyring is handed out again: audited before it leaves, and only while the invitation stands.
    async fn note_repeat(&self, kept: &[u8]) -> Result<(), JoinRefusal> {
        let pop = &self.request.pop;
        let actor = Actor::Pop { name: Some(pop.to_string()) };
        let detail = Some("repeated".to_owned());
        let operation = Operation {
            guards: vec![unchanged(pop, kept)],
            audit: vec![self.audit_row(actor, detail)],
            ..Operation::default()
        };
        self.commit(operation).await.map(|_| ()).map_err(|_| JoinRefusal::Failed)
    }

    /// The members as the store has them, not as this node last saw them.
    async fn members(&self) -> Result<Arc<MemberView>, JoinRefusal> {
        self.node.read_members().await.map_err(|_| JoinRefusal::Failed)
    }

    async fn commit(&self, operation: Operation) -> Result<Committed, WriteError> {
        self.node.common.commit_holding(operation, Arc::clone(&self.turn)).await
    }

    fn audit_row(&self, actor: Actor, detail: Option<String>) -> SealedAudit {
        self.node.common.audit_row(Action::PopJoin, actor, Some(self.address.clone()), detail)
    }

    /// What the record will say: name, role and key from the invitation's side, addresses also from the joiner.
    fn member(&self, invitation: &OpenInvitation) -> Result<Member, JoinRefusal> {
        let said = if invitation.url.is_empty() { &self.request.url } else { &invitation.url };
        let url = pop_url(said).map_err(|_| JoinRefusal::NoUrl)?;
        let public_url = url::Url::parse(&self.request.public_url).map(|_| self.request.public_url.clone());
        Ok(Member {
            pop: self.request.pop.clone(),
            url: url.as_str().trim_end_matches('/').to_owned(),
            public_url: public_url.unwrap_or_default(),
            key: self.peer.fingerprint,
            may_lead: invitation.may_lead,
            blind: invitation.blind,
        })
    }

    fn welcome(
        &self,
        view: &MemberView,
        transcript: &Transcript,
        invitation: &OpenInvitation,
    ) -> Result<JoinAnswer, JoinRefusal> {
        let common = &self.node.common;
        if view.named(&self.request.pop).is_none_or(|known| known.member.key != self.peer.fingerprint) {
            return Err(JoinRefusal::Used);
        }
        let keyring = if invitation.blind {
            None
        } else {
            let sealed = proof::seal(&common.keyring.export(), transcript, &self.request.sealing_key);
            Some(sealed.ok_or(JoinRefusal::Malformed)?)
        };
        let members = view.all().iter().map(|known| known.member.clone()).collect();
        Ok(JoinAnswer::Accepted(Welcome { cell: common.store.node().cell, members, keyring }))
    }

    async fn hold(&self, kept: &[u8], invitation: OpenInvitation) -> Result<JoinAnswer, JoinRefusal> {
        let applicant = Applicant {
            key: self.peer.fingerprint,
            url: self.request.url.clone(),
            public_url: self.request.public_url.clone(),
        };
        if invitation.pending.is_none() {
            let waiting = OpenInvitation { pending: Some(applicant), ..invitation };
            let detail = Some(format!("pending {}", self.request.pop));
            let audit = vec![self.audit_row(Actor::Pop { name: None }, detail)];
            self.keep(kept, &waiting, audit).await?;
            tracing::warn!(pop = %self.request.pop, "a POP waits for pop approve");
        }
        Ok(JoinAnswer::Pending)
    }

    async fn count_wrong_proof(
        &self,
        kept: &[u8],
        invitation: OpenInvitation,
    ) -> Result<JoinAnswer, JoinRefusal> {
        let counted = OpenInvitation { wrong_tries: invitation.wrong_tries + 1, ..invitation };
        self.keep(kept, &counted, Vec::new()).await?;
        if counted.wrong_tries >= limits::INVITATION_TRIES_MAX {
            self.alert("its secret was proved wrongly too often: it is void");
        }
        Err(JoinRefusal::Refused)
    }

    async fn keep(
        &self,
        kept: &[u8],
        changed: &OpenInvitation,
        audit: Vec<SealedAudit>,
    ) -> Result<(), JoinRefusal> {
        let pop = &self.request.pop;
        let operation = Operation {
            guards: vec![unchanged(pop, kept)],
            local: vec![kept_as(pop, changed)],
            audit,
            changes: Vec::new(),
        };
        self.commit(operation).await.map(|_| ()).map_err(|_| JoinRefusal::Failed)
    }

    fn alert(&self, what: &str) {
        let pop = &self.request.pop;
        self.node.common.alerts.raise(Alert {
            kind: AlertKind::JoinRefused,
            subject: pop.to_string(),
            text: format!(
                "the invitation for {pop} was refused to {}: {what}. Nothing was given out; make a new one",
                self.address
            ),
        });
    }
}

/// The invitation is still what it was when it was judged.
pub(crate) fn unchanged(pop: &PopName, kept: &[u8]) -> Guard {
    Guard::LocalIs { key: local_key(pop), value: Some(kept.to_vec()) }
}

/// Stores what is kept of an invitation.
pub(crate) fn kept_as(pop: &PopName, invitation: &OpenInvitation) -> LocalChange {
    LocalChange { key: local_key(pop), value: Some(invitation.to_bytes()) }
}

/// A new `pop` record.
pub(crate) fn member_change(now_ms: u64, member: &Member) -> Change {
    Change {
        id: clavitor_crypto::random::record_id(now_ms),
        vault_id: VaultId::NIL,
        kind: Kind::POP,
        expect: Expect::Absent,
        content: Some(member_content(member)),
    }
}

/// What a `pop` record holds.
pub(crate) fn member_content(member: &Member) -> Content {
    let payload = minicbor::to_vec(member).expect("encoding into a Vec cannot fail");
    Content { lookups: vec![name_lookup(&member.pop)], payload }
}
