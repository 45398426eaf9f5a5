"""Counters that the node makes: what a reset and a power cut leave, at every point of a write."""

import os

from shutan_node.totals import FLASH_S, Totals
from support.sensor_bench import Bench


def test_a_warm_reset_keeps_everything():
    bench = Bench()
    totals = bench.totals("pump", 2)
    assert totals.numbers == [0, 0]
    assert not totals.uncertain
    for count in range(1, 20):
        totals.numbers[0] = count
        totals.numbers[1] = 1 << 40
        totals.keep()
        again = bench.totals("pump", 2)
        assert again.numbers == [count, 1 << 40]
        assert not again.uncertain
    bench.clean()


def test_a_power_cut_keeps_what_was_on_flash_and_says_so():
    bench = Bench()
    totals = bench.totals("pump", 1)
    kept = 0
    for count in range(1, 30):
        bench.time_ms += 61000
        totals.numbers[0] = count
        totals.keep()
        if (bench.time_ms - 1000) // 61000 % 5 == 1:
            kept = count
        rtc = bench.rtc.kept
        bench.power_cut()
        after = bench.totals("pump", 1)
        assert after.numbers == [kept], count
        assert after.uncertain, "marked even if it happens to be complete"
        bench.rtc.kept = rtc
    bench.clean()


def test_devices_share_the_rtc():
    bench = Bench()
    several = [bench.totals("pump" + str(number), 1 + number) for number in range(4)]
    for turn in range(3):
        for number in range(4):
            several[number].numbers[number] = 100 * number + turn
            several[number].keep()
    for number in range(4):
        assert bench.totals("pump" + str(number), 1 + number).numbers[number] == 100 * number + 2
    assert bench.totals("another", 3).numbers == [0, 0, 0]
    assert len(bench.rtc.kept) == 4 * 14 + 8 * 10
    bench.clean()


def test_damage_in_the_rtc_is_no_number():
    bench = Bench()
    totals = bench.totals("pump", 1)
    totals.numbers[0] = 7
    totals.keep()  # the first one goes to flash too
    totals.numbers[0] = 9
    totals.keep()
    whole = bench.rtc.kept
    for at in range(len(whole)):
        bench.rtc.kept = whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :]
        after = bench.totals("pump", 1)
        assert after.numbers == [7], at
        assert after.uncertain
        after.keep()
        assert bench.totals("pump", 1).numbers == [7]
    bench.clean()


def test_a_cut_at_any_byte_of_a_flash_write_leaves_the_other_copy():
    bench = Bench()
    totals = bench.totals("pump", 1)
    for count in (5, 6, 7):
        bench.time_ms += 1000 * FLASH_S
        totals.numbers[0] = count
        totals.keep()
    newest = ""
    for name in os.listdir(bench.folder):  # noqa: PTH208 - MicroPython has no pathlib
        with open(bench.folder + "/" + name, "rb") as file:  # noqa: PTH123 - as above
            if file.read()[10] == 7:
                newest = bench.folder + "/" + name
    with open(newest, "rb") as file:  # noqa: PTH123 - as above
        whole = file.read()
    bench.power_cut()
    for size in range(len(whole)):
        with open(newest, "wb") as file:  # noqa: PTH123 - as above
            file.write(whole[:size])
        after = bench.totals("pump", 1)
        assert after.numbers == [6], size
        assert after.uncertain
    bench.clean()


def test_flash_that_refuses_is_tried_again():
    bench = Bench()
    totals = Totals("pump", 1, bench.rtc, bench.now_ms, "/no/such/place")
    totals.numbers[0] = 3
    totals.keep()
    totals.keep()
    assert totals.failures == 2
    assert Totals("pump", 1, bench.rtc, bench.now_ms, "/no/such/place").numbers == [3]
