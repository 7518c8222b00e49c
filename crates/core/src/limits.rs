//! Every bound of the product, by name. Sizes in bytes, times in the unit of the name.

/// The largest encoded record.
pub const RECORD_BYTES_MAX: usize = 256 * 1024;
/// The most records in one operation.
pub const OPERATION_RECORDS_MAX: usize = 256;
/// The most encoded bytes in one operation.
pub const OPERATION_BYTES_MAX: usize = 480 * 1024;
/// The most records in one batch.
pub const BATCH_RECORDS_MAX: usize = 256;
/// The most encoded record bytes in one batch.
pub const BATCH_BYTES_MAX: usize = 512 * 1024;
/// The longest page that is read on the task that asks; longer ones are read where blocking is allowed.
pub const INLINE_ROWS_MAX: usize = 4;
/// The most log records that a worker reads on its own task; more are read where blocking is allowed.
pub const INLINE_READ_RECORDS_MAX: u64 = 4;
/// The largest replication message, batch and frame around it.
pub const MESSAGE_BYTES_MAX: usize = 640 * 1024;
/// How many waiting writes may share one transaction.
pub const GROUP_OPERATIONS_MAX: usize = 256;
/// How many writes may wait for the writer thread before new ones are answered `busy`.
pub const WRITER_QUEUE_MAX: usize = 1024;
/// The largest HTTP body of an operation (JSON with base64 is about 1.4 times the record bytes).
pub const OPERATION_BODY_BYTES_MAX: usize = 1024 * 1024;
/// The largest HTTP body of a single entry.
pub const ENTRY_BODY_BYTES_MAX: usize = 512 * 1024;
/// The largest HTTP body of everything else on the public API.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// The largest body of `/pop/join`.
pub const JOIN_BODY_BYTES_MAX: usize = 4 * 1024;
/// How long a join may take on the primary, in seconds.
pub const JOIN_TIMEOUT_S: u64 = 5;
/// How long an invitation lives, in seconds.
pub const INVITATION_TTL_S: u64 = 30 * 60;
/// How many wrong tries void an invitation.
pub const INVITATION_TRIES_MAX: u32 = 5;
/// The most members of a cell.
pub const MEMBERS_MAX: usize = 64;
/// The most histories in a lineage; the oldest are folded.
pub const LINEAGE_MAX: usize = 64;
/// How far above `epoch_seen` a proved epoch may lie.
pub const EPOCH_JUMP_MAX: u64 = 1_000;
/// The longest title of an entry, in bytes.
pub const TITLE_BYTES_MAX: usize = 1_024;
/// The longest value in the vault tier, in bytes.
pub const VAULT_VALUE_BYTES_MAX: usize = 16 * 1024;
/// The longest sealed value of one field, in bytes.
pub const FIELD_BYTES_MAX: usize = 160 * 1024;
/// The most fields of an entry.
pub const FIELDS_MAX: usize = 256;
/// The most URLs of an entry.
pub const URLS_MAX: usize = 64;
/// The most tags of an entry.
pub const TAGS_MAX: usize = 64;
/// The longest name of a vault, in bytes.
pub const VAULT_NAME_BYTES_MAX: usize = 128;
/// The largest page of a list.
pub const PAGE_ITEMS_MAX: usize = 200;
/// How long a session lives, in seconds.
pub const SESSION_TTL_S: u64 = 15 * 60;
/// How long a log-in challenge lives, in seconds.
pub const CHALLENGE_TTL_S: u64 = 60;
/// The most used nonces that are remembered at once; beyond it log-ins are refused until some expire.
pub const NONCES_MAX: usize = 65_536;
/// How long the setup secret lives, in seconds.
pub const SETUP_TTL_S: u64 = 30 * 60;
/// The largest import file.
pub const IMPORT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The deepest nesting of an import file.
pub const IMPORT_DEPTH_MAX: usize = 64;
/// The most JSON values of one import file.
pub const IMPORT_VALUES_MAX: usize = 8_000_000;
/// The most entries of one import file.
pub const IMPORT_ENTRIES_MAX: usize = 100_000;
/// How long a drain may take at shutdown, in seconds.
pub const DRAIN_S: u64 = 10;
/// How many requests of the public API run at once.
pub const REQUESTS_MAX: usize = 1024;
/// How long one request of the public API may take, in seconds.
pub const REQUEST_TIMEOUT_S: u64 = 30;
/// How long a secret waits for its audit row before it is refused, in seconds.
pub const AUDIT_WAIT_S: u64 = 5;
/// The most unlockers of a vault.
pub const UNLOCKERS_MAX: usize = 64;
/// The most sessions that are remembered as ended before their time.
pub const SESSIONS_ENDED_MAX: usize = 65_536;
/// The most sources of failed log-ins that are remembered at once.
pub const FAILURE_SOURCES_MAX: usize = 4_096;
/// How many attempts to log in may wait for their turn at once, of all sources together.
pub const SLOWED_LOGINS_MAX: usize = 512;
/// How many attempts of one source may wait for their turn at once.
pub const SLOWED_PER_SOURCE_MAX: usize = 128;
/// How long a source that failed too often pauses after each further failure, in milliseconds.
pub const LOGIN_GAP_MS: u64 = 125;
/// How long an attempt may wait for its turn, in seconds.
pub const LOGIN_WAIT_S: u64 = 20;
/// How many connections of the public listener are open at once.
pub const CONNECTIONS_MAX: usize = 4_096;
/// How many connections of the operator's socket are open at once.
pub const OPERATOR_CONNECTIONS_MAX: usize = 64;
/// How long a connection may take to send the head of a request, in seconds; also how long it may idle between two.
pub const HEAD_TIMEOUT_S: u64 = 30;
/// The waits between tries towards a backup, in seconds; the alert follows the failure of the last.
pub const RETRY_SCHEDULE_S: [u64; 5] = [1, 5, 25, 125, 625];
/// The slow probe of a parked peer that is owed something, in seconds, before full jitter.
pub const PARKED_PROBE_S: u64 = 300;
/// How often writes may wake a parked peer, in seconds between tries.
pub const PARKED_WRITE_TRY_S: u64 = 60;
/// How long a link may be gone before the alert, in seconds.
pub const LINK_ALERT_S: u64 = 300;
/// How often a disconnected peer is greeted though nothing is dirty, in seconds.
pub const DISCONNECTED_HELLO_S: u64 = 300;
/// A backup's wait between tries to open its link, in seconds: full jitter between these two.
pub const LINK_RETRY_S: (u64, u64) = (1, 30);
/// How long one request between POPs may take, in seconds.
pub const PEER_REQUEST_TIMEOUT_S: u64 = 30;
/// How long connecting to a POP may take, in seconds.
pub const PEER_CONNECT_TIMEOUT_S: u64 = 5;
/// How often a worker task that ended may be restarted within a minute.
pub const WORKER_RESTARTS_PER_MINUTE_MAX: u32 = 3;
/// How long a webhook may take, in seconds.
pub const WEBHOOK_TIMEOUT_S: u64 = 5;
/// How much of a webhook's answer is read.
pub const WEBHOOK_ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How many alerts may wait for the webhook.
pub const ALERT_QUEUE_MAX: usize = 256;
/// How many alerts are remembered as raised; beyond it each is told again.
pub const ALERTS_RAISED_MAX: usize = 1_024;
/// How many TLS handshakes the POP listener carries on at once.
pub const POP_HANDSHAKES_MAX: usize = 64;
/// How many of them one source address carries on at once; an IPv6 source is its /64.
pub const POP_HANDSHAKES_PER_SOURCE_MAX: usize = 4;
/// How many connections of one source may wait for a turn at the POP listener, or have one.
pub const POP_WAITING_PER_SOURCE_MAX: usize = 32;
/// How many connections of all sources together may wait for a turn at the POP listener, or have one.
pub const POP_WAITING_MAX: usize = 1_024;
/// How long a connection waits for its turn at the POP listener, in seconds: less than the other end waits.
pub const POP_TURN_WAIT_S: u64 = 4;
/// How long a TLS handshake may take, in seconds.
pub const POP_HANDSHAKE_TIMEOUT_S: u64 = 5;
/// How many connections of keys without a pin the POP listener serves at once.
pub const UNPINNED_CONNECTIONS_MAX: usize = 16;
/// How many of them one source address holds; an IPv6 source is its /64.
pub const UNPINNED_CONNECTIONS_PER_SOURCE_MAX: usize = 2;
/// How long a connection of a key without a pin may live, in seconds.
pub const UNPINNED_CONNECTION_S: u64 = 10;
/// How many connections one member may hold open.
pub const MEMBER_CONNECTIONS_MAX: usize = 16;
/// How many sources of refused requests are told apart in the audit at once.
pub const REFUSAL_SOURCES_MAX: usize = 256;
/// How often one source's refusals for one reason make an audit row, in seconds; those between are counted.
pub const REFUSAL_AUDIT_S: u64 = 60;

const _: () = assert!(OPERATION_RECORDS_MAX <= BATCH_RECORDS_MAX && OPERATION_BYTES_MAX <= BATCH_BYTES_MAX);
const _: () = assert!(POP_TURN_WAIT_S < PEER_CONNECT_TIMEOUT_S);
const _: () = assert!(RECORD_BYTES_MAX <= OPERATION_BYTES_MAX && BATCH_BYTES_MAX < MESSAGE_BYTES_MAX);
const _: () = assert!(SLOWED_PER_SOURCE_MAX < SLOWED_LOGINS_MAX && SLOWED_LOGINS_MAX < REQUESTS_MAX);
const _: () = assert!(SLOWED_PER_SOURCE_MAX as u64 * LOGIN_GAP_MS < LOGIN_WAIT_S * 1_000);
const _: () = assert!(LOGIN_WAIT_S < REQUEST_TIMEOUT_S);
