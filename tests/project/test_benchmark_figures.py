"""The pictures of the benchmarks: they show what was measured, and stand in docs/ as drawn."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import draw
from benchmarks._chart import Axis, Chart, Line, Value, amount, draw_bars, draw_marks, ratio
from benchmarks._figures import FIGURES
from benchmarks._results import RESULTS, load, stored
from benchmarks._svg import SHAPES

SVG = "{http://www.w3.org/2000/svg}"
LINES = (
    Line("read", "seconds", {"tmpfs": Value(4e-6, 5e-6), "dmemfs": Value(1e-6, 2e-6),
                             "pyfakefs": Value(16e-6, 16e-6)}),
    Line("memory", "bytes", {"tmpfs": Value(1000, 1000), "dmemfs": Value(250, 250)}),
)  # fmt: skip


def chart(lines: Sequence[Line] = LINES, base: str | None = "tmpfs") -> Chart:
    return Chart("A title", base, ["tmpfs", "dmemfs", "pyfakefs"], lines, ["Small print."])


def elements(picture: str, tag: str) -> list[ElementTree.Element]:
    return ElementTree.fromstring(picture).findall(SVG + tag)


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in elements(picture, "text")]


def bars(picture: str) -> list[tuple[str, float, float]]:
    """Return class, left and right end of each bar."""
    found = []
    for element in elements(picture, "rect")[1:]:
        left, width = float(element.attrib["x"]), float(element.attrib["width"])
        found.append((element.attrib["class"], left, left + width))
    return found


# What a picture shows


def test_bars_go_from_the_base_to_each_peer_on_a_logarithmic_axis() -> None:
    (ours, left, one), (peer, same_one, right), _ = bars(draw_bars(chart()))
    assert (ours, peer) == ("ours", "peer")
    assert one == pytest.approx(same_one, abs=2)
    # 4 times faster is as far to the left as 4 times slower is to the right.
    assert one - left == pytest.approx(right - same_one, abs=0.3)


def test_bars_without_a_base_begin_at_the_edge() -> None:
    found = bars(draw_bars(chart(LINES[:1], base=None)))
    assert len({left for _, left, _ in found}) == 1
    assert found[2][2] > found[0][2] > found[1][2]


@pytest.mark.parametrize("drawn", [draw_bars(chart()), draw_marks(chart())])
def test_a_picture_names_what_it_shows(drawn: str) -> None:
    found = texts(drawn)
    for text in (
        "A title",
        "read",
        "memory",
        "dmemfs",
        "pyfakefs",
        "1.00 µs",
        "250 B",
        "tmpfs = 1",
    ):
        assert text in found
    assert "◀ better" in found
    assert "Small print." in found
    (title,), (description,) = elements(drawn, "title"), elements(drawn, "desc")
    assert title.text == "A title"
    assert description.text == (
        "read: tmpfs 4.00 µs, dmemfs 1.00 µs, pyfakefs 16.0 µs. "
        "memory: tmpfs 1,000 B, dmemfs 250 B."
    )


def test_a_mark_far_away_stands_at_the_edge() -> None:
    values = {"tmpfs": Value(1, 1), "dmemfs": Value(1e-6, 1e-6), "pyfakefs": Value(1e6, 1e6)}
    drawn = draw_marks(chart([Line("far", "seconds", values)]))
    places = [float(found[1]) for found in re.finditer(r'<circle cx="([\d.]+)"', drawn)]
    assert len(places) == 2  # the legend, and the mark
    assert all(0 < place < 860 for place in places)
    assert "1/100" in texts(drawn)


@pytest.mark.parametrize("draw_it", [draw_bars, draw_marks])
def test_figures_that_are_zero_or_all_the_same_can_be_drawn(draw_it: Any) -> None:
    values = {"tmpfs": Value(2, 2), "dmemfs": Value(2, 2), "pyfakefs": Value(0, 0)}
    drawn = draw_it(chart([Line("same", "bytes", values)]))
    assert "same" in texts(drawn)
    assert "0 B" not in texts(drawn)


def test_marks_need_a_base() -> None:
    with pytest.raises(ValueError, match="name a base"):
        draw_marks(chart(base=None))


def test_each_theme_has_all_colours() -> None:
    style = elements(draw_marks(chart()), "style")[0].text or ""
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    rules = [set(re.findall(r"\.([\w-]+) \{ (?:fill|stroke):", part)) for part in (light, dark)]
    assert rules[0] == rules[1]
    used = set(re.findall(r'class="([^"]+)"', draw_marks(chart()) + draw_bars(chart())))
    known = rules[0] | set(re.findall(r"^\.([\w-]+) \{", light, re.MULTILINE))
    assert {name for names in used for name in names.split()} <= known


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (9.11e-9, "seconds", "9.11 ns"),
        (0.9999e-6, "seconds", "1.00 µs"),
        (12.34e-6, "seconds", "12.3 µs"),
        (0.0999, "seconds", "99.9 ms"),
        (0.568, "seconds", "568 ms"),
        (2.23, "seconds", "2.23 s"),
        (5091, "bytes", "5,091 B"),
        (1.006, "copies", "1.01"),
    ],
)
def test_figures_are_written_in_the_unit_that_fits(value: float, unit: str, text: str) -> None:
    assert amount(value, unit) == text


def test_an_axis_has_ticks_within_it() -> None:
    assert [ratio(tick) for tick in Axis(0.04, 300, 0, 100).ticks()] == ["1/10", "1", "10", "100"]
    assert [ratio(tick) for tick in Axis(0.4, 3, 0, 100).ticks()] == ["1/2", "1", "2"]
    assert Axis(0.01, 100, 0, 100).at(1) == 50
    assert Axis(0.01, 100, 0, 100).at(1e9) == 100


def test_shapes_differ() -> None:
    assert len(set(SHAPES.values())) == len(SHAPES)


# The results and the pictures that are stored


def test_the_pictures_in_docs_are_those_of_the_stored_results() -> None:
    drawn = dict(draw.pictures(RESULTS))
    assert drawn.keys() == {figure.name for figure in FIGURES}
    standing = {path.stem: path.read_text("utf-8") for path in draw.FIGURES.glob("*.svg")}
    assert standing.keys() >= drawn.keys()
    outdated = [name for name, text in drawn.items() if standing[name] != text]
    assert outdated == [], "run `python -m benchmarks.draw`"


@pytest.mark.parametrize(("benchmark", "version"), list(stored(RESULTS)))
def test_stored_results_have_one_form(benchmark: str, version: str) -> None:
    content = load(RESULTS, benchmark, version)
    assert content is not None
    assert content["benchmark"] == benchmark
    machine = content["machine"]
    assert version.rstrip("t") in machine["python"]
    assert {"date", "cpu", "cores", "memory_gib", "kernel", "sqlite", "load"} <= machine.keys()
    for row in content["rows"]:
        assert row["unit"] in {"seconds", "bytes", "copies"}
        assert row["figures"].keys() <= content["peers"].keys()
        for figure in row["figures"].values():
            assert figure.keys() == {"best", "minimum", "median", "spread", "rounds"}
            assert figure["minimum"] == min(figure["rounds"])


def test_every_row_that_a_picture_names_is_measured() -> None:
    for figure in FIGURES:
        content = load(RESULTS, figure.benchmark, draw.PREFERRED)
        assert content is not None
        assert {*figure.rows} <= {row["name"] for row in content["rows"]}
        names = {name for row in content["rows"] for name in row["figures"]}
        assert {*figure.peers} <= names | content["absent"].keys()


# The command


def _results(folder: Path, *versions: str) -> None:
    for version in versions:
        shutil.copy(
            RESULTS / f"mount-cpython-{draw.PREFERRED}.json",
            folder / f"mount-cpython-{version}.json",
        )


def _dated(folder: Path, version: str, date: str) -> None:
    path = folder / f"mount-cpython-{version}.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    content["machine"]["date"] = date
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("versions", "arguments", "chosen"),
    [
        (["3.11", "3.13"], [], "3.11"),
        (["3.9", "3.12", "3.13t"], [], "3.13t"),
        (["3.11", "3.13"], ["--python", "3.13"], "3.13"),
    ],
)
def test_the_results_of_one_version_are_drawn(
    versions: list[str], arguments: list[str], chosen: str, tmp_path: Path
) -> None:
    _results(tmp_path, *versions)
    _dated(tmp_path, chosen, "1999-12-31 10:00 UTC")
    output = tmp_path / "figures"
    command = ["--results", str(tmp_path), "--output", str(output), *arguments]
    assert draw.main(command) == 0
    assert [path.name for path in output.iterdir()] == ["mount.svg"]
    assert "1999-12-31" in (output / "mount.svg").read_text(encoding="utf-8")


def test_without_results_nothing_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert draw.main(["--results", str(tmp_path), "--output", str(tmp_path / "figures")]) == 1
    assert "run `python -m benchmarks` first" in capsys.readouterr().out
