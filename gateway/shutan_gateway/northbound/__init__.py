"""Connections to others above the plant, one folder each: they are fed like stores, each from its own position."""
