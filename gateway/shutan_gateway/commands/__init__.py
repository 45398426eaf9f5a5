"""Subcommands of `shutan`, one module each: found by the entry-point group `shutan.commands`, imported when called."""
