"""Names and aliases of the record protocol (our addition to Sparkplug, legal for any other host).

A record is one DATA message as the node keeps it, numbered 1, 2, 3 ... per node and store. All are UInt64
unless said. The gateway acknowledges the highest contiguous record that its disk holds.
"""

from shutan_wire.errors import WireError

BDSEQ = "bdSeq"  # Int64, NBIRTH and the will
REBIRTH = "Node Control/Rebirth"  # Boolean

# declared by NBIRTH
STORE_ID = "Node Info/Store Id"  # random, new whenever the ring is formatted
BOOT_ID = "Node Info/Boot Id"  # random per boot
STORE_FIRST = "Node Info/Store First"  # oldest record still held
UNSAVED = "Node Info/Unsaved"  # records that were only in RAM at the last reset, an upper bound

# written by the gateway in one NCMD
ACK_STORE = "Node Control/Ack Store"
ACK = "Node Control/Ack"

# in NBIRTH, every DBIRTH and every NDATA and DDATA that carries samples
RECORD = "Store/Record"

# a gap record: an NDATA with its own record number and these
GAP_FROM = "Store/Gap From"  # first record that will never come
GAP_TO = "Store/Gap To"  # last one, inclusive
GAP_START = "Store/Gap Start"  # DateTime ms of the first, 0 = unknown
GAP_END = "Store/Gap End"  # DateTime ms of the last, 0 = unknown
GAP_UNSAVED = "Store/Gap Unsaved"  # Boolean: true = lost with RAM at a reset, false = overwritten while offline

ALIAS_STEP = 256  # alias = device_index * 256 + metric id; device 0 is the node itself
RECORD_METRIC_ID = 0
GAP_FROM_ID = 240
GAP_TO_ID = 241
GAP_START_ID = 242
GAP_END_ID = 243
GAP_UNSAVED_ID = 244


def alias_of(device_index: int, metric_id: int) -> int:
    """Alias of a metric: device_index 0 = the node, 1.. = its devices in the order of the configuration.

    WireError above device 65535 or metric id 255: `Writer` takes an alias as it is.
    """
    if not (0 <= device_index <= 65535 and 0 <= metric_id < ALIAS_STEP):
        raise WireError("alias", "device " + str(device_index) + " metric " + str(metric_id))
    return device_index * ALIAS_STEP + metric_id
