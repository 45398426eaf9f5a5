"""Subcommands of `shutan` that this package brings."""
