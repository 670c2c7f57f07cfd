-- Tokens, sealed with a key that is not in here. A slot whose tokens were forgotten keeps its version.
CREATE TABLE tokens (
    store INTEGER NOT NULL REFERENCES stores,
    slot TEXT NOT NULL,
    version INTEGER NOT NULL,
    key TEXT,
    nonce BLOB,
    sealed BLOB,
    PRIMARY KEY (store, slot)
) STRICT, WITHOUT ROWID;

-- Who refreshes a slot.
CREATE TABLE token_claims (
    store INTEGER NOT NULL REFERENCES stores,
    slot TEXT NOT NULL,
    holder TEXT NOT NULL,
    until TEXT NOT NULL,
    PRIMARY KEY (store, slot)
) STRICT, WITHOUT ROWID;
