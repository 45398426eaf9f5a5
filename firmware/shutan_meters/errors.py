"""Errors of the meter package, by what the caller does.

MeterError
 ├── FrameError     noise or a damaged frame: ask again, then count
 ├── NoAnswer       silence: ask again, then mark the meter stale and back off
 ├── Refused        the meter said no: asking again now cannot help
 └── ProfileError   a profile or an address is wrong: tell a person
"""


class MeterError(Exception):
    """Root of the tree; never raised itself.

    where:  the place, such as `byte 12`, `bus`, `reads[2].items[0].scale`
    reason: what is wrong there
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where = where
        self.reason = reason

    def __str__(self) -> str:
        return self.where + ": " + self.reason


class FrameError(MeterError):
    """The bytes hold no whole, undamaged frame of the protocol."""


class NoAnswer(MeterError):  # noqa: N818 - the contract's name: it is an outcome of a read, not a fault of the code
    """Nothing came before the time-out."""


class Refused(MeterError):  # noqa: N818 - see NoAnswer
    """The meter answered with an error code.

    code: DL/T 645 error byte (bit field) or Modbus exception code
    """

    def __init__(self, where: str, reason: str, code: int) -> None:
        super().__init__(where, reason)
        self.code = code


class ProfileError(MeterError):
    """A profile, address or ratio that cannot be used.

    mistakes: every mistake found, each as `key: problem`
    """

    def __init__(self, where: str, mistakes: "list[str]") -> None:
        super().__init__(where, "; ".join(mistakes))
        self.mistakes = mistakes
