"""Numbers as people read them: units, digits, powers of ten. Exact values stand beside them in the page."""

from __future__ import annotations

import math
import re

_UNITS = ("bit", "kbit", "Mbit", "Gbit", "Tbit", "Pbit")
_TIMES = (  # from so many seconds on, counted in so many, as such
    (172_800, 86_400, "days"),
    (7200, 3600, "h"),
    (120, 60, "min"),
    (1, 1, "s"),
    (1e-3, 1e-3, "ms"),
    (0, 1e-6, "µs"),
)
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def bits(count: float | None) -> str:
    """Bits in the unit that leaves one to three digits before the point: "3.16 Mbit"."""
    if count is None or not math.isfinite(count):
        return "–"
    power = 0
    while power < len(_UNITS) - 1 and abs(count) >= 999.5 * 1000**power:
        power += 1
    scaled = count / 1000**power
    whole = power == 0 and float(scaled).is_integer()
    return f"{scaled:.0f} {_UNITS[0]}" if whole else f"{_digits(scaled, 3)} {_UNITS[power]}"


def number(value: float | None) -> str:
    """Four significant digits; a power of ten for what is very small or very large."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "∞" if value > 0 else "–"
    if float(value).is_integer() and abs(value) < 1e7:
        return grouped(int(value))
    return _digits(value, 4) if 1e-3 <= abs(value) < 1e5 or value == 0 else _power(value)


def aim(value: float) -> str:
    """A number that somebody chose: without zeros at its end."""
    shown = number(value)
    return shown.rstrip("0").rstrip(".") if "." in shown and "×" not in shown else shown


def with_reach(value: float, reach: float) -> str:
    """A number and how far its interval goes: "1.040 ± 0.005", "(9.51 ± 2.3) × 10⁻⁵"."""
    if 1e-3 <= abs(value) < 1e5:
        return f"{number(value)} ± {_digits(reach, 2)}"
    power = math.floor(math.log10(abs(value)))
    scale = 10.0**power
    return f"({_digits(value / scale, 3)} ± {_digits(reach / scale, 2)}) × 10{str(power).translate(_RAISED)}"


def grouped(value: int) -> str:
    """An integer with narrow spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f") if abs(value) >= 10_000 else str(value)


def exact(value: float | int | None) -> str:
    """All digits of a number, thousands apart."""
    if value is None:
        return "none"
    if isinstance(value, int) or (math.isfinite(value) and float(value).is_integer()):
        return f"{int(value):,}"
    return repr(float(value))


def seconds(value: float | None) -> str:
    """A time in the unit that fits: "42.0 ms", "3.20 s", "5.10 min", "2.40 h", "3.10 days"."""
    if value is None or not math.isfinite(value):
        return "–"
    for least, scale, unit in _TIMES:
        if abs(value) >= least:
            return f"{_digits(value / scale, 3)} {unit}"
    return "–"


def speed(bits_per_second: float) -> str:
    """The speed of a link: "10 Gbit/s"."""
    text = bits(bits_per_second)
    return re.sub(r"\.0+ ", " ", text) + "/s"


def times(value: float | None) -> str:
    """A ratio: "7.97×"."""
    return "–" if value is None or not math.isfinite(value) else f"{_digits(value, 3)}\u202f×"


def plural(count: int, one: str, many: str = "") -> str:
    """A number of things: "1 run", "12 runs"."""
    return f"{grouped(count)} {one if count == 1 else many or one + 's'}"


def listing(things: list[str]) -> str:
    """Things in a sentence: "a, b and c"."""
    return " and ".join([", ".join(things[:-1]), things[-1]] if len(things) > 1 else things)


def round_up(value: float, digits: int = 2) -> float:
    """The least number with so few significant digits that is not below the value."""
    if value == 0 or not math.isfinite(value):
        return value
    power = math.floor(math.log10(abs(value))) - digits + 1
    found = float(f"{math.ceil(value / 10.0**power - 1e-9)}e{power}")
    return found if found >= value else float(f"{math.ceil(value / 10.0**power) + 1}e{power}")


def _digits(value: float, digits: int) -> str:
    """Significant digits without a power of ten."""
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{places}f}"
    return f"{value:.{places - 1}f}" if places and len(text.replace(".", "").lstrip("-0")) > digits else text


def _power(value: float) -> str:
    mantissa, _, power = f"{value:.2e}".partition("e")
    return f"{mantissa} × 10{str(int(power)).translate(_RAISED)}"
