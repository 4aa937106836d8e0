"""The benchmark of live databases: all peers do the work, and it is reported."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import live


def test_every_peer_keeps_what_it_says(tmp_path: Path) -> None:
    for peer in live.peers(str(tmp_path)):
        with closing(peer.build("one.db", 100_000)) as connection:
            (rows,) = connection.execute("SELECT count(*) FROM t").fetchone()
            assert rows == 100_000 * 4 // (4096 - 100)
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            assert mode == (peer.journal or "memory")
        if peer.keeps:
            with closing(peer.open("one.db")) as connection:
                assert connection.execute("SELECT count(*) FROM t").fetchone() == (rows,)
            peer.remove("one.db")
    assert list(tmp_path.iterdir()) == []


def test_it_reports_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(live, "_BUSY_SIZE", 500_000)
    # The status says whether targets were met, which at this size means nothing.
    assert live.main(["--size", "1", "--rounds", "1", "--save"]) in (0, 1)
    output = capsys.readouterr().out
    (saved,) = (tmp_path / "results").glob("*.json")
    data = json.loads(saved.read_text())
    assert len(data["rows"]) == 10
    for row in data["rows"]:
        assert row["title"] in output
        assert row["seconds"]
    assert saved.with_suffix(".md").read_text() in output


def test_a_missed_target_is_marked() -> None:
    row = live.Row("scan", "ms", {"ours": [2.0, 3.0], "tmpfs": [1.0]}, {("ours", "tmpfs"): 1.5})
    assert row.verdicts() == ["ours / tmpfs: 2 (at most 1.50 MISSED)"]
    row.targets = {("ours", "tmpfs"): 2.5}
    assert "MISSED" not in row.verdicts()[0]
