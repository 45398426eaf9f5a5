"""Ids and topics of Sparkplug B 3.0 (clauses 4.1 to 4.3)."""

from shutan_wire.errors import WireError

NAMESPACE = "spBv1.0"
NBIRTH = "NBIRTH"
NDEATH = "NDEATH"
NDATA = "NDATA"
NCMD = "NCMD"
DBIRTH = "DBIRTH"
DDEATH = "DDEATH"
DDATA = "DDATA"
DCMD = "DCMD"
STATE = "STATE"

ID_MAX = 32  # characters of an id of our own
TOPIC_MAX_BYTES = 65535  # MQTT 3.1.1, 1.5.3: a string has a 16-bit length

_NODE_KINDS = (NBIRTH, NDEATH, NDATA, NCMD)
_DEVICE_KINDS = (DBIRTH, DDEATH, DDATA, DCMD)
_SIGNS = "_-"


def check_id(text: str) -> str:
    """Return `text` if it is an id of our own: `[A-Za-z0-9_-]{1,32}`; WireError otherwise."""
    if not 0 < len(text) <= ID_MAX:
        raise WireError("id", "1 to 32 characters wanted, got " + str(len(text)))
    for char in text:
        if not ("a" <= char <= "z" or "A" <= char <= "Z" or "0" <= char <= "9" or char in _SIGNS):
            raise WireError("id", "only A-Z a-z 0-9 _ - may be used, got " + repr(text))
    return text


def _check_level(name: str, text: str) -> str:
    """Check one topic level: any UTF-8 except + / # and NUL, not empty (Sparkplug 3.0 tck-id-topic-structure)."""
    if not text:
        raise WireError("topic." + name, "empty")
    for char in "+/#\0":
        if char in text:
            raise WireError("topic." + name, "may not hold " + repr(char))
    return text


def topic(group: str, kind: str, node: str, device: str | None = None) -> str:
    """Topic of a message of a node (`device` None) or of a device; ids may be foreign ones."""
    text = NAMESPACE + "/" + _check_level("group", group) + "/" + kind + "/" + _check_level("node", node)
    if kind in _NODE_KINDS:
        if device is not None:
            raise WireError("topic.device", kind + " has no device level")
    elif kind in _DEVICE_KINDS:
        if device is None:
            raise WireError("topic.device", kind + " needs a device level")
        text += "/" + _check_level("device", device)
    else:
        raise WireError("topic.kind", "unknown kind " + repr(kind))
    return text


def state_topic(host_id: str) -> str:
    """Topic of a host application's STATE."""
    return NAMESPACE + "/" + STATE + "/" + _check_level("host", host_id)


def parse_topic(text: str) -> "tuple[str, str, str, str | None]":
    """Split a topic into (group, kind, node, device or None).

    A STATE topic gives ("", "STATE", host_id, None). Foreign ids are accepted; anything that is
    no Sparkplug B 3.0 topic raises WireError.
    """
    if len(text) > TOPIC_MAX_BYTES:
        raise WireError("topic", "longer than 65535")
    levels = text.split("/")
    if levels[0] != NAMESPACE:
        raise WireError("topic", "does not begin with " + NAMESPACE)
    if len(levels) == 3 and levels[1] == STATE:
        return "", STATE, _check_level("host", levels[2]), None
    if len(levels) not in (4, 5):
        raise WireError("topic", "has " + str(len(levels)) + " levels, 4 or 5 wanted")
    kind = levels[2]
    if kind not in (_NODE_KINDS if len(levels) == 4 else _DEVICE_KINDS):
        raise WireError("topic.kind", repr(kind) + " does not fit " + str(len(levels)) + " levels")
    device = _check_level("device", levels[4]) if len(levels) == 5 else None
    return _check_level("group", levels[1]), kind, _check_level("node", levels[3]), device
