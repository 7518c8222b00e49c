//! The operator's commands on the members of the cell: each checks, commits one operation, and lets the node follow.

use clavitor_core::audit::{Action, Actor};
use clavitor_core::change::{Change, Expect, Guard, LocalChange, Operation, WriteError};
use clavitor_core::ids::{PopName, VaultId};
use clavitor_core::kind::Kind;
use clavitor_core::limits;
use clavitor_core::order::Fingerprint;
use clavitor_core::replica::{ReadError, Role};
use clavitor_core::replicator::{MemberStatus, OperateError, OperatorAnswer, OperatorCommand};
use url::Url;

use crate::config::pop_url;
use crate::identity::parse_fingerprint;
use crate::join::invitation::{Invitation, InvitationSecret, LOCAL_PREFIX, OpenInvitation, local_key};
use crate::join::primary::{kept_as, unchanged};
use crate::members::{MemberView, name_lookup};
use crate::node::Node;
use crate::store_calls;

/// What `pop invite` fixes.
struct Invite {
    pop: PopName,
    url: Option<String>,
    key: Option<String>,
    may_lead: bool,
    blind: bool,
}

impl Node {
    /// Carries out a command.
    ///
    /// # Errors
    /// [`OperateError`]; nothing was changed.
    pub(crate) async fn operate(&self, command: OperatorCommand) -> Result<OperatorAnswer, OperateError> {
        match command {
            OperatorCommand::PopInvite { pop, url, key, may_lead, blind } => {
                self.invite(Invite { pop, url, key, may_lead, blind }).await
            }
            OperatorCommand::PopApprove { pop, key } => self.approve(pop, &key).await,
            OperatorCommand::PopList => self.list().await,
            OperatorCommand::PopRemove { pop } => self.remove(pop).await,
            OperatorCommand::Wake => {
                self.peers.all().iter().for_each(|peer| peer.wake());
                if let Some(upstream) = &self.upstream {
                    upstream.wake();
                }
                Ok(OperatorAnswer::Done)
            }
        }
    }

    async fn invite(&self, invite: Invite) -> Result<OperatorAnswer, OperateError> {
        let common = &self.common;
        self.must_be_primary()?;
        let view = self.read_members().await.map_err(|error| unread(&error))?;
        let (key, url) = self.check_invite(&view, &invite)?;
        let own_url = self.url.as_ref().ok_or_else(|| {
            refused(
                "no-own-url",
                "nobody knows where this node's POP listener is reached",
                "set url in [replication]",
            )
        })?;
        let now_ms = common.clock.now_ms();
        let kept = self.invitations().await?;
        let open = kept.iter().filter(|(_, _, invitation)| invitation.is_open(now_ms)).count();
        if open + view.all().len() >= limits::MEMBERS_MAX {
            let what = format!("a cell has at most {} members and open invitations", limits::MEMBERS_MAX);
            return Err(refused("too-many-members", &what, "remove one first: clavitor pop remove NAME"));
        }
        let secret = InvitationSecret::generate();
        let expires_at_ms = now_ms + limits::INVITATION_TTL_S * 1_000;
        let opened = OpenInvitation {
            proof_key: secret.proof_key(),
            expires_at_ms,
            wrong_tries: 0,
            key,
            url,
            may_lead: invite.may_lead,
            blind: invite.blind,
            pending: None,
            spent: false,
        };
        let before = kept.iter().find(|(pop, _, _)| *pop == invite.pop).map(|(_, bytes, _)| bytes.clone());
        let forgotten = kept.iter().filter(|(pop, _, old)| *pop != invite.pop && old.is_forgotten(now_ms));
        let mut local = vec![kept_as(&invite.pop, &opened)];
        local.extend(forgotten.map(|(pop, _, _)| LocalChange { key: local_key(pop), value: None }));
        let operation = Operation {
            guards: vec![
                Guard::LocalIs { key: local_key(&invite.pop), value: before },
                no_member(&invite.pop),
            ],
            local,
            audit: vec![common.audit_row(Action::PopInvite, Actor::Node, None, Some(invite.pop.to_string()))],
            changes: Vec::new(),
        };
        self.commit(operation).await?;
        let line = Invitation {
            cell: common.store.node().cell,
            primary: self.own_name(),
            primary_url: own_url.as_str().trim_end_matches('/').to_owned(),
            primary_key: common.identity.fingerprint(),
            pop: invite.pop,
            secret,
        };
        Ok(OperatorAnswer::Invitation { invitation: line.to_line(), expires_at_ms })
    }

