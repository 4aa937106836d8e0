"""Real programs that work on files, inside a mount."""

from __future__ import annotations

import contextlib
import email
import importlib
import importlib.resources
import io
import logging
import os
import sys
import textwrap
import zipfile
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, mount


def installed(name: str) -> Any:
    """Return a module of a package in the extra frameworks, None where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def needs(module: object) -> pytest.MarkDecorator:
    return pytest.mark.skipif(module is None, reason="not installed: in the extra frameworks")


# Imported before anything is mounted.
hatchling, jinja2, pd = map(installed, ("hatchling.build", "jinja2", "pandas"))
schemes = installed("pip._internal.models.scheme")
wheels = installed("pip._internal.operations.install.wheel")


@pytest.fixture
def fs() -> Iterator[MemoryFileSystem]:
    filesystem = MemoryFileSystem()
    with mount(filesystem, "/mem"):
        yield filesystem
    filesystem._check()


def write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(path).write_text(textwrap.dedent(text), encoding="utf-8")


@pytest.fixture
def package(fs: MemoryFileSystem) -> str:
    """Return the directory of a small package to build, which is the working directory."""
    write(
        "/mem/src/pyproject.toml",
        """\
        [build-system]
        requires = ["hatchling"]
        build-backend = "hatchling.build"

        [project]
        name = "small-package"
        version = "1.2.3"
        description = "built in memory"

        [tool.hatch.build.targets.wheel]
        packages = ["small_package"]
        """,
    )
    write("/mem/src/small_package/__init__.py", "ANSWER = 42\n")
    write("/mem/src/small_package/data/table.csv", "a,b\n1,2\n")
    os.chdir("/mem/src")
    return "/mem/src"


def require_wheel(path: str) -> None:
    with zipfile.ZipFile(path) as wheel:
        assert wheel.testzip() is None
        assert wheel.read("small_package/__init__.py") == b"ANSWER = 42\n"
        metadata = email.message_from_bytes(wheel.read("small_package-1.2.3.dist-info/METADATA"))
    assert (metadata["Name"], metadata["Version"]) == ("small-package", "1.2.3")


@needs(hatchling)
def test_hatchling_builds_a_wheel_and_a_source_archive(package: str) -> None:
    name = hatchling.build_wheel("/mem/dist")
    require_wheel(f"/mem/dist/{name}")
    assert hatchling.build_sdist("/mem/dist") == "small_package-1.2.3.tar.gz"
    assert sorted(os.listdir("/mem/dist")) == [name, "small_package-1.2.3.tar.gz"]


@needs(hatchling)
@needs(wheels)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what pip brings along
def test_pip_installs_a_wheel(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `pip install --target` does, by the part of pip that unpacks wheels."""
    wheel = f"/mem/dist/{hatchling.build_wheel('/mem/dist')}"
    scheme = schemes.Scheme(
        platlib="/mem/site", purelib="/mem/site", headers="/mem/h", scripts="/mem/b", data="/mem/d"
    )
    former = list(logging.getLogger("pip").handlers)
    wheels.install_wheel("small-package", wheel, scheme, "small-package from a wheel")
    logging.getLogger("pip").handlers[:] = former
    assert "small_package-1.2.3.dist-info" in os.listdir("/mem/site")
    monkeypatch.setattr(sys, "path", ["/mem/site", *sys.path])
    try:
        module: Any = __import__("small_package")
        assert module.ANSWER == 42
        assert module.__file__ == "/mem/site/small_package/__init__.py"
        table = importlib.resources.files("small_package") / "data" / "table.csv"
        assert table.read_bytes() == b"a,b\n1,2\n"
    finally:
        sys.modules.pop("small_package", None)


