"""Quality codes of the Sparkplug property `Quality` (Int32; Sparkplug 3.0, 6.4.9). Absent means good."""

PROPERTY = "Quality"

GOOD = 192
BAD = 0
STALE = 500


def name_of(code: int) -> str:
    """Name of a quality code; other codes (OPC style) are named by their number."""
    if code == GOOD:
        return "good"
    if code == BAD:
        return "bad"
    if code == STALE:
        return "stale"
    return "quality " + str(code)
