"""Errors of the simulator.

SimError                one line for a person, with place and remedy
├── SetupError          something that the simulation needs is missing or was given wrongly
└── HistoryError        the back-fill could not be finished; what the gateway acknowledged is kept
"""


class SimError(Exception):
    """Base of all errors that a user of `shutan sim` can see; str() is one line."""


class SetupError(SimError):
    """A part, a file or an option is missing or wrong. where: what was looked at; remedy: what to do."""

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        super().__init__(f"{where}: {problem}; {remedy}")
        self.where = where
        self.problem = problem
        self.remedy = remedy


class HistoryError(SimError):
    """The gateway stopped acknowledging the back-fill."""

    def __init__(self, node: str, acknowledged: int, total: int) -> None:
        super().__init__(
            f"history of {node}: record {acknowledged} of {total} is the last one acknowledged; "
            "see that the gateway runs and is connected to the same broker, then start again"
        )
        self.node = node
        self.acknowledged = acknowledged
        self.total = total
