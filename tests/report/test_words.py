"""Numbers as people read them."""

import math

import pytest

from analysis.report import words


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 bit"),
        (1, "1 bit"),
        (999, "999 bit"),
        (999.7, "1.00 kbit"),
        (1234, "1.23 kbit"),
        (25_216_000, "25.2 Mbit"),
        (3.3, "3.30 bit"),
        (10**18, "1000 Pbit"),
        (None, "–"),
        (math.inf, "–"),
    ],
)
def test_bits_have_a_unit_that_fits(count: float | None, shown: str) -> None:
    assert words.bits(count) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.03767, "1.038"), (4.95e-5, "4.95 × 10⁻⁵"), (32.0, "32"), (123456.7, "1.23 × 10⁵"), (0.0, "0"), (None, "–")],
)
def test_numbers_have_four_digits_or_a_power_of_ten(value: float | None, shown: str) -> None:
    assert words.number(value) == shown


def test_a_number_and_its_interval_share_a_power_of_ten() -> None:
    assert words.with_reach(1.04, 0.0047) == "1.040 ± 0.0047"
    assert words.with_reach(9.507e-5, 2.33e-5) == "(9.51 ± 2.3) × 10⁻⁵"


@pytest.mark.parametrize("value", [0.0023045, 1.0379, 5.0, 0.1, 4.9459e-5, 123456.0, 9.999])
def test_rounding_up_never_goes_below_and_keeps_three_digits(value: float) -> None:
    found = words.round_up(value, 3)
    assert value <= found <= value * 1.01
    assert float(f"{found:.3g}") == found


def test_times_and_speeds() -> None:
    assert words.seconds(0.0421) == "42.1 ms"
    assert words.seconds(5e-5) == "50.0 µs"
    assert words.seconds(300) == "5.00 min"
    assert words.seconds(86_400) == "24.0 h"
    assert words.seconds(864_000) == "10.0 days"
    assert words.speed(1e9) == "1 Gbit/s"
    assert words.speed(1e8) == "100 Mbit/s"
    assert words.listing(["a", "b", "c"]) == "a, b and c"
    assert words.plural(1, "run") == "1 run"
    assert words.plural(12_000, "run") == "12\u202f000 runs"
