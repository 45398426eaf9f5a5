"""Runs the test functions of one module under MicroPython: `micropython run_functions.py MODULE`.

One line "@@{json}" a function when it starts and when it ends, so that the reader knows which one was running when
the interpreter itself died. Anything else on stdout is what the tests printed.
"""

import gc
import io
import json
import sys


def _trace(error: BaseException) -> str:
    text = io.StringIO()
    sys.print_exception(error, text)
    return str(text.getvalue())  # pyright: ignore[reportUnknownArgumentType] - its stub gives no type


def _say(**fields: str) -> None:
    sys.stdout.write("@@" + json.dumps(fields) + "\n")


def main(name: str) -> None:
    """Import the module and call its test functions in the order of their names."""
    try:
        module = __import__(name)
    except Exception as error:  # noqa: BLE001 - whatever the file raises belongs to its report
        _say(function="", state="failed", trace=_trace(error))
        return
    for function in sorted(key for key in dir(module) if key.startswith("test_")):
        gc.collect()
        _say(function=function, state="started")
        try:
            getattr(module, function)()
        except Exception as error:  # noqa: BLE001 - as above
            _say(function=function, state="failed", trace=_trace(error))
        else:
            _say(function=function, state="passed")


main(sys.argv[1])
