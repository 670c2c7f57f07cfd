-- The inbox. The order of seq is the order in which deliveries came; AUTOINCREMENT never gives one twice.
CREATE TABLE deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    store INTEGER NOT NULL REFERENCES stores,
    digest BLOB NOT NULL,
    at_millis INTEGER NOT NULL,
    UNIQUE (store, digest)
) STRICT;
CREATE INDEX deliveries_by_seq ON deliveries (store, seq);
CREATE INDEX deliveries_by_age ON deliveries (store, at_millis);

-- One a record. Its place is the seq of a delivery. The body is the whole job.
CREATE TABLE jobs (
    store INTEGER NOT NULL REFERENCES stores,
    record TEXT NOT NULL,
    place INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (store, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_by_place ON jobs (store, place);

CREATE TABLE noted_hashes (
    store INTEGER NOT NULL REFERENCES stores,
    record TEXT NOT NULL,
    hash TEXT NOT NULL,
    began TEXT NOT NULL,
    began_millis INTEGER NOT NULL,
    PRIMARY KEY (store, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX noted_hashes_by_age ON noted_hashes (store, began_millis);
