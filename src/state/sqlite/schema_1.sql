CREATE TABLE stores (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    platform TEXT NOT NULL,
    account TEXT NOT NULL,
    UNIQUE (tenant, platform, account)
) STRICT;

CREATE TABLE leases (
    store INTEGER PRIMARY KEY REFERENCES stores,
    fence INTEGER NOT NULL,
    holder TEXT,
    until TEXT
) STRICT;

CREATE TABLE checkpoints (
    store INTEGER NOT NULL REFERENCES stores,
    run TEXT NOT NULL,
    checkpoint TEXT NOT NULL,
    PRIMARY KEY (store, run)
) STRICT, WITHOUT ROWID;

-- One row a commit; ids are unsigned 64-bit numbers, little end first.
CREATE TABLE delivered (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    store INTEGER NOT NULL REFERENCES stores,
    run TEXT NOT NULL,
    ids BLOB NOT NULL
) STRICT;
CREATE INDEX delivered_by_run ON delivered (store, run, seq);

CREATE TABLE bases (
    store INTEGER NOT NULL REFERENCES stores,
    token TEXT NOT NULL,
    value TEXT NOT NULL,
    at_millis INTEGER NOT NULL,
    PRIMARY KEY (store, token)
) STRICT, WITHOUT ROWID;
CREATE INDEX bases_by_age ON bases (store, at_millis);

-- The order of seq is the order of the appends. The body holds what has no column of its own.
CREATE TABLE write_log (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    store INTEGER NOT NULL REFERENCES stores,
    id TEXT NOT NULL,
    push TEXT NOT NULL,
    kind TEXT NOT NULL,
    holder TEXT NOT NULL,
    cell TEXT NOT NULL,
    state TEXT NOT NULL,
    outcome TEXT NOT NULL,
    undone_by TEXT,
    body TEXT NOT NULL,
    UNIQUE (store, id)
) STRICT;
CREATE INDEX write_log_by_cell ON write_log (store, cell, seq);
CREATE INDEX write_log_by_holder ON write_log (store, holder, seq);
CREATE INDEX write_log_by_push ON write_log (store, push, seq);
CREATE INDEX write_log_unsettled ON write_log (store, seq) WHERE state IN ('intent', 'unknown');
