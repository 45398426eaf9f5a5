"""Sensor chips as their data sheets describe them, on CPython and MicroPython, with a clock from outside.

| bus     | a chip has                                                                                 |
|---------|--------------------------------------------------------------------------------------------|
| I2C     | `write(data)` and `read(count)`; OSError where the chip would not acknowledge              |
| SPI     | `transfer(out)`: the bytes that come back while those go out, chip select low around them  |
| UART    | `receive(data)` and `send()`: bytes that wait to be read, b"" for none                     |
| 1-Wire  | `reset()`: whether a chip answers; `write_byte(byte)`, `read_byte()`; `power(on)`           |

Quantities are attributes in plain units, to be set by whoever plays the plant. `now_ms` is the chip's time.
"""
