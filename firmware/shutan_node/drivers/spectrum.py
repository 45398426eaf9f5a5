"""Spectrum of a block of samples: window, transform in place, band figures. Floats of a chip are single precision."""

from math import cos, pi, sin, sqrt

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from array import array
    from collections.abc import Awaitable, Callable


def prepare(samples: "array[int]", real: "array[float]", imaginary: "array[float]") -> float:
    """Take the mean off and put Hann's window on; the mean square before the window."""
    count = len(samples)
    mean = sum(samples) / count
    square = 0.0
    for at in range(count):
        value = samples[at] - mean
        square += value * value
        real[at] = value * (0.5 - 0.5 * cos(2 * pi * at / count))
        imaginary[at] = 0.0
    return square / count


async def transform(real: "array[float]", imaginary: "array[float]", pause: "Callable[[int], Awaitable[None]]") -> None:
    """Fourier transform in place (radix 2); the other tasks run after each of its stages."""
    count = len(real)
    other = 0
    for at in range(1, count):
        bit = count >> 1
        while other & bit:
            other ^= bit
            bit >>= 1
        other |= bit
        if at < other:
            real[at], real[other] = real[other], real[at]
    half = 1
    while half < count:
        await pause(0)
        for turn in range(half):
            c = cos(pi * turn / half)
            s = -sin(pi * turn / half)
            for low in range(turn, count, 2 * half):
                high = low + half
                x = c * real[high] - s * imaginary[high]
                y = c * imaginary[high] + s * real[high]
                real[high] = real[low] - x
                imaginary[high] = imaginary[low] - y
                real[low] += x
                imaginary[low] += y
        half *= 2


def velocity(
    real: "array[float]", imaginary: "array[float]", rate_hz: float, low_hz: float, high_hz: float
) -> "tuple[float, float, float]":
    """(rms, amplitude of the strongest line, its frequency) of the integral over [low_hz, high_hz]; unit x s.

    The power of a line lies in three bins behind Hann's window, whose mean square is 3/8.
    """
    count = len(real)
    scale = 2 / (count * count * 0.375)
    total = best = best_hz = 0.0
    before = last = 0.0
    for at in range(1, count // 2):
        hz = at * rate_hz / count
        power = 0.0
        if low_hz <= hz <= high_hz:
            power = (real[at] * real[at] + imaginary[at] * imaginary[at]) * scale / (2 * pi * hz) ** 2
        total += power
        line = before + last + power
        if line > best:
            best = line
            best_hz = hz - rate_hz / count + (power - before) / line * rate_hz / count
        before = last
        last = power
    return sqrt(total), sqrt(2 * best), best_hz
