"""Populations: the published figures of the bundled ones, and what a population promises of any counts."""

import json
from typing import Any

import numpy as np
import pytest

from distest.learning.population import Population, bundled

# n, rows, largest probability, entropy in bits, (sum of sqrt p)^2, as the data specification prints them.
FIGURES = [
    ("departures", {"slot": 1}, 1440, 328_521, 0.0025, 9.97, 1090),
    ("departures", {}, 288, 328_521, 0.0115, 7.65, 219),
    ("departures", {"slot": 15}, 96, 328_521, 0.0275, 6.10, 74),
    ("delays", {}, 1345, 328_521, 0.0756, 5.69, 126),
    ("delays", {"clip": True}, 1302, 328_521, 0.6091, 3.54, 83),
    ("ages", {}, 74, 32_561, 0.0276, 5.68, 57),
    ("survivors", {}, 120, 8_096_365, 0.0123, 6.55, 98),
    ("deaths", {}, 120, 99_993, 0.0380, 5.79, 73),
    ("words", {}, 82_834, None, 0.0427, 11.27, 15_267),
    ("babynames", {}, 97_310, None, 0.0149, 10.61, 9_536),
]
Options = dict[str, Any]
NAMES = ["departures", "delays", "ages", "survivors", "deaths", "words", "babynames"]


@pytest.mark.parametrize(("name", "options", "n", "rows", "top", "entropy", "effective"), FIGURES)
def test_bundled_populations_have_the_published_figures(
    name: str, options: Options, n: int, rows: int | None, top: float, entropy: float, effective: int
) -> None:
    population = bundled(name, **options)
    p = population.pmf
    assert population.n == len(p) == n
    assert rows is None or population.rows == rows
    assert p.max() == pytest.approx(top, abs=0.5e-4)
    assert -(p[p > 0] * np.log2(p[p > 0])).sum() == pytest.approx(entropy, abs=0.5e-2)
    assert np.sqrt(p).sum() ** 2 == pytest.approx(effective, abs=0.5)


