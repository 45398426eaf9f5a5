"""Zone limits of vibration velocity, mm/s rms 10 to 1000 Hz, as data.

ISO 20816-3:2022 (industrial machines above 15 kW, 120 to 30000 r/min), which kept the table of ISO 10816-3:2009. Pumps
have a part of their own (ISO 10816-7). Copies of this table disagree: compare with the standard, or give `limits`.
"""

# (group, support): boundaries A/B, B/C, C/D
LIMITS_MM_S = {
    (1, "rigid"): (2.3, 4.5, 7.1),  # group 1: above 300 kW, or shaft height from 315 mm
    (1, "flexible"): (3.5, 7.1, 11.0),
    (2, "rigid"): (1.4, 2.8, 4.5),  # group 2: 15 to 300 kW, or shaft height 160 to 315 mm
    (2, "flexible"): (2.3, 4.5, 7.1),
}


def zone(velocity_mm_s: float, limits: "tuple[float, ...]") -> int:
    """1 = A (as new), 2 = B (unrestricted), 3 = C (for a short time only), 4 = D (damage)."""
    return 1 + len([limit for limit in limits if velocity_mm_s > limit])
