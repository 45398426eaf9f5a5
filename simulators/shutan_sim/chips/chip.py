"""What the I2C chips share."""

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable

ENODEV = 19  # what a board's I2C raises when nobody acknowledges


class Chip:
    """A chip with a clock. dead: it answers nothing; babbling: every answer is full of set bits."""

    def __init__(self, now_ms: "Callable[[], int]") -> None:
        self.now_ms = now_ms
        self.dead = False
        self.babbling = False

    def write(self, data: bytes) -> None:
        """Bytes of one I2C write behind the address."""
        if self.dead:
            raise OSError(ENODEV)
        self.take(data)

    def read(self, count: int) -> bytes:
        """Bytes of one I2C read; a chip that has less lets the bus float high."""
        if self.dead:
            raise OSError(ENODEV)
        if self.babbling:
            return b"\xff" * count
        found = self.give()
        return found[:count] + b"\xff" * (count - len(found))

    def take(self, data: bytes) -> None:
        """See `write`."""

    def give(self) -> bytes:
        """See `read`."""
        return b""


def nack() -> None:
    """The chip does not acknowledge."""
    raise OSError(ENODEV)
