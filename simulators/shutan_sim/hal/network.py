"""`network` of an ESP32 for the unix port: an interface that is up because the host is.

A file named `wlan.down` in the node's directory takes the radio away (isconnected() is False, connect() finds no access
point) until it is removed.
"""
# ruff: noqa: INP001 - modules of a board lie in a folder that is a search path, not a package

import os

STA_IF = 0
AP_IF = 1
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
PHY_LAN8720 = 0

_DOWN_FILE = "wlan.down"
_hostname = ["mpy-esp32"]


def hostname(name: object = None) -> object:
    """Read or set the host name."""
    if name is None:
        return _hostname[0]
    _hostname[0] = name
    return None


def country(_code: object = None) -> str:
    """Regulatory domain."""
    return "CN"


class _Interface:
    def __init__(self, *_args: object, **_kwargs: object) -> None:
        self._active = False
        self._joined = False

    def active(self, on: object = None) -> bool:
        """Read or switch the interface."""
        if on is not None:
            self._active = bool(on)
            self._joined = self._joined and self._active
        return self._active

    def _in_reach(self) -> bool:
        try:
            os.stat(_DOWN_FILE)  # noqa: PTH116 - MicroPython
        except OSError:
            return True
        return False

    def isconnected(self) -> bool:
        """Whether there is an address."""
        return self._active and self._joined and self._in_reach()

    def ifconfig(self, _settings: object = None) -> tuple:
        """(address, netmask, gateway, name server)."""
        return ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")

    def config(self, *args: object, **_settings: object) -> object:
        """Any setting is taken; the MAC address and the names can be read."""
        if not args:
            return None
        if args[0] == "mac":
            import machine  # noqa: PLC0415 - only where the address is asked for

            return machine.unique_id()
        return {"hostname": _hostname[0], "essid": "sim", "ssid": "sim", "channel": 6}.get(args[0], 0)


class WLAN(_Interface):
    """A radio."""

    IF_STA = STA_IF
    IF_AP = AP_IF
    PM_NONE = 0

    def connect(self, _ssid: object = None, _key: object = None, **_settings: object) -> None:
        """Join at once; the state shows whether anything was in reach."""
        if not self._active:
            raise OSError("Wifi Not Started")
        self._joined = True

    def disconnect(self) -> None:
        """Leave."""
        self._joined = False

    def status(self, what: object = None) -> int:
        """State of the link, or with "rssi" its level in dBm."""
        if what == "rssi":
            return -55 if self._in_reach() else -127
        if not self._joined:
            return STAT_IDLE
        return STAT_GOT_IP if self._in_reach() else STAT_NO_AP_FOUND

    def scan(self) -> list:
        """Access points in reach: (ssid, bssid, channel, rssi, security, hidden)."""
        return [(b"sim", b"\x02\x00\x00\x00\x00\x01", 6, -55, 3, False)] if self._in_reach() else []


class LAN(_Interface):
    """A wired port: up as soon as it is active."""

    def active(self, on: object = None) -> bool:
        """Read or switch the interface."""
        self._joined = bool(on) if on is not None else self._joined
        return super().active(on)

    def status(self) -> int:
        """State of the link."""
        return STAT_GOT_IP if self.isconnected() else STAT_IDLE
