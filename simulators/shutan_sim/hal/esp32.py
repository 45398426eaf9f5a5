"""`esp32` for the unix port: the few calls that a node makes, with answers of a healthy chip."""
# ruff: noqa: INP001 - modules of a board lie in a folder that is a search path, not a package

import json

HEAP_DATA = 4
HEAP_EXEC = 1
WAKEUP_ALL_LOW = 0
WAKEUP_ANY_HIGH = 1
_NVS_FILE = "nvs.json"


def mcu_temperature() -> int:
    """Degrees Celsius inside the chip (C3, C6, S3)."""
    return 41


def raw_temperature() -> int:
    """Degrees Fahrenheit inside the chip (ESP32)."""
    return 106


def idf_heap_info(_capabilities: int) -> list:
    """(total, free, largest free block, least free ever) of each region outside the Python heap, in bytes."""
    return [(113840, 62000, 31744, 48000)]


class NVS:
    """Key-value flash of one namespace, in `nvs.json` of the working directory."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        try:
            with open(_NVS_FILE) as file:  # noqa: PTH123 - MicroPython
                self._all = json.load(file)
        except OSError:
            self._all = {}
        self._own = self._all.setdefault(namespace, {})

    def set_i32(self, key: str, value: int) -> None:
        """Keep an integer, on flash after commit()."""
        self._own[key] = value

    def get_i32(self, key: str) -> int:
        """An integer; OSError when the key is not there."""
        if key not in self._own:
            raise OSError(-4354, "ESP_ERR_NVS_NOT_FOUND")
        return self._own[key]

    def erase_key(self, key: str) -> None:
        """Forget a key."""
        self.get_i32(key)
        del self._own[key]

    def commit(self) -> None:
        """Write to flash."""
        with open(_NVS_FILE, "w") as file:  # noqa: PTH123 - MicroPython
            json.dump(self._all, file)


class Partition:
    """The running application partition."""

    BOOT = 0
    RUNNING = 1

    def __init__(self, _which: object = RUNNING) -> None:
        self._label = "ota_0"

    def info(self) -> tuple:
        """(type, subtype, address, size, label, encrypted)."""
        return (0, 16, 0x10000, 0x180000, self._label, False)

    @staticmethod
    def mark_app_valid_cancel_rollback() -> None:
        """Nothing to confirm: the simulated image is the only one."""
