-- Jobs that write, until their end is known. A version that does not know them would settle their rows too early.
CREATE TABLE write_jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    store INTEGER NOT NULL REFERENCES stores,
    tag TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (store, tag)
) STRICT;
