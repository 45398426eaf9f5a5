-- INSERT OR REPLACE deletes the old row without its DELETE trigger; here it meets the rule that an entry is the next one.
CREATE TRIGGER ledger_entry_next BEFORE INSERT ON ledger_entry
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM ledger_entry)
    OR NEW.previous IS NOT coalesce((SELECT hash FROM ledger_entry ORDER BY seq DESC LIMIT 1), printf('%064d', 0))
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: INSERT beside the end of the chain refused');
END
--;
CREATE INDEX ledger_entry_kind ON ledger_entry (kind, period, key, seq)
