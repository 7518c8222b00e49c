//! The composition root: configuration and the host's parts in, a node that is bound and ready to serve out.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use clavitor_core::change::{LocalChange, Operation};
use clavitor_core::clock::Clock;
use clavitor_core::edition::{Edition, EditionInput};
use clavitor_core::ids::VaultId;
use clavitor_core::kind::Kind;
use clavitor_core::limits;
use clavitor_core::order::Seq;
use clavitor_core::replica::{CommitObserver, Role};
use clavitor_core::replicator::Replicator;
use clavitor_core::vault::VaultAtRest;
use clavitor_crypto::random;
use clavitor_store::{Store, StoreOptions};
use tokio::net::{TcpListener, UnixListener};
use url::Url;

use super::{StartError, admin};
use crate::config::Config;
use crate::data::{Folder, KeyringFileError, NodeKeys, Setup};
use crate::edition;
use crate::http::{self, Origins};
use crate::node::{Node, Parts};

/// The prefix of the node-local values that are this node's own, whatever cell it is in.
pub(crate) const OWN_LOCAL: &str = "server/";
/// The node-local value that only the keyring of this database opens.
const KEYRING_MARK: &str = "server/keyring";

/// What the host brings: everything that is not configuration.
pub struct HostParts {
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// A node that is bound, and serves once [`App::serve`] runs. Its routers work without that too.
pub struct App {
    pub(crate) node: Arc<Node>,
    pub(crate) store: Store,
    pub(super) public: Router,
    pub(crate) operator: Router,
    pub(super) listener: TcpListener,
    pub(super) admin: UnixListener,
    pub(super) folder: Folder,
    /// How long a connection may take to send the head of a request.
    pub(crate) head_timeout: Duration,
    address: SocketAddr,
    public_url: String,
    first_run: bool,
}

/// A data folder with its keyring and database, locked, before anything runs on it.
pub(crate) struct Opened {
    pub(crate) folder: Folder,
    pub(crate) keys: Arc<NodeKeys>,
    pub(crate) store: Store,
}

/// Pokes replication after each commit that moved the head: the one place where it is.
struct Poke(Arc<dyn Replicator>);

impl CommitObserver for Poke {
    fn committed(&self, _head: Seq) {
        self.0.signal();
    }
}

impl App {
    /// Opens the data folder, binds both listeners, opens the edition, then lets the writer start.
    ///
    /// Call it inside the async runtime; it blocks while it opens the database.
    ///
    /// # Errors
    /// [`StartError`]; nothing listens then.
    pub async fn build(config: Config, host: HostParts) -> Result<Self, StartError> {
        let Opened { folder, keys, store } = Opened::open(&config, &host.clock)?;
        let bind = |error| StartError::Bind { address: config.listen, error };
        let listener = TcpListener::bind(config.listen).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let admin = admin::bind(folder.admin_socket())?;
        let local = Url::parse(&format!("http://{address}")).expect("a socket address makes a URL");
        let public_url = config.public_url.clone().unwrap_or_else(|| local.clone());
        let origins = Origins::new(address, &public_url);
        let public_url = public_url.origin().ascii_serialization();

        let input = EditionInput {
            config: config.text.clone(),
            data_dir: folder.path().to_owned(),
            public_url: public_url.clone(),
            store: store.replica(),
            clock: Arc::clone(&host.clock),
            audit: Arc::clone(&keys) as _,
            keyring: Arc::clone(&keys) as _,
        };
        let file = config.text.as_ref().map(|text| text.path.as_path());
        let Edition { replicator, alerts: _, routes, fallback }: Edition<Router> =
            edition::open(input).map_err(|error| StartError::from_edition(error, file))?;
        // Only now: a node that is to join a cell receives its keyring, and must not have one of its own by then.
        keep_keyring(&keys, &folder)?;
        store.start(Arc::new(Poke(Arc::clone(&replicator))));
        mark_keyring(&keys, &store).await?;

        let setup = open_setup(&store, &folder, host.clock.as_ref())?;
        let first_run = setup.file().is_some();
        let parts = Parts { store: store.clone(), keys, clock: host.clock, replicator, origins, setup };
        let node = Arc::new(Node::new(parts));
        let public = http::public_router(&node, routes, fallback);
        let operator = http::operator_router(&node);
        let head_timeout = Duration::from_secs(limits::HEAD_TIMEOUT_S);
        Ok(Self {
            node,
            store,
            public,
            operator,
            listener,
            admin,
            folder,
            head_timeout,
            address,
            public_url,
            first_run,
        })
    }

    /// Where the public listener is bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where users reach this node.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// The file with the setup secret, while one lives.
    pub fn setup_file(&self) -> Option<&Path> {
        self.first_run.then(|| self.node.setup().file()).flatten()
    }

    /// The operator's socket.
    pub fn admin_socket(&self) -> std::path::PathBuf {
        self.folder.admin_socket()
    }

    /// The public API, for asking without a socket.
    pub fn router(&self) -> Router {
        self.public.clone()
    }

