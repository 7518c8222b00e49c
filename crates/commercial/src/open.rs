//! Opening the edition: configuration, identity, members, listener, tasks, in this order; bound before it returns.
//!
//! The role in `meta` rules. The configuration's role counts only where `meta` has none: a primary's first start. A
//! backup gets its place by `pop join`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::Router;
use clavitor_core::alerts::Alerts;
use clavitor_core::change::{Change, Expect, Operation, WriteError};
use clavitor_core::edition::{Edition, EditionError, EditionInput};
use clavitor_core::ids::VaultId;
use clavitor_core::kind::Kind;
use clavitor_core::member::Member;
use clavitor_core::order::Seq;
use clavitor_core::replica::{Adopt, NodeState, ReplicaWrite, Role};
use clavitor_core::replicator::Replicator;
use clavitor_protocol::receiver::{BATCH_LIMITS, Receiver};
use tokio::sync::{Semaphore, watch};
use url::Url;

use crate::alerts::{OperatorAlerts, Webhook};
use crate::config::{self, Config, Replication};
use crate::identity::{self, Identity};
use crate::join::primary::{member_change, member_content};
use crate::members::Members;
use crate::node::{Common, Node, Tasks};
use crate::refusals::Refusals;
use crate::replicator::{Active, NotConfigured};
use crate::transport::client::PeerClient;
use crate::transport::listener::{self, Listening};
use crate::worker::peers::Peers;
use crate::worker::supervise::supervise;
use crate::worker::upstream::Upstream;
use crate::{routes, tls};

/// Opens the edition. Called inside the async runtime, before the store's writer starts; the POP listener is bound when
/// it returns, and serves at once.
///
/// # Errors
/// [`EditionError::Config`] with every problem of the tables; [`EditionError::Failed`]: the identity, the address, the
/// members, a backup that has not joined, a member without its table.
pub fn open(input: EditionInput) -> Result<Edition<Router>, EditionError> {
    open_with(&input, |alerts| alerts).map(|(edition, _)| edition)
}

/// Opens the edition, and gives the replicating node with it, where there is one.
///
/// - `tell`: what the node's alerts go through.
pub(crate) fn open_with(
    input: &EditionInput,
    tell: impl FnOnce(Arc<dyn Alerts>) -> Arc<dyn Alerts>,
) -> Result<(Edition<Router>, Option<Arc<Node>>), EditionError> {
    let Config { replication, webhook } = read_config(input)?;
    let webhook = webhook.as_ref().map(Webhook::open).transpose()?;
    let node = input.store.node();
    let pop = node.pop.as_ref().or(replication.as_ref().map(|table| &table.pop)).map(ToString::to_string);
    let alerts = tell(OperatorAlerts::start(Arc::clone(&input.clock), pop, webhook));
    let node = match (replication, node.pop) {
        (Some(table), _) => Some(open_node(input, table, Arc::clone(&alerts))?),
        (None, None) => None,
        (None, Some(pop)) => {
            return Err(EditionError::Failed {
                what: format!(
                    "this data folder belongs to the member {pop} of a cell, but no [replication] is configured"
                ),
                remedy: "give its configuration with --config, or run clavitor replication leave".to_owned(),
            });
        }
    };
    let replicator: Arc<dyn Replicator> = match &node {
        Some(node) => Arc::new(Active(Arc::clone(node))),
        None => Arc::new(NotConfigured),
    };
    Ok((Edition { replicator, alerts, routes: None, fallback: None }, node))
}

/// The edition's tables; none where there is no file.
pub(crate) fn read_config(input: &EditionInput) -> Result<Config, EditionError> {
    let text = input.config.as_ref().map(|config| config.text.as_str()).unwrap_or_default();
    config::parse(text).map_err(EditionError::Config)
}

/// Where the identity key lies.
pub(crate) fn identity_file(input: &EditionInput, table: Option<&Replication>) -> PathBuf {
    let configured = table.and_then(|table| table.identity_file.clone());
    configured.unwrap_or_else(|| input.data_dir.join(identity::FILE_NAME))
}

