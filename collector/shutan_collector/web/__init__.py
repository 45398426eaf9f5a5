"""Read access to a ledger over HTTP: typed answers, exact numbers, problems as JSON (RFC 9457)."""
