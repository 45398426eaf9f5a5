"""The independent codec as a program: JSON lines in, JSON lines out. Runs in its own environment, not in ours.

{"op": "encode", "timestamp": ms, "seq": n, "metrics": [...]}  ->  {"hex": "..."}
{"op": "decode", "hex": "..."}                                 ->  {"timestamp": ms, "seq": n, "metrics": [...]}

A metric is {"name", "timestamp", "datatype", "value", "is_historical", "is_transient"}; null value = is_null. Bytes
travel as hex, moments as milliseconds, arrays as lists.
"""

import datetime as dt
import json
import sys
from typing import Any

import pysparkplug as peer

Fields = dict[str, Any]
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MS = dt.timedelta(milliseconds=1)
ARRAYS = range(peer.DataType.INT8_ARRAY, peer.DataType.DATETIME_ARRAY + 1)
BLOBS = (peer.DataType.BYTES, peer.DataType.FILE)


def _to_library(datatype: int, value: Any) -> Any:
    if value is None:
        return None
    if datatype in BLOBS:
        return bytes.fromhex(value)
    if datatype == peer.DataType.DATETIME:
        return EPOCH + value * MS
    if datatype == peer.DataType.DATETIME_ARRAY:
        return tuple(EPOCH + ms * MS for ms in value)
    return tuple(value) if datatype in ARRAYS else value


def _from_library(datatype: int, value: Any) -> Any:
    if datatype in ARRAYS and value is not None:
        return [_from_library(0, element) for element in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dt.datetime):
        return round((value - EPOCH) / MS)  # the library goes through a float of seconds
    return value


def encode(order: Fields) -> Fields:
    """Encode one payload with the library."""
    metrics = tuple(
        peer.Metric(
            timestamp=metric["timestamp"],
            name=metric["name"],
            datatype=peer.DataType(metric["datatype"]),
            value=_to_library(metric["datatype"], metric["value"]),
            is_historical=metric["is_historical"],
            is_transient=metric["is_transient"],
        )
        for metric in order["metrics"]
    )
    payload = peer.NData(timestamp=order["timestamp"], seq=order["seq"], metrics=metrics)
    return {"hex": payload.encode(include_dtypes=True).hex()}


def decode(order: Fields) -> Fields:
    """Decode one payload with the library."""
    payload = peer.NData.decode(bytes.fromhex(order["hex"]))
    metrics = [
        {
            "name": metric.name,
            "timestamp": metric.timestamp,
            "datatype": int(metric.datatype),
            "value": _from_library(metric.datatype, metric.value),
            "is_historical": metric.is_historical,
            "is_transient": metric.is_transient,
        }
        for metric in payload.metrics
    ]
    return {"timestamp": payload.timestamp, "seq": payload.seq, "metrics": metrics}


def main() -> None:
    """Answer each line of stdin."""
    for line in sys.stdin:
        order: Fields = json.loads(line)
        answer = {"encode": encode, "decode": decode}[order["op"]](order)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


main()
