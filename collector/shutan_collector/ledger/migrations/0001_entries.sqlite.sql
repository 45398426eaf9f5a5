CREATE TABLE ledger_entry (
    seq         INTEGER PRIMARY KEY CHECK (seq > 0),
    at          TEXT NOT NULL,
    author      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    key         TEXT NOT NULL,
    period      TEXT NOT NULL,
    body_sha256 TEXT NOT NULL CHECK (length(body_sha256) = 64),
    previous    TEXT NOT NULL UNIQUE CHECK (length(previous) = 64),
    hash        TEXT NOT NULL UNIQUE CHECK (length(hash) = 64),
    body        BLOB NOT NULL
) STRICT
--;
CREATE TRIGGER ledger_entry_no_update BEFORE UPDATE ON ledger_entry
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: UPDATE refused');
END
--;
CREATE TRIGGER ledger_entry_no_delete BEFORE DELETE ON ledger_entry
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: DELETE refused');
END
