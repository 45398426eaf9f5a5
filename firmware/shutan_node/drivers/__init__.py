"""Drivers of the sensors on the board and its buses, one module each; a node loads those that its configuration names.

A module has one class, named by its constant DRIVER; `NAME.toml` beside it says what a person wants to know.
"""

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_node.drivers.driver import Driver
    from shutan_node.shapes import DriverOptions


def make(driver: str, name: str, address: "str | int", options: "DriverOptions") -> "Driver":
    """A driver by the name of its module, for the device `name`; ProfileError with every mistake."""
    from shutan_meters.errors import ProfileError

    try:
        module = __import__("shutan_node.drivers." + driver, None, None, ("DRIVER",))
    except ImportError:
        raise ProfileError("driver", ["driver: there is no " + driver]) from None
    return module.DRIVER(name, address, options)
