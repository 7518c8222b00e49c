//! What a node refuses to start on, and what it leaves alone.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use clavitor_core::change::LocalChange;
use clavitor_core::edition::KeyringPort as _;
use clavitor_core::exit;
use clavitor_core::ids::CellId;
use clavitor_core::order::Seq;
use clavitor_core::replica::{Adopt, CommitObserver, ReplicaWrite, Role};
use clavitor_core::replicator::ReplicationStatus;
use clavitor_core::secret::SecretBytes;
use clavitor_crypto::keyring::NodeKeyring;
use clavitor_store::{Store, StoreOptions};

use super::bed::{Bed, TestClock, config, get, new_id};
use crate::app::{App, HostParts, StartError};
use crate::config::{KeyringPlace, Overrides, Sources};
use crate::data::{FolderError, KeyringFileError, NodeKeys};

async fn start(folder: &Path) -> Result<App, StartError> {
    App::build(config(folder), HostParts { clock: Arc::new(TestClock::default()) }).await
}

/// Hears nothing.
struct Deaf;

impl CommitObserver for Deaf {
    fn committed(&self, _: Seq) {}
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_second_process_on_the_same_folder_is_refused() {
    let bed = Bed::start().await;
    let error = start(bed.folder.path()).await.err().unwrap();
    assert!(matches!(error, StartError::Folder(FolderError::Locked { holder: Some(_), .. })), "{error:?}");
    assert_eq!(error.exit_code(), exit::UNEXPECTED);
    assert!(error.to_string().contains("nothing was touched"));
    assert_eq!(bed.send(get("/readyz")).await.status, 200, "the first one works on");
}

#[tokio::test]
async fn folder_and_files_are_for_one_pair_of_eyes() {
    let bed = Bed::start().await;
    bed.owner().await;
    let data = bed.folder.path().join("data");
    assert_eq!(std::fs::metadata(&data).unwrap().mode() & 0o777, 0o700);
    let mut names = Vec::new();
    for file in std::fs::read_dir(&data).unwrap().map(Result::unwrap) {
        assert_eq!(file.metadata().unwrap().mode() & 0o077, 0, "{file:?}");
        names.push(file.file_name().into_string().unwrap());
    }
    assert!(
        names.contains(&"clavitor.db".to_owned()) && names.contains(&"admin.sock".to_owned()),
        "{names:?}"
    );
    let keyring = bed.folder.path().join("data.keyring");
    assert_eq!(std::fs::metadata(keyring).unwrap().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_folder_that_others_may_enter_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    set_mode(&data, 0o755);
    std::fs::write(data.join("something"), "").unwrap();
    let error = start(folder.path()).await.err().unwrap();
    assert!(matches!(error, StartError::Folder(FolderError::Open { mode: 0o755, .. })), "{error:?}");
    std::fs::remove_file(data.join("something")).unwrap();
    drop(start(folder.path()).await.unwrap());
    assert_eq!(std::fs::metadata(&data).unwrap().mode() & 0o777, 0o700, "an empty one is closed");
}

#[tokio::test]
async fn a_database_without_its_keyring_is_refused_and_kept() {
    let bed = Bed::start().await;
    bed.owner().await;
    bed.app.drain().await;
    let Bed { folder, app, .. } = bed;
    drop(app);
    let keyring = folder.path().join("data.keyring");
    let bytes = std::fs::read(&keyring).unwrap();
    std::fs::remove_file(&keyring).unwrap();
    let error = start(folder.path()).await.err().unwrap();
    assert!(matches!(error, StartError::Keyring(KeyringFileError::Missing { .. })), "{error:?}");
    assert!(
        error.to_string().contains("restore that file") && !keyring.exists(),
        "none was made in its place"
    );

    std::fs::write(&keyring, NodeKeyring::generate().to_bytes().expose()).unwrap();
    set_mode(&keyring, 0o640);
    let error = start(folder.path()).await.err().unwrap();
    assert!(matches!(error, StartError::Keyring(KeyringFileError::Open { mode: 0o640, .. })), "{error:?}");
    set_mode(&keyring, 0o600);
    let error = start(folder.path()).await.err().unwrap();
    assert!(matches!(error, StartError::Keyring(KeyringFileError::OtherDatabase { .. })), "{error:?}");
    std::fs::write(&keyring, &bytes[..bytes.len() - 1]).unwrap();
    let error = start(folder.path()).await.err().unwrap();
    assert!(matches!(error, StartError::Keyring(KeyringFileError::Unusable { .. })), "{error:?}");

    std::fs::write(&keyring, &bytes).unwrap();
    let app = start(folder.path()).await.unwrap();
    assert_eq!(get("/api/v1/status").to(app.router()).await.json["set_up"], true);
}

#[tokio::test]
async fn a_restart_ends_sessions_and_keeps_entries() {
    let bed = Bed::start().await;
    let (mut owner, id) = (bed.owner().await, new_id());
    bed.send(owner.create(id, "Mail")).await;
    bed.app.drain().await;
    let Bed { folder, app, clock } = bed;
    drop(app);
    let app = start(folder.path()).await.unwrap();
    assert!(app.setup_file().is_none(), "a node with a vault has no setup secret");
    let bed = Bed { folder, app, clock };
    bed.send(owner.read(id)).await.is_problem(401, "not-authenticated");
    owner.token = bed.sign_in(&owner).await;
    assert_eq!(bed.send(owner.read(id)).await.json["version"], 1);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let bed = Bed::start().await;
    let other = tempfile::tempdir().unwrap();
    let mut config = config(other.path());
    config.listen = bed.app.address();
    let error = App::build(config, HostParts { clock: Arc::new(TestClock::default()) }).await.err().unwrap();
    assert!(matches!(error, StartError::Bind { .. }), "{error:?}");
    assert!(error.to_string().contains(&bed.app.address().to_string()));
}

#[tokio::test]
async fn a_setup_secret_of_an_earlier_start_is_void() {
    let bed = Bed::start().await;
    let secret = bed.setup_secret();
    bed.app.drain().await;
    let Bed { folder, app, clock } = bed;
    drop(app);
    let bed = Bed { app: start(folder.path()).await.unwrap(), folder, clock };
    assert_ne!(bed.setup_secret(), secret);
    let key = clavitor_crypto::vault_key::VaultKey::generate();
    let request = super::bed::new_vault(&key, clavitor_crypto::random::vault_id(0));
    bed.send(super::bed::create_vault(&secret, &request)).await.is_problem(401, "setup-refused");
    bed.owner().await;
}

#[tokio::test]
async fn a_keyring_is_made_once_for_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let app = start(folder.path()).await.unwrap();
    app.drain().await;
    drop(app);
    let keyring = folder.path().join("data.keyring");
    std::fs::rename(&keyring, folder.path().join("moved")).unwrap();
    let error = start(folder.path()).await.err().unwrap();
    assert!(matches!(error, StartError::Keyring(KeyringFileError::Missing { .. })), "{error:?}");
    std::fs::rename(folder.path().join("moved"), &keyring).unwrap();
    start(folder.path()).await.unwrap();
}

#[tokio::test]
async fn a_node_that_does_not_start_leaves_no_keyring_behind() {
    let folder = tempfile::tempdir().unwrap();
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config(folder.path());
    config.listen = taken.local_addr().unwrap();
    let keyring = config.keyring.path().to_owned();
    let started = App::build(config, HostParts { clock: Arc::new(TestClock::default()) }).await;
    assert!(started.is_err() && !keyring.exists());
    drop(taken);
    start(folder.path()).await.unwrap();
    assert!(keyring.exists());
}

/// Makes the stopped, empty node in `folder` a backup of a cell.
async fn join(folder: &Path, cell: CellId) {
    let clock = Arc::new(TestClock::default());
    let options = StoreOptions { replicates: true, clock, cell, epoch_nonce: 1 };
    let store = Store::open(&config(folder).data_dir.join("clavitor.db"), options).unwrap();
    store.start(Arc::new(Deaf));
    let pin = LocalChange { key: "replication/bootstrap-pin".to_owned(), value: Some(vec![1]) };
    let (pop, role) = ("zurich-01".parse().unwrap(), Role::Backup);
    let adopt = Adopt { cell: Some(cell), pop, role, local: vec![pin] };
    let (done, adopted) = tokio::sync::oneshot::channel();
    let reply = Box::new(move |answer: Result<_, _>| done.send(answer.map(|_| ())).unwrap());
    store.replica().submit(ReplicaWrite::Adopt(Box::new(adopt)), reply);
    adopted.await.unwrap().unwrap();
    tokio::task::spawn_blocking(move || store.close()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_backup_that_left_starts_as_a_node_of_its_own() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(TestClock::default()));
    start(folder.path()).await.unwrap().drain().await;
    let old = CellId::from_bytes([5; 16]);
    join(folder.path(), old).await;
    let refused = start(folder.path()).await.err().unwrap();
    assert!(refused.to_string().contains("clavitor replication leave"), "{refused}");

    assert!(crate::host::leave(&config(folder.path())).unwrap());
    let bed = Bed { app: start(folder.path()).await.unwrap(), folder, clock };
    let node = bed.app.store.node();
    assert!(node.cell != old && node.role == Role::Primary && node.pop.is_none(), "{node:?}");
    assert_eq!(bed.app.store.local("replication/bootstrap-pin").unwrap(), None, "nobody is pinned");
    let owner = bed.owner().await;
    assert_eq!(owner.cell, node.cell);
    bed.app.drain().await;
    let Bed { folder, app, .. } = bed;
    drop(app);

    let file = folder.path().join("clavitor.toml");
    let text = "[replication]\npop = \"oslo-01\"\nrole = \"primary\"\nlisten = \"127.0.0.1:0\"\n";
    std::fs::write(&file, text).unwrap();
    let data_dir = Some(config(folder.path()).data_dir);
    let flags = Overrides {
        config: Some(file),
        data_dir,
        listen: Some("127.0.0.1:0".into()),
        ..Overrides::default()
    };
    let loaded = Sources { env: &|_| None, flags }.load();
    if !crate::edition::REPLICATES {
        assert_eq!(loaded.unwrap_err().exit_code(), exit::OTHER_EDITION);
        return;
    }
    let parts = HostParts { clock: Arc::new(TestClock::default()) };
    let app = App::build(loaded.unwrap(), parts).await.unwrap();
    let ReplicationStatus::Active(status) = app.node.replicator().status() else {
        panic!("it is the primary of a cell of its own");
    };
    assert_eq!((status.cell, status.role), (node.cell, Role::Primary));
    assert!(status.backups.is_empty() && status.upstream.is_none());
    app.drain().await;
}

#[tokio::test]
async fn what_a_dead_process_was_writing_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    drop(start(folder.path()).await.unwrap());
    let abandoned = [folder.path().join("data.keyring.new-7"), data.join("setup-secret.new-4194304")];
    let others = [folder.path().join("data.keyring.new-"), folder.path().join("data.keyring.new-copy")];
    for path in abandoned.iter().chain(&others) {
        std::fs::write(path, "key bytes").unwrap();
    }
    drop(start(folder.path()).await.unwrap());
    assert!(abandoned.iter().all(|path| !path.exists()), "{abandoned:?}");
    assert!(others.iter().all(|path| path.exists()), "somebody else's");
}

#[test]
fn a_received_keyring_never_replaces_another() {
    let folder = tempfile::tempdir().unwrap();
    let place = KeyringPlace::File(folder.path().join("keyring"));
    let keys = NodeKeys::unwritten(&place);
    assert!(!place.path().exists());
    let sender = NodeKeyring::generate();
    assert!(keys.import(SecretBytes::new(vec![1, 2, 3])).is_err() && !place.path().exists());
    keys.import(sender.to_bytes()).unwrap();
    assert_eq!(keys.get().key_id(), sender.key_id());
    assert_eq!(std::fs::metadata(place.path()).unwrap().mode() & 0o777, 0o600);
    keys.import(sender.to_bytes()).unwrap();
    let refused = keys.import(NodeKeyring::generate().to_bytes()).unwrap_err();
    assert!(refused.contains("was kept"), "{refused}");
    assert_eq!(NodeKeys::load(&place).unwrap().unwrap().get().key_id(), sender.key_id());
    keys.keep().unwrap();
    let error = NodeKeys::unwritten(&place).keep().err().unwrap();
    assert!(matches!(error, KeyringFileError::Io { .. }), "{error:?}");
}
