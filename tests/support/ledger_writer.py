"""A process that appends to a ledger, for tests that kill it or let two of them meet.

    python -m support.ledger_writer URL AUTHOR TRANSACTIONS RECORDS [STOP_AT]

It says "ready", waits for a line, then writes TRANSACTIONS transactions of RECORDS records, each with "done N" on its
output when it is durable. In the last transaction it says "inside" before record STOP_AT and waits for another line:
whoever kills it then kills it in the middle of an append.
"""

import sys
from collections.abc import Iterator

from shutan_collector.ledger.entries import Record, now
from shutan_collector.ledger.store import open_ledger


def say(text: str) -> None:
    """One line to the parent, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def records(author: str, transaction: int, count: int, stop_at: int | None) -> Iterator[Record]:
    """The records of one transaction, each with a body of some kilobytes."""
    for number in range(count):
        if number == stop_at:
            say("inside")
            sys.stdin.readline()
        body = {"author": author, "transaction": transaction, "number": number, "register": list(range(500))}
        yield Record("document", f"{author}/{transaction}/{number}", "2025-06", body)


def main(url: str, author: str, transactions: int, count: int, stop_at: int | None) -> None:
    """Open, wait for the start, write."""
    with open_ledger(url, create=True) as ledger:
        say("ready")
        sys.stdin.readline()
        for transaction in range(transactions):
            last = transaction == transactions - 1
            ledger.append(records(author, transaction, count, stop_at if last else None), author, now())
            say(f"done {transaction}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]) if len(sys.argv) > 5 else None)