fn open_node(
    input: &EditionInput,
    table: Replication,
    alerts: Arc<dyn Alerts>,
) -> Result<Arc<Node>, EditionError> {
    let state = input.store.node();
    let role = place_in_cell(input, &table, &state)?;
    let identity = Identity::load_or_create(&identity_file(input, Some(&table)))?;
    let unread = |error| EditionError::Failed {
        what: format!("the members could not be read: {error}"),
        remedy: "check the data folder".to_owned(),
    };
    let members = Members::load(Arc::clone(&input.store), identity.fingerprint()).map_err(unread)?;
    let members = Arc::new(members);
    let quarantined = input.store.quarantined().map_err(unread)?;
    let (tcp, listen) = listener::bind(table.listen)?;
    let url = table.url.clone().or_else(|| url_of(listen));
    let refusals =
        Refusals::new(Arc::clone(&input.store), Arc::clone(&input.audit), Arc::clone(&input.clock));
    let common = Arc::new(Common {
        store: Arc::clone(&input.store),
        clock: Arc::clone(&input.clock),
        alerts,
        audit: Arc::clone(&input.audit),
        keyring: Arc::clone(&input.keyring),
        identity,
        members,
        refusals: Arc::new(refusals),
        signal: watch::Sender::new(()),
        wakeups: Default::default(),
        tasks: Tasks::default(),
    });
    let upstream = (role == Role::Backup).then(|| upstream(&common, &table)).transpose()?;
    let node = Arc::new(Node {
        common,
        config: table,
        listen,
        url,
        peers: Peers::default(),
        upstream: upstream.as_ref().map(|(upstream, _)| Arc::clone(upstream)),
        receiver: Arc::new(std::sync::Mutex::new(Receiver::new(BATCH_LIMITS))),
        quarantined: Arc::new(AtomicU64::new(quarantined)),
        joining: Arc::new(Semaphore::new(1)),
        stop: watch::Sender::new(false),
    });
    start(&node, tcp, upstream, own_member(input, &node))?;
    tracing::info!(listen = %listen, pop = %node.config.pop, role = ?role, key = %node.common.identity.fingerprint(), "POP listener");
    Ok(node)
}

/// The node's role, and its place in a cell where this is a primary's first start.
fn place_in_cell(input: &EditionInput, table: &Replication, state: &NodeState) -> Result<Role, EditionError> {
    if let Some(pop) = &state.pop {
        if (pop, state.role) != (&table.pop, table.role) {
            tracing::warn!(
                %pop, role = ?state.role, configured_pop = %table.pop, configured_role = ?table.role,
                "the configuration differs from what this node is in its cell; the node's own state rules"
            );
        }
        return Ok(state.role);
    }
    if table.role == Role::Backup && state.position.seq > Seq::ZERO {
        return Err(EditionError::Failed {
            what: "this node is configured as a backup, and its folder holds entries of a node of its own".to_owned(),
            remedy: "nothing is lost. Name an empty data_dir to join as a backup, or set role = \"primary\" to go on with \
                     these entries; `clavitor replication leave` makes the folder one that the community edition opens"
                .to_owned(),
        });
    }
    if table.role == Role::Backup {
        return Err(EditionError::Failed {
            what: "this node is configured as a backup and has not joined its cell".to_owned(),
            remedy: "run clavitor pop identity here, clavitor pop invite on the primary, then clavitor pop join here"
                .to_owned(),
        });
    }
    let adopt = Adopt { cell: None, pop: table.pop.clone(), role: Role::Primary, local: Vec::new() };
    let done = |answer: Result<_, clavitor_core::replica::ApplyError>| {
        if let Err(error) = answer {
            tracing::error!(%error, "this node's place in its cell could not be stored; it is tried at the next start");
        }
    };
    input.store.submit(ReplicaWrite::Adopt(Box::new(adopt)), Box::new(done));
    Ok(Role::Primary)
}

/// Where other POPs reach a listener, as far as its address says.
pub(crate) fn url_of(listen: SocketAddr) -> Option<Url> {
    let says_nothing = listen.ip().is_unspecified() || listen.port() == 0;
    if says_nothing { None } else { Url::parse(&format!("https://{listen}")).ok() }
}