    /// The key and the URL of an invitation, if all of it is possible.
    fn check_invite(
        &self,
        view: &MemberView,
        invite: &Invite,
    ) -> Result<(Option<Fingerprint>, String), OperateError> {
        if view.named(&invite.pop).is_some() || invite.pop == self.own_name() {
            let what = format!("{} is already a member", invite.pop);
            return Err(refused("pop-exists", &what, "choose another name, or pop remove it first"));
        }
        if invite.blind && invite.may_lead {
            let what = "a blind member can never lead, since it cannot open the vault tier";
            return Err(refused("blind-lead", what, "leave out --blind or --may-lead"));
        }
        let key = match invite.key.as_deref().map(parse_fingerprint) {
            None => None,
            Some(Some(key)) if view.all().iter().any(|known| known.member.key == key) => {
                let what = "that key already belongs to a member";
                return Err(refused("key-exists", what, "run pop list; each POP has a key of its own"));
            }
            Some(Some(key)) => Some(key),
            Some(None) => return Err(bad_key()),
        };
        let configured = || self.config.backups.iter().find(|backup| backup.pop == invite.pop);
        let url = match &invite.url {
            None => configured().map(|backup| backup.url.clone()),
            Some(url) => Some(
                pop_url(url)
                    .map_err(|(what, remedy)| refused("bad-url", &format!("--url {what}"), &remedy))?,
            ),
        };
        Ok((key, url.map_or_else(String::new, |url: Url| url.as_str().trim_end_matches('/').to_owned())))
    }

    async fn approve(&self, pop: PopName, key: &str) -> Result<OperatorAnswer, OperateError> {
        self.must_be_primary()?;
        let key = parse_fingerprint(key).ok_or_else(bad_key)?;
        let kept = self.invitations().await?;
        let Some((_, bytes, invitation)) = kept.into_iter().find(|(name, _, _)| *name == pop) else {
            return Err(OperateError::NoSuchPop { pop });
        };
        let again = "make a new invitation: clavitor pop invite NAME --key FINGERPRINT";
        if !invitation.is_open(self.common.clock.now_ms()) {
            return Err(refused(
                "invitation-ended",
                "the invitation was used, has expired or is void",
                again,
            ));
        }
        match &invitation.pending {
            None => {
                let what = format!("no join waits under the name {pop}");
                Err(refused("not-pending", &what, "run pop join on the new POP first"))
            }
            Some(applicant) if applicant.key != key => {
                let what = format!("the POP that waits has another key: {}", applicant.key);
                Err(refused("other-key", &what, again))
            }
            Some(_) => {
                let approved = OpenInvitation { key: Some(key), ..invitation };
                let operation = Operation {
                    guards: vec![unchanged(&pop, &bytes)],
                    local: vec![kept_as(&pop, &approved)],
                    audit: vec![self.common.audit_row(
                        Action::PopJoin,
                        Actor::Node,
                        None,
                        Some(format!("approved {pop}")),
                    )],
                    ..Operation::default()
                };
                self.commit(operation).await?;
                Ok(OperatorAnswer::Done)
            }
        }
    }

    async fn list(&self) -> Result<OperatorAnswer, OperateError> {
        let common = &self.common;
        let own = common.identity.fingerprint();
        let invitations = self.invitations().await?;
        let view = self.read_members().await.map_err(|error| unread(&error))?;
        let mut members: Vec<MemberStatus> = view
            .all()
            .iter()
            .map(|known| MemberStatus {
                pop: known.member.pop.clone(),
                state: "member".to_owned(),
                this_node: known.member.key == own,
                url: known.member.url.clone(),
                key: Some(known.member.key.to_string()),
                may_lead: known.member.may_lead,
                blind: known.member.blind,
            })
            .collect();
        let now_ms = common.clock.now_ms();
        for (pop, _, invitation) in invitations {
            if invitation.is_open(now_ms) && view.named(&pop).is_none() {
                let waits = invitation.key.is_none() && invitation.pending.is_some();
                let applicant = invitation.pending.as_ref().map(|applicant| applicant.key);
                members.push(MemberStatus {
                    pop,
                    state: if waits { "pending" } else { "invited" }.to_owned(),
                    this_node: false,
                    url: invitation.url,
                    key: invitation.key.or(applicant).map(|key| key.to_string()),
                    may_lead: invitation.may_lead,
                    blind: invitation.blind,
                });
            }
        }
        members.sort_by(|a, b| a.pop.cmp(&b.pop));
        Ok(OperatorAnswer::Members { members })
    }

