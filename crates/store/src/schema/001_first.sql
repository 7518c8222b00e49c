-- Everything that a backup must have. `bytes` is the whole wire encoding, payload and lookups inside; the other
-- columns are derived from it, but for `seq`, the record's place in the order.
CREATE TABLE records (
    id            BLOB    NOT NULL PRIMARY KEY,
    vault_id      BLOB    NOT NULL,
    kind          INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    version       INTEGER NOT NULL,
    deleted       INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    bytes         BLOB    NOT NULL
);

-- Lists and counts of living records. No unique index on `seq`: the key of `log` proves it.
CREATE INDEX records_living ON records (kind, vault_id, id) WHERE deleted = 0;

-- Blind indexes of living records, derived from `bytes` in the same transaction.
CREATE TABLE lookups (
    vault_id  BLOB    NOT NULL,
    purpose   INTEGER NOT NULL,
    hash      BLOB    NOT NULL,
    record_id BLOB    NOT NULL,
    PRIMARY KEY (vault_id, purpose, hash, record_id)
) WITHOUT ROWID;

-- The order of changes, hash-chained. Empty on a node that does not replicate.
CREATE TABLE log (
    seq           INTEGER NOT NULL PRIMARY KEY,
    bytes         BLOB    NOT NULL,
    operation_end INTEGER NOT NULL,
    digest        BLOB    NOT NULL,
    chain         BLOB    NOT NULL
);

-- One row: where the node stands. An epoch is 16 bytes, number and nonce, both big-endian.
CREATE TABLE meta (
    one         INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    cell        BLOB    NOT NULL,
    pop         TEXT,
    role        INTEGER NOT NULL,
    history     BLOB    NOT NULL,
    epoch_seen  BLOB    NOT NULL,
    head        INTEGER NOT NULL,
    chain       BLOB    NOT NULL,
    digest      BLOB    NOT NULL,
    log_floor   INTEGER NOT NULL,
    halted      TEXT,
    starts      INTEGER NOT NULL,
    audit_n     INTEGER NOT NULL,
    audit_chain BLOB    NOT NULL
);

-- Node-local values: never replicated, never part of chain or digest.
CREATE TABLE local (
    key   TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- What each backup has acknowledged.
CREATE TABLE peers (
    pop     TEXT    NOT NULL PRIMARY KEY,
    history BLOB    NOT NULL,
    seq     INTEGER NOT NULL,
    chain   BLOB    NOT NULL,
    at_ms   INTEGER NOT NULL
) WITHOUT ROWID;

-- Append-only, hash-chained, sealed rows of this node.
CREATE TABLE audit (
    n        INTEGER NOT NULL PRIMARY KEY,
    at_ms    INTEGER NOT NULL,
    vault_id BLOB    NOT NULL,
    sealed   BLOB    NOT NULL,
    chain    BLOB    NOT NULL
);

-- Where earlier histories ended, oldest first.
CREATE TABLE lineage (
    place   INTEGER NOT NULL PRIMARY KEY,
    history BLOB    NOT NULL,
    upto    INTEGER NOT NULL,
    chain   BLOB    NOT NULL
);

-- Records that arrived and could not be stored, with their bytes. Never emptied by the machine.
CREATE TABLE quarantine (
    seq    INTEGER NOT NULL PRIMARY KEY,
    record BLOB    NOT NULL,
    reason TEXT    NOT NULL
);
