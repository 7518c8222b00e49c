//! The operator's client: the routes of a node on this machine, over the socket in its data folder.

use std::path::Path;
use std::time::Duration;

use clavitor_core::api::NodeStatus;
use clavitor_core::limits;
use clavitor_core::replicator::{OperatorAnswer, OperatorCommand, PromoteRequest, ReplicationStatus};
use reqwest::Method;

use crate::error::ClientError;
use crate::http::Http;

/// The name of the socket in the data folder.
const SOCKET: &str = "admin.sock";

/// A client of a running node's operator routes. The socket's owner is who may use them.
pub struct AdminClient {
    http: Http,
}

impl std::fmt::Debug for AdminClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdminClient")
    }
}

impl AdminClient {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::BadServer`].
    pub fn new(data_dir: &Path) -> Result<Self, ClientError> {
        let timeout = Duration::from_secs(limits::REQUEST_TIMEOUT_S);
        Ok(Self { http: Http::unix(&data_dir.join(SOCKET), timeout)? })
    }

    /// The whole state of the node.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`]: no node runs on this data folder, or not for this user.
    pub async fn status(&self) -> Result<NodeStatus, ClientError> {
        self.http.json(self.http.call(Method::GET, &["operator", "status"])).await
    }

    /// Replication as the node sees it.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn replication(&self) -> Result<ReplicationStatus, ClientError> {
        self.http.json(self.http.call(Method::GET, &["operator", "replication"])).await
    }

    /// Carries out a command on the members of the cell.
    ///
    /// # Errors
    /// As [`Self::status`]; [`ClientError::Refused`] with `replication-unsupported` in the other edition.
    pub async fn command(&self, command: &OperatorCommand) -> Result<OperatorAnswer, ClientError> {
        self.http.json(self.http.call(Method::POST, &["operator", "command"]).body(command)).await
    }

    /// Makes the node the primary of its cell.
    ///
    /// # Errors
    /// As [`Self::command`]; the node's reason where it cannot.
    pub async fn promote(&self, request: &PromoteRequest) -> Result<(), ClientError> {
        self.http.empty(self.http.call(Method::POST, &["operator", "promote"]).body(request)).await
    }
}
