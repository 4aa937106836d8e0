"""Who takes paths: pickle, importlib.resources, jinja2, zipfile, shutil, the protocols of types."""

from __future__ import annotations

import copy
import importlib
import importlib.resources
import pickle
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from dmemfs.paths import MemoryPath

if sys.version_info >= (3, 12):
    from importlib.resources.abc import Traversable
else:
    from importlib.abc import Traversable

needs_types = pytest.mark.skipif(
    find_spec("pathlib").submodule_search_locations is None  # type: ignore[union-attr]
    or find_spec("pathlib.types") is None,
    reason="pathlib.types is there from Python 3.14 on",
)


class TestPickle:
    def test_by_the_name_of_the_file_system(self, memory: MemoryFileSystem) -> None:
        memory.publish("pickled-paths")
        path = memory / "a/b"
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            found = pickle.loads(pickle.dumps(path, protocol))
            assert found == path
            assert found.fs is memory
        memory.unpublish("pickled-paths")

    def test_in_another_process(self, tmp_path: Path, memory: MemoryFileSystem) -> None:
        memory.publish("of-both-processes")
        pickled = pickle.dumps([memory / "a", memory.path("b")])
        memory.unpublish("of-both-processes")
        program = (
            "import pickle, sys\n"
            "from dmemfs import MemoryFileSystem\n"
            "fs = MemoryFileSystem.from_tree({'a': 'one', 'b': 'two'})\n"
            "fs.publish('of-both-processes')\n"
            "print([path.read_text('utf-8') for path in pickle.load(sys.stdin.buffer)])\n"
        )
        run = subprocess.run(
            [sys.executable, "-c", program],
            input=pickled,
            stdout=subprocess.PIPE,
            timeout=50,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        assert run.stdout.strip() == b"['one', 'two']"

    def test_without_a_name_it_says_what_to_do(self, memory: MemoryFileSystem) -> None:
        with pytest.raises(TypeError, match=r"fs\.publish\(name\)"):
            pickle.dumps(memory / "a")

    def test_a_name_that_is_gone(self, memory: MemoryFileSystem) -> None:
        memory.publish("soon-gone")
        pickled = pickle.dumps(memory / "a")
        memory.unpublish("soon-gone")
        with pytest.raises(FileNotFoundError):
            pickle.loads(pickled)

    def test_a_copy_is_itself(self, memory: MemoryFileSystem) -> None:
        path = memory / "a"
        assert copy.copy(path) is copy.deepcopy(path) is path
        assert copy.deepcopy({"where": path})["where"].fs is memory


class TestResources:
    @pytest.fixture
    def package(self, memory: MemoryFileSystem) -> Any:
        memory.makedirs("/package/data")
        memory.write_bytes("/package/data/text", "ü\r\n".encode())
        return memory / "package"

    def test_it_is_a_traversable(self, package: Any) -> None:
        assert isinstance(package, Traversable)
        names = [child.name for child in package.joinpath("data").iterdir()]
        assert names == ["text"]
        with (package / "data" / "text").open("r", encoding="utf-8") as file:
            assert file.read() == "ü\n"

    def test_as_a_file(self, package: Any) -> None:
        with importlib.resources.as_file(package / "data/text") as real:
            assert Path(real).read_bytes() == "ü\r\n".encode()

    @pytest.mark.skipif(
        sys.version_info < (3, 12), reason="as_file() takes directories from Python 3.12 on"
    )
    def test_as_a_directory(self, package: Any) -> None:
        with importlib.resources.as_file(package) as real:
            assert (Path(real) / "data/text").read_bytes() == "ü\r\n".encode()

    def test_of_a_package_in_memory(self, package: Any) -> None:
        """Whose loader tells where its resources are."""
        from importlib.machinery import ModuleSpec

        class Loader:
            def create_module(self, spec: ModuleSpec) -> None:
                return None

            def exec_module(self, module: Any) -> None:
                pass

            def get_resource_reader(self, name: str) -> Any:
                return self

            def files(self) -> Any:
                return package

        spec = ModuleSpec("in_memory", Loader(), is_package=True)  # type: ignore[arg-type]
        module = importlib.util.module_from_spec(spec)
        found = importlib.resources.files(module) / "data" / "text"
        assert found.read_text(encoding="utf-8") == "ü\n"


def test_templates_of_jinja2(memory: MemoryFileSystem) -> None:
    jinja2 = pytest.importorskip("jinja2", reason="jinja2 is not installed")
    templates = memory / "templates"
    templates.mkdir()
    (templates / "page").write_text("{% include 'part' %}!", "utf-8")
    (templates / "part").write_text("Hello {{ name }}", "utf-8")

    class PathLoader(jinja2.BaseLoader):  # type: ignore[name-defined, misc]
        def __init__(self, top: MemoryPath) -> None:
            self.top = top

        def get_source(self, environment: Any, template: str) -> Any:
            path = self.top / template
            if not path.is_file():
                raise jinja2.TemplateNotFound(template)
            changed = path.stat().st_mtime_ns
            return path.read_text("utf-8"), str(path), lambda: path.stat().st_mtime_ns == changed

    environment = jinja2.Environment(loader=PathLoader(templates))
    assert environment.get_template("page").render(name="you") == "Hello you!"
    (templates / "part").write_text("Bye {{ name }}", "utf-8")
    assert environment.get_template("page").render(name="you") == "Bye you!"
    with pytest.raises(jinja2.TemplateNotFound):
        environment.get_template("missing")
    by_function = jinja2.FunctionLoader(lambda name: (templates / name).read_text("utf-8"))
    assert jinja2.Environment(loader=by_function).get_template("page").render(name="x") == "Bye x!"


def test_archives(memory: MemoryFileSystem) -> None:
    (memory / "a").write_bytes(b"one" * 1000)
    archive = memory / "all.zip"
    with archive.open("wb") as file, zipfile.ZipFile(file, "w") as written:
        with (memory / "a").open("rb") as source, written.open("a", "w") as target:
            shutil.copyfileobj(source, target)
        written.writestr("b", (memory / "a").read_bytes())
    with archive.open("rb") as file, zipfile.ZipFile(file) as found:
        assert found.testzip() is None
        with found.open("a") as source, (memory / "copy").open("wb") as target:
            shutil.copyfileobj(source, target)
    assert (memory / "copy").read_bytes() == b"one" * 1000
    with pytest.raises((AttributeError, TypeError)):
        zipfile.ZipFile(archive)  # type: ignore[call-overload]


def test_text_files(memory: MemoryFileSystem) -> None:
    import csv
    import json

    with (memory / "t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["a", "b"], ["1", "ü\n"]])
    with (memory / "t.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["a", "b"], ["1", "ü\n"]]
    (memory / "t.json").write_text(json.dumps({"a": 1}), "utf-8")
    with (memory / "t.json").open("rb") as binary:
        assert json.load(binary) == {"a": 1}


@needs_types
class TestTypes:
    def test_it_is_one_of_the_classes(self, memory: MemoryFileSystem) -> None:
        types = importlib.import_module("pathlib.types")
        path = memory / "a"
        for name in ("_JoinablePath", "_ReadablePath", "_WritablePath"):
            assert isinstance(path, getattr(types, name))
        assert isinstance(path.info, types.PathInfo)
        assert isinstance(path.parser, types._PathParser)

    def test_each_of_their_methods_is_there(self) -> None:
        types = importlib.import_module("pathlib.types")
        for name in ("_JoinablePath", "_ReadablePath", "_WritablePath"):
            wanted = {each for each in vars(getattr(types, name)) if each[:5] != "_abc_"}
            assert [
                each
                for each in wanted - {"__slots__", "__abstractmethods__"}
                if not hasattr(MemoryPath, each)
            ] == []


def test_a_file_system_is_not_kept_by_what_is_imported() -> None:
    """One that is dropped is freed at once, its paths with it."""
    import weakref

    fs = MemoryFileSystem()
    path: Any = fs / "a"
    path.write_bytes(b"1")
    list(path.parent.iterdir())
    gone = weakref.ref(fs)
    del fs, path
    import gc

    gc.collect()
    assert gone() is None


def test_what_asks_for_a_path_alone_loads_them() -> None:
    program = (
        "import dmemfs, sys\nprint('dmemfs._pathlib' in sys.modules, 'pathlib' in sys.modules)"
    )
    run = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n{program}",
        ],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert run.stdout.split()[0] == "False"