    /// Ends a node that was not served: replication drains, the store closes.
    pub async fn drain(&self) {
        self.node.start_draining();
        self.node.replicator().drain(Duration::from_secs(limits::DRAIN_S)).await;
        super::serve::close(&self.store).await;
    }
}

impl Opened {
    /// Takes the folder's lock, opens the database, and finds the keyring that belongs to it, or makes one in memory.
    pub(crate) fn open(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, StartError> {
        let (folder, store) = open_store(config, clock)?;
        let keys = match NodeKeys::load(&config.keyring)? {
            Some(keys) => keys,
            None if is_untouched(&store)? => NodeKeys::unwritten(&config.keyring),
            None => {
                let (path, data_dir) = (config.keyring.path().to_owned(), folder.path().to_owned());
                return Err(KeyringFileError::Missing { path, data_dir }.into());
            }
        };
        check_keys(&keys, &store, &folder)?;
        Ok(Self { folder, keys: Arc::new(keys), store })
    }

    /// As [`Opened::open`], for a stopped node that may be about to receive a keyring: none is written.
    pub(crate) fn open_for_join(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, StartError> {
        let (folder, store) = open_store(config, clock)?;
        let keys = match NodeKeys::load(&config.keyring)? {
            Some(keys) => keys,
            None => NodeKeys::unwritten(&config.keyring),
        };
        Ok(Self { folder, keys: Arc::new(keys), store })
    }
}

fn open_store(config: &Config, clock: &Arc<dyn Clock>) -> Result<(Folder, Store), StartError> {
    let folder = Folder::take(&config.data_dir)?;
    NodeKeys::clean_up(&config.keyring)?;
    let options = StoreOptions {
        replicates: edition::REPLICATES,
        clock: Arc::clone(clock),
        cell: random::cell_id(clock.now_ms()),
        epoch_nonce: random::u64(),
    };
    let store = Store::open(&folder.database(), options)?;
    Ok((folder, store))
}

/// Whether nothing in the database was ever sealed: only then may a keyring be made for it.
fn is_untouched(store: &Store) -> Result<bool, StartError> {
    let unmarked = store.local(KEYRING_MARK)?.is_none();
    Ok(unmarked && store.node().position.seq == Seq::ZERO && store.audit_rows(0, 1)?.is_empty())
}

/// A keyring of another node must not be used: everything would seem damaged, and new writes would be.
///
/// The mark decides. Before there is one, a vault does; never on a marked node, since one that only stores holds vaults
/// that its keyring does not open.
fn check_keys(keys: &NodeKeys, store: &Store, folder: &Folder) -> Result<(), StartError> {
    let keyring = keys.get();
    let opens = if let Some(mark) = store.local(KEYRING_MARK)? {
        keyring.open_vault_name(VaultId::NIL, &mark).is_ok()
    } else {
        store.list(VaultId::NIL, Kind::VAULT, None, 1)?.iter().all(|stored| {
            let id = VaultId::from_bytes(*stored.record.id.as_bytes());
            let vault = minicbor::decode::<VaultAtRest>(&stored.record.payload);
            vault.is_ok_and(|vault| keyring.open_vault_name(id, &vault.name_sealed).is_ok())
        })
    };
    if opens {
        return Ok(());
    }
    let (path, data_dir) = (keys.path().to_owned(), folder.path().to_owned());
    Err(KeyringFileError::OtherDatabase { path, data_dir }.into())
}

/// Writes a new keyring before anything is sealed with it for good.
fn keep_keyring(keys: &NodeKeys, folder: &Folder) -> Result<(), StartError> {
    let path = keys.path();
    let is_new = !path.exists();
    keys.keep()?;
    if is_new {
        tracing::info!(path = %path.display(), "made the node keyring: keep a copy apart from the database");
    }
    if path.starts_with(folder.path()) {
        tracing::warn!(
            path = %path.display(),
            "the node keyring lies in the data folder: whoever copies the folder can open the vault tier"
        );
    }
    Ok(())
}

/// Notes in the database, once, which keyring it was sealed with.
async fn mark_keyring(keys: &NodeKeys, store: &Store) -> Result<(), StartError> {
    if store.local(KEYRING_MARK)?.is_none() {
        let mark = keys.get().seal_vault_name(VaultId::NIL, KEYRING_MARK);
        let local = vec![LocalChange { key: KEYRING_MARK.to_owned(), value: Some(mark) }];
        store.write(Operation { local, ..Operation::default() }).await?;
    }
    Ok(())
}

fn open_setup(store: &Store, folder: &Folder, clock: &dyn Clock) -> Result<Setup, StartError> {
    let has_vault = store.count(None, Kind::VAULT)? > 0;
    let path = folder.setup_secret();
    let setup = if has_vault || store.node().role == Role::Backup {
        Setup::closed(path.clone())
    } else {
        Setup::open(path.clone(), clock.monotonic_ms())
    };
    setup.map_err(|error| StartError::Setup { path, error })
}
