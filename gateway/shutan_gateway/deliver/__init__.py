"""From the spool to the stores: one thread per store, dead letters, replays."""
