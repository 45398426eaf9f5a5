"""The one error of the contract package.

WireError (ValueError): bytes, text or values that do not follow the contract. The caller drops and counts;
trying the same input again cannot help.
"""


class WireError(ValueError):
    """Malformed input or a value that the wire cannot carry.

    where:  the place, such as `sparkplug.metric[3].value`, `mqtt.fixed_header`, `topic`
    reason: what is wrong there, without the input itself (it may be large or secret)
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where = where
        self.reason = reason

    def __str__(self) -> str:
        return self.where + ": " + self.reason
