//! The joiner's side: dials the primary that the invitation names, proves, receives, stores. Runs while the node is
//! stopped; repeating it after a crash at any point ends in the same state.

use std::sync::Arc;
use std::time::Duration;

use clavitor_core::change::LocalChange;
use clavitor_core::edition::{EditionError, EditionInput, OfflineAnswer};
use clavitor_core::limits;
use clavitor_core::member::Member;
use clavitor_core::replica::{Adopt, ReplicaWrite, Role};
use http::header;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};

use super::JOIN_ROUTE;
use super::invitation::Invitation;
use super::message::{ANSWER_BYTES_MAX, JoinAnswer, JoinRequest, Welcome, decode_answer, encode};
use super::proof::{self, SealingKey, Transcript};
use crate::config::{Primary, Replication};
use crate::identity::Identity;
use crate::members::BOOTSTRAP_KEY;
use crate::open::url_of;
use crate::store_calls;
use crate::tls::{self, ChannelBinding};
use crate::transport::{CBOR, chain_of, prepare_socket};

/// Joins the cell of an invitation.
///
/// # Errors
/// [`EditionError::Failed`]: what does not fit or went wrong; nothing of the node was changed unless it says so.
pub(crate) async fn join(
    input: &EditionInput,
    config: &Replication,
    identity: &Identity,
    line: &str,
) -> Result<OfflineAnswer, EditionError> {
    let invitation = Invitation::from_line(line).map_err(|error| {
        failed(format!("this is not an invitation: {error}"), "copy the whole line that pop invite printed")
    })?;
    let primary = fits(input, config, &invitation)?;
    let sealing_key = SealingKey::generate()?;
    let link = Dialled::open(identity, &primary.url, &invitation).await?;
    let mut request = JoinRequest {
        pop: config.pop.clone(),
        url: config.url.clone().or_else(|| url_of(config.listen)).map_or_else(String::new, String::from),
        public_url: input.public_url.clone(),
        sealing_key: sealing_key.public().to_vec(),
        signature: Vec::new(),
        proof: Vec::new(),
    };
    let transcript = proof::transcript(
        invitation.cell,
        invitation.primary_key,
        identity.fingerprint(),
        &link.channel,
        &request,
    );
    request.signature = proof::sign(identity, &transcript)?;
    request.proof = proof::prove(&invitation.secret.proof_key(), &transcript);
    match link.ask(&request).await? {
        JoinAnswer::Accepted(welcome) => {
            let joined = Joined { input, config, primary, invitation: &invitation };
            joined.store(identity, welcome, &sealing_key, &transcript).await
        }
        JoinAnswer::Pending => Ok(OfflineAnswer::Pending { key: identity.fingerprint().to_string() }),
        JoinAnswer::Refused(refusal) => Err(failed(refusal.to_string(), refusal.remedy())),
    }
}

/// Whether configuration, folder and invitation speak of the same thing; the primary as configured.
fn fits<'c>(
    input: &EditionInput,
    config: &'c Replication,
    invitation: &Invitation,
) -> Result<&'c Primary, EditionError> {
    let node = input.store.node();
    if let Some(pop) = node.pop {
        let what = format!("this node is already the member {pop} of cell {}", node.cell);
        return Err(failed(
            what,
            "while it is one, nothing is left to do; after `pop remove` there, join anew with an empty data folder",
        ));
    }
    let primary = match &config.primary {
        Some(primary) if config.role == Role::Backup => primary,
        _ => {
            let remedy = "set role = \"backup\" and add [replication.primary] with pop, url and public_url";
            return Err(failed("only a backup joins, and this node is configured as a primary", remedy));
        }
    };
    if node.position.seq.0 > 0 {
        let remedy = "join with an empty data folder; this one is kept as it is";
        return Err(failed("this node holds changes of its own, which a backup cannot have", remedy));
    }
    if invitation.pop != config.pop {
        let what =
            format!("the invitation is for {}, but this node is called {}", invitation.pop, config.pop);
        return Err(failed(what, "correct pop in [replication], or invite this name"));
    }
    if invitation.primary != primary.pop {
        let what = format!(
            "the invitation is from {}, but [replication.primary] names {}",
            invitation.primary, primary.pop
        );
        return Err(failed(what, "correct [replication.primary]"));
    }
    Ok(primary)
}

/// An answer that has to be stored.
struct Joined<'a> {
    input: &'a EditionInput,
    config: &'a Replication,
    primary: &'a Primary,
    invitation: &'a Invitation,
}