    /// Removes a member, or withdraws an open invitation. Judged by what the store has, and done only while that is
    /// still so: a join under way is either before it, and removed, or after it, and refused.
    async fn remove(&self, pop: PopName) -> Result<OperatorAnswer, OperateError> {
        let common = &self.common;
        self.must_be_primary()?;
        if pop == self.own_name() {
            let what = "this node cannot remove itself";
            return Err(refused("own-pop", what, "promote another node first, then remove this one there"));
        }
        let key = local_key(&pop);
        let invitation = store_calls::read(&common.store, move |store| store.local(&key)).await;
        let invitation = invitation.map_err(|error| unread(&error))?;
        let view = self.read_members().await.map_err(|error| unread(&error))?;
        let record = view.named(&pop).and_then(|known| known.record);
        if record.is_none() && invitation.is_none() {
            return Err(OperateError::NoSuchPop { pop });
        }
        let mut guards = vec![Guard::LocalIs { key: local_key(&pop), value: invitation }];
        if record.is_none() {
            guards.push(no_member(&pop));
        }
        let change = |(id, version)| Change {
            id,
            vault_id: VaultId::NIL,
            kind: Kind::POP,
            expect: Expect::Version(version),
            content: None,
        };
        let operation = Operation {
            changes: record.map(change).into_iter().collect(),
            local: vec![LocalChange { key: local_key(&pop), value: None }],
            audit: vec![common.audit_row(Action::PopRemove, Actor::Node, None, Some(pop.to_string()))],
            guards,
        };
        self.commit(operation).await?;
        if let Err(error) = self.read_members().await {
            tracing::error!(%pop, %error, "a member was removed; its pin ends when the members can be read again");
        }
        Ok(OperatorAnswer::Done)
    }

    /// All invitations that are kept, also ended ones: name, stored bytes, content.
    async fn invitations(&self) -> Result<Vec<(PopName, Vec<u8>, OpenInvitation)>, OperateError> {
        let read = store_calls::read(&self.common.store, |store| store.local_with_prefix(LOCAL_PREFIX)).await;
        let kept = read.map_err(|error| unread(&error))?.into_iter().filter_map(|(key, bytes)| {
            let pop = key.strip_prefix(LOCAL_PREFIX)?.parse().ok()?;
            let invitation = OpenInvitation::from_bytes(&bytes)?;
            Some((pop, bytes, invitation))
        });
        Ok(kept.collect())
    }

    async fn commit(&self, operation: Operation) -> Result<(), OperateError> {
        match self.common.commit(operation).await {
            Ok(_) => Ok(()),
            Err(WriteError::Guard { .. } | WriteError::Conflict { .. }) => {
                let what = "the members changed meanwhile";
                Err(refused("changed", what, "look at pop list and run the command again"))
            }
            Err(error) => Err(OperateError::Failed(error.to_string())),
        }
    }

    fn must_be_primary(&self) -> Result<(), OperateError> {
        if self.common.store.node().role == Role::Primary {
            return Ok(());
        }
        Err(refused("read-only-backup", "this node is a backup", "run the command on the primary"))
    }
}

/// No member has the name.
fn no_member(pop: &PopName) -> Guard {
    Guard::LookupAbsent { vault_id: VaultId::NIL, lookup: name_lookup(pop) }
}

fn bad_key() -> OperateError {
    refused(
        "bad-key",
        "that is not a fingerprint",
        "copy the 64 hex digits that pop identity prints on that POP",
    )
}

fn refused(code: &'static str, what: &str, remedy: &str) -> OperateError {
    OperateError::Refused { code, what: what.to_owned(), remedy: remedy.to_owned() }
}

fn unread(error: &ReadError) -> OperateError {
    OperateError::Failed(error.to_string())
}
