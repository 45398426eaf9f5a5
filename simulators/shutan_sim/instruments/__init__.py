"""Instruments on pseudo-terminals: the public libraries `dlt645` and `pymodbus` answer, the plant turns them."""
