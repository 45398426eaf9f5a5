"""The invariants of a running gateway, from its own /metrics: nothing vanishes between two counters."""

import re

from support.gateway_process import GatewayProcess

_STORE = re.compile(r'shutan_store_pending\{store="([^"]+)"\}')


def check_balance(gateway: GatewayProcess) -> dict[str, float]:
    """All lines of /metrics, after the two invariants held at this very moment, for each store."""
    numbers = gateway.numbers()
    rejected = sum(value for name, value in numbers.items() if name.startswith("shutan_rejected_total"))
    whole = numbers["shutan_duplicates_total"] + rejected + numbers["shutan_accepted_total"]
    assert numbers["shutan_received_total"] == whole, f"received is not duplicates + rejected + accepted: {numbers}"
    for store in [found[1] for found in map(_STORE.fullmatch, numbers) if found]:
        label = f'{{store="{store}"}}'
        parts = [numbers[f"shutan_store_{part}{label}"] for part in ("stored_total", "dead_total", "pending")]
        assert numbers[f"shutan_store_accepted_total{label}"] == sum(parts), f"store {store} is out of balance"
        assert min(parts) >= 0
    return numbers


def pending(gateway: GatewayProcess) -> float:
    """Records that some store still has to take; the invariants hold."""
    numbers = check_balance(gateway)
    return sum(value for name, value in numbers.items() if _STORE.fullmatch(name))