def test_the_large_populations_have_their_rows() -> None:
    assert bundled("words").rows == pytest.approx(5.4e11, rel=0.01)
    assert bundled("babynames").rows == pytest.approx(3.5e8, rel=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_a_pmf_sums_to_one_and_follows_the_counts(name: str) -> None:
    population = bundled(name)
    assert population.pmf.dtype == np.float64
    assert population.pmf.sum() == pytest.approx(1, abs=1e-12)
    assert np.array_equal(population.pmf, population.counts / population.rows)
    assert type(population.rows) is int


def test_survivors_words_and_names_never_rise() -> None:
    for name in ("survivors", "words", "babynames"):
        assert (np.diff(bundled(name).counts) <= 0).all()


def test_deaths_have_one_hump_in_old_age() -> None:
    counts = bundled("deaths").counts[10:]
    mode = int(counts.argmax())
    assert 80 <= mode + 10 <= 95
    assert (np.diff(counts[mode:]) <= 0).all()


def labels_of(name: str, **options: int) -> tuple[str, ...]:
    labels = bundled(name, **options).labels
    assert labels is not None
    return labels


def test_labels_name_the_symbols() -> None:
    assert labels_of("departures")[97] == "08:05"
    assert labels_of("departures", slot=1)[-1] == "23:59"
    assert labels_of("departures", slot=720) == ("00:00", "12:00")
    assert labels_of("delays")[0] == "-43"
    assert labels_of("delays")[-1] == "1301"
    assert labels_of("delays", clip=True)[:2] == ("0", "1")
    assert labels_of("ages")[0] == "17"
    assert labels_of("ages")[-1] == "90"
    assert labels_of("survivors")[-1] == "119"
    assert bundled("words").labels is None


def test_clipping_moves_the_early_flights_to_zero() -> None:
    plain, clipped = bundled("delays"), bundled("delays", clip=True)
    zero = labels_of("delays").index("0")
    assert clipped.counts[0] == plain.counts[: zero + 1].sum()
    assert np.array_equal(clipped.counts[1:], plain.counts[zero + 1 :])


def test_wider_slots_are_sums_of_narrow_ones() -> None:
    narrow, wide = bundled("departures", slot=5), bundled("departures", slot=15)
    assert np.array_equal(wide.counts, narrow.counts.reshape(-1, 3).sum(axis=1))


def test_top_keeps_the_most_frequent() -> None:
    assert np.array_equal(bundled("words", top=4096).counts, bundled("words").counts[:4096])
    assert bundled("babynames", top=2).n == 2


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "depatures",
            {},
            "no population 'depatures' \\(did you mean 'departures'\\?\\); known: departures, delays, ",
        ),
        ("imagenet", {}, "no population 'imagenet'; known: departures, .*, babynames$"),
        ("departures", {"slots": 5}, "no option of departures 'slots' \\(did you mean 'slot'\\?\\); known: slot$"),
        ("ages", {"slot": 5}, "no option of ages 'slot'; known: none$"),
        ("departures", {"slot": 7}, "slot is a number of minutes .* divides 1440, got 7$"),
        ("departures", {"slot": 0}, "slot .* got 0$"),
        ("departures", {"slot": 1440}, "slot .* got 1440$"),
        ("departures", {"slot": True}, "slot .* got True$"),
        ("departures", {"slot": "5"}, "slot .* got '5'$"),
        ("delays", {"clip": 1}, "clip is True or False, got 1$"),
        ("words", {"top": 1}, "top is a number of symbols from 2 to 82834, got 1$"),
        ("words", {"top": 82_835}, "top .* got 82835$"),
        ("babynames", {"top": 2.5}, "top .* got 2.5$"),
    ],
)
def test_bad_names_and_options_are_refused_in_a_sentence(name: str, options: Options, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        bundled(name, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("counts", "labels", "message"),
    [
        ([3], None, "at least 2 symbols, got 1"),
        ([], None, "integers in one row, got float64"),
        ([[1, 2], [3, 4]], None, "of shape \\(2, 2\\)"),
        ([0.5, 0.5], None, "got float64"),
        ([2, -1], None, "counts lie in 0"),
        ([2**62, 2**62], None, "and so does their sum"),
        ([0, 0], None, "has no rows"),
        ([1, 2], ("a",), "1 labels for 2 symbols"),
    ],
)
def test_counts_that_are_no_population_are_refused(counts: Any, labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Population(np.array(counts), labels, "mine", "a test")


def test_a_population_is_frozen_and_does_not_share_its_counts() -> None:
    mine = np.array([1, 2, 3])
    population = Population(mine, None, "mine", "a test")
    mine[0] = 100
    assert population.rows == 6
    with pytest.raises(ValueError, match="read-only"):
        population.counts[0] = 5
    with pytest.raises(AttributeError):
        population.name = "yours"  # type: ignore[misc]  # it is what must fail


def test_the_hash_depends_on_counts_and_labels_and_on_nothing_else() -> None:
    def sha256(counts: Any, labels: Any, name: str = "mine") -> str:
        return Population(np.array(counts), labels, name, "a test").sha256

    assert sha256([1, 2], ("a", "b")) == sha256([1, 2], ("a", "b"), "other")
    assert sha256(np.array([1, 2], np.uint8), None) == sha256([1, 2], None)
    different = [
        ([1, 2], None),
        ([2, 1], None),
        ([1, 2], ("a", "b")),
        ([1, 2], ("b", "a")),
        ([1, 2], ("ab", "")),
    ]
    assert len({sha256(*case) for case in different}) == len(different)


def test_hashes_of_the_bundle_are_frozen() -> None:
    # A change here changes the records of every experiment on these data; say so in the changelog.
    assert bundled("departures").sha256 == "25333a124481bfb9a034769b1fead8a8d598be67a6d6c5a313cc6351ce50d707"
    assert bundled("words").sha256 == "484808725953314a3975703956072f58b5aa09dea0380a14a8480088f1e9e004"


def test_equal_populations_compare_equal() -> None:
    assert bundled("ages") == bundled("ages")
    assert bundled("departures") == bundled("departures", slot=5)
    assert bundled("departures", slot=5) != bundled("departures", slot=15)
    assert len({bundled("ages"), bundled("ages")}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_description_is_json_and_tells_the_counts(name: str) -> None:
    population = bundled(name)
    described = json.loads(json.dumps(population.describe()))
    assert described["n"] == population.n
    assert described["rows"] == population.rows
    assert described["sha256"] == population.sha256
    assert described["dropped"] == 0
    assert described["labels"] == (None if population.labels is None else list(population.labels))


def test_a_description_of_many_labels_keeps_their_hash_only() -> None:
    few, many = (
        Population(np.ones(n, np.int64), tuple(map(str, range(n))), "m", "a test").describe() for n in (4096, 4097)
    )
    assert len(few["labels"]) == 4096
    assert "labels" not in many
    assert len(many["labels_sha256"]) == 64
