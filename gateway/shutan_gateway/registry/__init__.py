"""What must outlive a restart beside the spool: births, sessions, watermarks, places of stores."""
