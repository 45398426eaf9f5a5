CREATE TABLE ledger_entry (
    seq         bigint PRIMARY KEY CHECK (seq > 0),
    at          text NOT NULL,
    author      text NOT NULL,
    kind        text NOT NULL,
    key         text NOT NULL,
    period      text NOT NULL,
    body_sha256 text NOT NULL CHECK (length(body_sha256) = 64),
    previous    text NOT NULL UNIQUE CHECK (length(previous) = 64),
    hash        text NOT NULL UNIQUE CHECK (length(hash) = 64),
    body        bytea NOT NULL
)
--;
CREATE FUNCTION ledger_entry_append_only() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    RAISE EXCEPTION USING MESSAGE = 'the ledger is append-only: ' || TG_OP || ' refused';
END
$body$
--;
CREATE TRIGGER ledger_entry_no_change BEFORE UPDATE OR DELETE ON ledger_entry
    FOR EACH ROW EXECUTE FUNCTION ledger_entry_append_only()
--;
CREATE TRIGGER ledger_entry_no_truncate BEFORE TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_entry_append_only()
