CREATE FUNCTION ledger_entry_next() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    last record;
BEGIN
    SELECT seq, hash INTO last FROM ledger_entry ORDER BY seq DESC LIMIT 1;
    IF NEW.seq <> coalesce(last.seq, 0) + 1 OR NEW.previous <> coalesce(last.hash, repeat('0', 64)) THEN
        RAISE EXCEPTION 'the ledger is append-only: INSERT beside the end of the chain refused';
    END IF;
    RETURN NEW;
END
$body$
--;
CREATE TRIGGER ledger_entry_next BEFORE INSERT ON ledger_entry
    FOR EACH ROW EXECUTE FUNCTION ledger_entry_next()
--;
CREATE INDEX ledger_entry_kind ON ledger_entry (kind, period, key, seq)
