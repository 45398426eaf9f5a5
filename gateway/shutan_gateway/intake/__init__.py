"""From messages and offers to durable records: sessions, repeats, conflicts, acknowledgements."""
