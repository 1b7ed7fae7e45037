"""The page in headless Chromium: it loads alone, without a complaint, and can be used with a keyboard."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distest.cli.main import run
from tests.report import browsing
from tests.report.test_numbers import average, by_spec


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    browsing.require()
    with browsing.browser() as found:
        yield found


@pytest.fixture(scope="module")
def report(chromium: Any, learned: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    run(["report", str(learned), str(trained), "-o", str(path)])
    return path


# The page is opened once; the first test needs it as it opens, with the focus at its top.
@pytest.fixture(scope="module")
def opened(chromium: Any, report: Path) -> Iterator[browsing.Opened]:
    context = chromium.new_context(viewport={"width": 1200, "height": 900}, color_scheme="light")
    found = browsing.Opened(context.new_page())
    found.goto(report)
    yield found
    context.close()


def test_all_controls_are_reached_by_keyboard_and_seen(opened: browsing.Opened) -> None:
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "answer"
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = false })")
    controls = page.evaluate("document.querySelectorAll('a[href], button, summary, [tabindex=\"0\"]').length")
    page.evaluate("document.activeElement.blur(); window.seen = new Set()")
    outlined = "(e => getComputedStyle(e).outlineStyle !== 'none')(document.activeElement)"
    for _ in range(controls + 5):
        page.keyboard.press("Tab")
        assert page.evaluate(f"document.activeElement === document.body || {outlined}")
        page.evaluate("document.activeElement !== document.body && seen.add(document.activeElement)")
    hidden = page.evaluate(
        "[...document.querySelectorAll('a[href], button')].filter(e => !seen.has(e) && e.checkVisibility()).length"
    )
    assert hidden == 0
    assert page.evaluate("[...document.querySelectorAll('[onclick]')].length") == 0


def test_it_loads_without_a_complaint_and_asks_for_nothing(opened: browsing.Opened, report: Path) -> None:
    for figure in opened.page.evaluate("[...document.querySelectorAll('[data-figure]')].map(f => f.id)"):
        opened.show(figure)
    opened.page.evaluate("window.scrollTo({top: 0, behavior: 'instant'})")
    assert opened.complaints == []
    assert opened.requests == [report.as_uri()]


def test_points_in_the_browser_are_those_of_the_records(opened: browsing.Opened, learned: Path) -> None:
    opened.show("error-1")
    traces = opened.page.evaluate(
        "[...document.querySelector('#error-1 .plot').data].filter(t => t.customdata).map(t => [t.x, t.y])"
    )
    drawn = {(x, y) for xs, ys in traces for x, y in zip(xs, ys, strict=True)}
    wanted = [(average(g, "payload_bits"), average(g, "l2_squared")) for g in by_spec(learned)]
    assert len(drawn) == len(wanted)
    assert all(any(math.isclose(x, a) and math.isclose(y, b) for a, b in drawn) for x, y in wanted)


def test_tables_sort_by_value_and_say_so(opened: browsing.Opened) -> None:
    page = opened.page
    table = page.locator("table").filter(has_text="Bits to reach squared l2 error")
    head = table.locator("th", has=page.get_by_role("button", name="bits a server"))
    place = head.evaluate("th => th.cellIndex")
    values = "(t, i) => [...t.tBodies[0].rows].map(r => Number(r.cells[i].dataset.value))"
    for direction, sign in (("ascending", 1), ("descending", -1)):
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == direction
        found = table.evaluate(f"t => ({values})(t, {place})")
        assert found == sorted(found, key=lambda v: sign * v)
    assert table.locator("[aria-sort]").count() == 1


def test_dark_and_light_follow_the_system_and_a_switch(chromium: Any, report: Path) -> None:
    context = chromium.new_context(color_scheme="dark")
    opened = browsing.Opened(context.new_page())
    opened.goto(report)
    opened.show("error-1")
    page = opened.page
    paper = "getComputedStyle(document.body).backgroundColor"
    ink = "document.querySelector('#error-1 .plot').layout.font.color"
    dark = page.evaluate(paper), page.evaluate(ink)
    page.locator("#theme").click()
    opened.drawn()
    light = page.evaluate(paper), page.evaluate(ink)
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert all(before != after for before, after in zip(dark, light, strict=True))
    assert opened.complaints == []
    context.close()


def test_a_view_and_a_line_are_switched_by_their_buttons(opened: browsing.Opened) -> None:
    page = opened.page
    figure = page.locator("#error-1")
    figure.get_by_role("button", name="l1 error").click()
    assert page.evaluate("document.querySelector('#error-1 .plot').layout.yaxis.title.text") == "l1 error"
    figure.get_by_role("button", name="full_sample", exact=True).click()
    shown = page.evaluate(
        "document.querySelector('#error-1 .plot').data"
        ".filter(t => t.name.startsWith('full_sample')).map(t => t.visible)"
    )
    assert shown
    assert not any(shown)


def test_a_point_that_is_selected_shows_and_copies_its_command(opened: browsing.Opened) -> None:
    page = opened.page
    opened.show("error-1")
    place = page.evaluate(
        "(() => { const b = document.querySelector('#error-1 .plot .points path').getBoundingClientRect();"
        " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )
    page.mouse.move(*place)
    page.mouse.click(*place)
    command = page.locator("#error-1 .picked code")
    command.wait_for()
    assert command.inner_text().startswith("distest learn --protocol ")
    assert page.locator("#said").inner_text() == "copied"


def test_a_verdict_fits_where_its_heads_need_two_lines(opened: browsing.Opened) -> None:
    """In one line they would make the first one 1,019 pixels wide, and there are 864."""
    page = opened.page
    page.evaluate("document.querySelector('main').style.maxWidth = '58rem'")
    verdicts = "[...document.querySelectorAll('.scroll')].filter(e => e.ariaLabel.startsWith('Bits to reach'))"
    assert page.evaluate(f"{verdicts}.length") == 2
    assert page.evaluate(f"{verdicts}.filter(e => e.scrollWidth > e.clientWidth).length") == 0
    page.evaluate("document.querySelector('main').style.maxWidth = ''")


def test_it_fits_a_phone_and_a_sheet_of_paper(chromium: Any, report: Path, tmp_path: Path) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    opened = browsing.Opened(context.new_page())
    opened.goto(report)
    page = opened.page
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.pdf(path=tmp_path / "r.pdf", format="A4")
    assert (tmp_path / "r.pdf").stat().st_size > 20_000
    opened.page.emulate_media(media="print")
    assert not page.locator(".top").is_visible()
    assert opened.complaints == []
    context.close()
