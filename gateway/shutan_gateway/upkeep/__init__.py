"""Keeping spool and registry in bounds and in use: thinning, pruning, replay, status."""