@needs(pd)
def test_pandas_writes_and_reads_tables(fs: MemoryFileSystem) -> None:
    table = pd.DataFrame({"number": range(1000), "text": [f"row {n}" for n in range(1000)]})
    table.to_csv("/mem/table.csv", index=False)
    for engine in ("c", "python"):
        pd.testing.assert_frame_equal(pd.read_csv("/mem/table.csv", engine=engine), table)
    table.to_csv("/mem/table.csv.gz", index=False)
    pd.testing.assert_frame_equal(pd.read_csv("/mem/table.csv.gz"), table)
    table.to_json("/mem/table.json", orient="records", lines=True)
    found = pd.read_json("/mem/table.json", orient="records", lines=True)
    pd.testing.assert_frame_equal(found, table)
    table.to_pickle("/mem/table.pickle")
    pd.testing.assert_frame_equal(pd.read_pickle("/mem/table.pickle"), table)
    assert fs.get_size("/table.csv") > fs.get_size("/table.csv.gz")


def test_a_log_file_rotates(fs: MemoryFileSystem) -> None:
    handler = RotatingFileHandler("/mem/app.log", maxBytes=100, backupCount=2, encoding="utf-8")
    for number in range(30):
        record = logging.LogRecord("app", logging.INFO, "", 1, f"message {number:03}", (), None)
        handler.handle(record)
    handler.close()
    assert sorted(fs.listdir("/")) == ["app.log", "app.log.1", "app.log.2"]
    assert all(fs.get_size(name) <= 100 for name in fs.listdir("/"))
    last = fs.read_text("/app.log", encoding="utf-8").splitlines()[-1]
    assert last == "message 029"


@needs(jinja2)
def test_jinja_loads_and_reloads_templates(fs: MemoryFileSystem) -> None:
    write("/mem/templates/base.html", "<h1>{% block title %}{% endblock %}</h1>")
    write(
        "/mem/templates/pages/page.html",
        "{% extends 'base.html' %}{% block title %}{{ name }}{% endblock %}",
    )
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader("/mem/templates"),
        bytecode_cache=jinja2.FileSystemBytecodeCache("/mem"),
        autoescape=True,
    )
    assert environment.list_templates() == ["base.html", "pages/page.html"]
    assert environment.get_template("pages/page.html").render(name="a&b") == "<h1>a&amp;b</h1>"
    assert len([name for name in fs.listdir("/") if name.endswith(".cache")]) == 2
    os.utime("/mem/templates/base.html", (1, 1))
    Path("/mem/templates/base.html").write_text("{% block title %}{% endblock %}", encoding="utf-8")
    assert environment.get_template("pages/page.html").render(name="x") == "x"


def test_pytest_runs_a_suite(fs: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        "/mem/suite/conftest.py",
        """\
        import pytest

        @pytest.fixture
        def answer():
            return 42
        """,
    )
    write(
        "/mem/suite/test_small.py",
        """\
        def test_passes(answer, tmp_path):
            (tmp_path / "file").write_text("text")
            assert answer == 42

        def test_fails(answer):
            assert answer == 43
        """,
    )
    write("/mem/suite/pytest.ini", "[pytest]\n")
    os.chdir("/mem/suite")
    found: list[str] = []

    class Recorder:
        def pytest_runtest_logreport(self, report: Any) -> None:
            if report.when == "call":
                found.append(f"{report.nodeid} {report.outcome}")
                if report.failed:
                    found.append(str(report.longrepr))

    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    with contextlib.redirect_stdout(io.StringIO()) as output:
        code = pytest.main(
            [
                *("-p", "no:xdist", "-p", "no:asyncio", "-p", "no:terminalreporter"),
                *("--basetemp=/mem/base", "/mem/suite"),
            ],
            plugins=[Recorder()],
        )
    for name in ("conftest", "test_small"):
        sys.modules.pop(name, None)
    assert code == 1, output.getvalue()
    assert found[0] == "test_small.py::test_passes passed"
    assert found[1] == "test_small.py::test_fails failed"
    assert "assert 42 == 43" in found[2]
    assert "test_small.py:6: AssertionError" in found[2]
    assert fs.is_dir("/suite/.pytest_cache")
    assert [name for name in fs.listdir("/suite/__pycache__") if name.startswith("test_small.")]
