"""What is wrong with an installation, and what to do: checks of broker, TLS, disk, clock, stores, spool, nodes, meters.

A check gives `Finding`s. The words of each, English and Chinese, stand in one table (`texts.py`).
"""
