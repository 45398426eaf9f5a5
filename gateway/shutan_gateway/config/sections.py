"""The tables of the gateway itself: [gateway], [mqtt], [intake], [spool], [http]."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shutan_gateway.config.fields import ExistingFile, FilePath, Groups, Id, LocalHost, Port, Section

__all__ = ["GatewaySection", "HttpSection", "IntakeSection", "MqttSection", "SpoolSection", "TlsSection"]


class GatewaySection(Section):
    """`[gateway]`: data_dir holds spool, registry, dead letters; host_id is the Sparkplug host id."""

    data_dir: FilePath
    host_id: Id = "shutan"


class TlsSection(Section):
    """`[mqtt.tls]`: ca_file alone checks the broker; cert_file and key_file identify this gateway to it.

    crl_file: revocation list of the CA; a broker whose certificate is on it is refused. Files may be replaced any time.
    """

    ca_file: ExistingFile
    cert_file: ExistingFile | None = None
    key_file: ExistingFile | None = None
    crl_file: ExistingFile | None = None


class MqttSection(Section):
    """`[mqtt]`: a broker on loopback, or elsewhere with `[mqtt.tls]` (`plaintext = true` says no on purpose)."""

    host: str = Field(default="127.0.0.1", min_length=1)
    port: Port = 1883
    username: str | None = None
    password_file: ExistingFile | None = None
    client_id: Id = "shutan-gateway"
    keepalive_s: int = Field(default=15, ge=5, le=3600)
    groups: Groups = ("+",)
    tls: TlsSection | None = None
    plaintext: bool = False


class IntakeSection(Section):
    """`[intake]`: tick_ms bounds fdatasyncs (one per tick); queue_messages bounds memory before the spool."""

    tick_ms: int = Field(default=20, ge=1, le=1000)
    queue_messages: int = Field(default=20_000, ge=100, le=1_000_000)
    reorder_s: float = Field(default=2.0, ge=0, le=60)
    rebirth_min_interval_s: float = Field(default=5.0, ge=0.1, le=3600)
    ack_interval_s: float = Field(default=1.0, ge=0.05, le=60)
    checkpoint_interval_s: float = Field(default=2.0, ge=0.1, le=300)
    conflict_window: int = Field(default=1024, ge=16, le=100_000)
    max_payload_bytes: int = Field(default=1_000_000, ge=1_000, le=10_000_000)


class SpoolSection(Section):
    """`[spool]`: at max_bytes of undelivered records the gateway stops acknowledging; the nodes keep their records.

    keep_days: how long delivered records stay for a replay; sooner gone when their room is needed, oldest first.
    when_full: "thin" drops undelivered gauges of the oldest records first, counted and listed, and keeps registers.
    """

    segment_bytes: int = Field(default=16 * 2**20, ge=2**16, le=2**30)
    max_bytes: int = Field(default=2 * 2**30, ge=2**18)
    keep_days: float = Field(default=7.0, ge=0, le=3650)
    when_full: Literal["stop", "thin"] = "stop"


class HttpSection(Section):
    """`[http]`: /metrics and /healthz on loopback; port 0 takes any free one."""

    host: LocalHost = "127.0.0.1"
    port: int = Field(default=8463, ge=0, le=65535)
