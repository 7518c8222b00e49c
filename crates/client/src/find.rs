//! Finding one entry by what a person knows of it, and proving that the answer is the one asked for.

use clavitor_core::draft::EntryDraft;
use clavitor_core::ids::RecordId;
use clavitor_crypto::normalise::{normalise_host, normalise_title};

use crate::entries::{ListRequest, OpenEntry};
use crate::error::ClientError;
use crate::vault::OpenVault;

/// What is known of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// Its exact title, compared trimmed and without case.
    Title(String),
    /// The host of one of its URLs: `example.org`, or a whole URL.
    Host(String),
    /// Its id.
    Id(RecordId),
}

impl OpenVault {
    /// Finds exactly one entry and opens it; its title or host is compared with what was asked for.
    ///
    /// # Errors
    /// [`ClientError::NotFound`]; [`ClientError::Ambiguous`] with the matches; [`ClientError::Tampered`]: the node
    /// answered with an entry that does not have this title or host.
    pub async fn find(&self, query: &Query) -> Result<OpenEntry, ClientError> {
        let request = match query {
            Query::Id(id) => return self.get(*id).await,
            Query::Title(title) => ListRequest { title: Some(title.clone()), ..ListRequest::default() },
            Query::Host(url) => ListRequest { host: Some(host_of(url)?), ..ListRequest::default() },
        };
        let mut matches = self.list_matching(request).await?;
        let row = match (matches.pop(), matches.is_empty()) {
            (None, _) => return Err(ClientError::NotFound { what: format!("no entry has {query}") }),
            (Some(row), true) => row,
            (Some(row), false) => {
                matches.push(row);
                return Err(ClientError::Ambiguous { matches });
            }
        };
        let entry = self.get(row.id).await?;
        if query.matches(&entry.draft) {
            Ok(entry)
        } else {
            Err(ClientError::Tampered { what: format!("the entry answered is not {query}") })
        }
    }
}

impl Query {
    /// Whether an opened entry is what was asked for.
    fn matches(&self, draft: &EntryDraft) -> bool {
        match self {
            Self::Id(_) => true,
            Self::Title(title) => normalise_title(&draft.title) == normalise_title(title),
            Self::Host(url) => {
                let asked = normalise_host(url);
                asked.is_some() && draft.urls.iter().any(|url| normalise_host(url) == asked)
            }
        }
    }
}

impl std::fmt::Display for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Title(title) => write!(f, "the title {title:?}"),
            Self::Host(host) => write!(f, "the host {host:?}"),
            Self::Id(id) => write!(f, "the id {id}"),
        }
    }
}

fn host_of(url: &str) -> Result<String, ClientError> {
    normalise_host(url)
        .ok_or_else(|| ClientError::NotFound { what: format!("{url:?} names no host to look for") })
}
