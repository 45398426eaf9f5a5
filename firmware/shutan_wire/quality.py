"""Quality codes of the Sparkplug property `Quality` (Int32; Sparkplug 3.0, 6.4.9). Absent means good.

Sparkplug names 0, 192 and 500; the finer ones are those of OPC (OPC Data Access 3.0, 6.8: quality and substatus), since
hosts show them: a sensor failure, a sensor that is not accurate (yet), engineering units exceeded.
"""

PROPERTY = "Quality"

GOOD = 192
BAD = 0
STALE = 500
SENSOR_FAULT = 16  # the sensor says that it is broken, or its wire is
UNCERTAIN = 64  # a counter that may have missed something since the reading before
WARMING_UP = 80  # the sensor answers, but is not accurate yet
RANGE = 84  # outside of what the sensor can measure

_NAMES = {
    GOOD: "good", BAD: "bad", STALE: "stale", SENSOR_FAULT: "sensor fault", UNCERTAIN: "uncertain",
    WARMING_UP: "warming up", RANGE: "range",
}  # fmt: skip


def name_of(code: int) -> str:
    """Name of a quality code; other codes (OPC style) are named by their number."""
    return _NAMES.get(code, "quality " + str(code))