/// The primary as this backup joined it; its address may have moved, its key may not.
fn upstream(common: &Arc<Common>, table: &Replication) -> Result<(Arc<Upstream>, PeerClient), EditionError> {
    let view = common.members.now();
    let joined = view.joined().ok_or_else(|| EditionError::Failed {
        what: "this backup does not know whom it joined".to_owned(),
        remedy: "empty its data folder and join anew".to_owned(),
    })?;
    let configured = table.primary.as_ref().filter(|primary| primary.pop == joined.pop);
    if let Some(primary) = &table.primary
        && primary.pop != joined.pop
    {
        tracing::warn!(joined = %joined.pop, configured = %primary.pop, "[replication.primary] is not whom this node joined");
    }
    let (url, public_url) = match configured {
        Some(primary) => {
            (Ok(primary.url.clone()), primary.public_url.as_str().trim_end_matches('/').to_owned())
        }
        None => (Url::parse(&joined.url), joined.public_url.clone()),
    };
    let url = url.map_err(|_| EditionError::Failed {
        what: format!("nobody knows where the primary {} is reached", joined.pop),
        remedy: "give it as [replication.primary]".to_owned(),
    })?;
    let client = PeerClient::new(&common.identity, &url, joined.key)?;
    Ok((Upstream::new(joined.pop.clone(), public_url), client))
}

/// What this node's own record should say.
fn own_member(input: &EditionInput, node: &Node) -> Member {
    let text = |url: &Url| url.as_str().trim_end_matches('/').to_owned();
    Member {
        pop: node.own_name(),
        url: node.url.as_ref().map(text).unwrap_or_default(),
        public_url: input.public_url.clone(),
        key: node.common.identity.fingerprint(),
        may_lead: true,
        blind: false,
    }
}

fn start(
    node: &Arc<Node>,
    tcp: tokio::net::TcpListener,
    upstream: Option<(Arc<Upstream>, PeerClient)>,
    own: Member,
) -> Result<(), EditionError> {
    let common = &node.common;
    let view = common.members.now();
    let known = view.named(&own.pop);
    if known.is_some_and(|known| known.member.key != own.key) {
        return Err(EditionError::Failed {
            what: format!("the identity key of {} is not the one that its cell pins", own.pop),
            remedy: "restore the identity file; if the key is lost, remove this POP elsewhere and join anew"
                .to_owned(),
        });
    }
    let listening = Listening::new(
        tls::server_config(&common.identity)?,
        routes::router(Arc::clone(node)),
        Arc::clone(&common.members),
        Arc::clone(&common.refusals),
    );
    common.tasks.spawn(listening.run(tcp, node.stop.subscribe()));
    let keeper = Arc::clone(node);
    common.tasks.spawn(supervise(Arc::clone(&common.alerts), "members".to_owned(), move || {
        Arc::clone(&keeper).keep_members()
    }));
    match upstream {
        Some((upstream, client)) => upstream.start(common, client),
        None => {
            let change =
                own_change(known.and_then(|known| Some((known.record?, &known.member))), &own, common);
            if let Some(change) = change {
                common.tasks.spawn(store_own(Arc::clone(common), change));
            }
        }
    }
    Ok(())
}

/// How this node's own record must change, if at all.
fn own_change(
    known: Option<((clavitor_core::ids::RecordId, clavitor_core::order::Version), &Member)>,
    own: &Member,
    common: &Common,
) -> Option<Change> {
    match known {
        None => Some(member_change(common.clock.now_ms(), own)),
        Some((_, member)) if member == own => None,
        Some(((id, version), _)) => Some(Change {
            id,
            vault_id: VaultId::NIL,
            kind: Kind::POP,
            expect: Expect::Version(version),
            content: Some(member_content(own)),
        }),
    }
}

/// Writes the node's own record. Waits for the store's writer.
async fn store_own(common: Arc<Common>, change: Change) {
    let operation = Operation { changes: vec![change], ..Operation::default() };
    match common.commit(operation).await {
        Ok(_) | Err(WriteError::Closed) => {}
        Err(error) => tracing::error!(%error, "this node's own record could not be stored"),
    }
}