impl Joined<'_> {
    /// Keyring first, then the place in the cell: only the second makes this node a member.
    async fn store(
        &self,
        identity: &Identity,
        welcome: Welcome,
        sealing_key: &SealingKey,
        transcript: &Transcript,
    ) -> Result<OfflineAnswer, EditionError> {
        let unexpected =
            |what: &str| failed(format!("the primary's answer does not fit: {what}"), "run pop join again");
        if welcome.cell != self.invitation.cell {
            return Err(unexpected("it names another cell"));
        }
        let named = |member: &&Member| member.pop == self.config.pop;
        let own = welcome.members.iter().find(named).ok_or_else(|| unexpected("we are no member"))?;
        if own.key != identity.fingerprint() {
            return Err(unexpected("it pins another key for us"));
        }
        let keyring = match &welcome.keyring {
            Some(sealed) => {
                Some(sealing_key.open(transcript, sealed).ok_or_else(|| unexpected("the keyring"))?)
            }
            None if own.blind => None,
            None => return Err(unexpected("it holds no keyring")),
        };
        if let Some(keyring) = keyring {
            let imported = self.input.keyring.import(keyring);
            imported.map_err(|what| {
                failed(what, "then run pop join again: the invitation still serves this key")
            })?;
        }
        let pin = Member {
            pop: self.invitation.primary.clone(),
            url: self.primary.url.as_str().trim_end_matches('/').to_owned(),
            public_url: self.primary.public_url.as_str().trim_end_matches('/').to_owned(),
            key: self.invitation.primary_key,
            may_lead: true,
            blind: false,
        };
        let pin = minicbor::to_vec(&pin).expect("encoding into a Vec cannot fail");
        let adopt = Adopt {
            cell: Some(welcome.cell),
            pop: self.config.pop.clone(),
            role: Role::Backup,
            local: vec![LocalChange { key: BOOTSTRAP_KEY.to_owned(), value: Some(pin) }],
        };
        let adopted =
            store_calls::submit(self.input.store.as_ref(), ReplicaWrite::Adopt(Box::new(adopt))).await;
        adopted.map_err(|error| {
            failed(
                format!("the membership could not be stored: {error}"),
                "run pop join again within 30 minutes",
            )
        })?;
        Ok(OfflineAnswer::Joined {
            cell: welcome.cell.to_string(),
            pop: self.config.pop.to_string(),
            primary: self.invitation.primary.to_string(),
        })
    }
}

/// A connection to the primary, on which one request is made.
struct Dialled {
    stream: TlsStream<TcpStream>,
    channel: ChannelBinding,
    host: String,
}

impl Dialled {
    async fn open(identity: &Identity, url: &Url, invitation: &Invitation) -> Result<Self, EditionError> {
        let unreachable = |cause: String| {
            let what = format!("the primary {} could not be reached at {url}: {cause}", invitation.primary);
            failed(what, "look whether it runs and whether url in [replication.primary] is its POP listener")
        };
        let config = tls::client_config(identity, invitation.primary_key)?;
        let port = url.port_or_known_default().unwrap_or(443);
        let name = match url.host() {
            Some(Host::Domain(host)) => ServerName::try_from(host.to_owned()),
            Some(Host::Ipv4(address)) => Ok(ServerName::from(std::net::IpAddr::from(address))),
            Some(Host::Ipv6(address)) => Ok(ServerName::from(std::net::IpAddr::from(address))),
            None => ServerName::try_from(String::new()),
        };
        let name = name.map_err(|error| unreachable(error.to_string()))?;
        let dialling = async {
            let stream = match url.host() {
                Some(Host::Ipv4(address)) => TcpStream::connect((address, port)).await?,
                Some(Host::Ipv6(address)) => TcpStream::connect((address, port)).await?,
                _ => TcpStream::connect((url.host_str().unwrap_or_default(), port)).await?,
            };
            prepare_socket(&stream)?;
            TlsConnector::from(Arc::new(config)).connect(name, stream).await
        };
        let limit = Duration::from_secs(limits::PEER_CONNECT_TIMEOUT_S);
        let stream = match tokio::time::timeout(limit, dialling).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(unreachable(chain_of(&error))),
            Err(_) => return Err(unreachable("no answer in time".to_owned())),
        };
        let channel =
            tls::channel_binding(stream.get_ref().1).map_err(|error| unreachable(error.to_string()))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        Ok(Self { stream, channel, host })
    }

    async fn ask(self, request: &JoinRequest) -> Result<JoinAnswer, EditionError> {
        let broken = |cause: String| {
            failed(format!("the primary did not answer the join: {cause}"), "run pop join again")
        };
        let http_request = http::Request::post(JOIN_ROUTE)
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, CBOR)
            .body(Full::new(Bytes::from(encode(request))))
            .map_err(|error| broken(error.to_string()))?;
        let asking = async {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(self.stream))
                .await
                .map_err(|e| chain_of(&e))?;
            let mut connection = std::pin::pin!(connection);
            let exchange = async {
                let answer = sender.send_request(http_request).await.map_err(|e| chain_of(&e))?;
                let status = answer.status();
                let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
                let body = body.map_err(|error| error.to_string())?.to_bytes();
                decode_answer(&body).ok_or_else(|| format!("it answered {status}"))
            };
            let mut exchange = std::pin::pin!(exchange);
            tokio::select! {
                answered = exchange.as_mut() => answered,
                ended = connection.as_mut() => match ended {
                    Ok(()) => exchange.await,
                    Err(error) => Err(chain_of(&error)),
                },
            }
        };
        let limit = Duration::from_secs(2 * limits::JOIN_TIMEOUT_S);
        let answered = tokio::time::timeout(limit, asking).await;
        answered.unwrap_or_else(|_| Err("no answer in time".to_owned())).map_err(broken)
    }
}

fn failed(what: impl Into<String>, remedy: impl Into<String>) -> EditionError {
    EditionError::Failed { what: what.into(), remedy: remedy.into() }
}
