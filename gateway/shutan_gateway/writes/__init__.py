"""Writes to nodes and devices (NCMD, DCMD) and wired meters: allow table, time limit, audit record of every attempt.

The gateway reads; writing is the exception. Who may write the data folder may ask through the control socket, the allow
table of the configuration decides, the audit record is on disk before anything leaves, and a write counts as done only
when a durable record of the device shows the value, or the wired meter has confirmed it.
"""

from __future__ import annotations

from shutan_gateway.writes.audit import Audit
from shutan_gateway.writes.desk import Desk

__all__ = ["Audit", "Desk"]
