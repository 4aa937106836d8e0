"""The shape of the code: what is public, who imports whom, and what an import does."""

from __future__ import annotations

import ast
import graphlib
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import dmemfs.testing
import dmemfs_sqlite
from dmemfs._tree.tree import TreeOfDatabases

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("dmemfs", "dmemfs_sqlite")
LONGEST_MODULE = 500

# What is imported by its own name, and only if used: what frameworks need, and checks for others.
PUBLIC_MODULES = {
    "dmemfs/aio.py",
    "dmemfs/fsspec.py",
    "dmemfs/paths.py",
    "dmemfs/pyfakefs/__init__.py",
    "dmemfs/pytest_plugin.py",
    "dmemfs/testing/__init__.py",
    "dmemfs/unittest_mixin.py",
    "dmemfs_sqlite/django/__init__.py",
    "dmemfs_sqlite/django/base.py",
    "dmemfs_sqlite/pytest_plugin.py",
    "dmemfs_sqlite/sqlalchemy.py",
    "dmemfs_sqlite/unittest_mixin.py",
}

# The folders, and the modules beside them. Each may import those on floors above its own line, and
# none on the same one: no wing knows another.
FLOORS: dict[str, tuple[set[str], ...]] = {
    "dmemfs": (
        {"_platform"},
        {"_arguments", "_entering", "_errors", "_late", "_mutex", "_paths", "_version"},
        {"_nodes"},
        {"_history"},
        {"_tree"},
        {"_files", "_published", "_transfer"},
        {"_snapshots", "_interception", "_kernel"},
        {"_mount", "_pathlib"},
        {"_memory_filesystem"},
        {"_commands"},
        {"_shell"},
        {"_aio", "_cli", "_fsspec", "_worker", "paths", "pyfakefs", "pytest_plugin", "testing"},
        {"__main__", "aio", "fsspec", "unittest_mixin"},
    ),
    "dmemfs_sqlite": (
        {"_errors", "_platform"},
        {"_engine"},
        {"_vfs"},
        {"_stores"},
        {"_live"},
        {"_courier", "_inspection"},
        {"_demo", "_optional", "_urls"},
        {"_aiosqlite", "_django"},
        {"_dialects"},
        {"_cli", "django", "pytest_plugin", "sqlalchemy", "unittest_mixin"},
        {"__main__"},
    ),
}
ROOMS = [(package, room) for package, floors in FLOORS.items() for room in set().union(*floors)]

MODULES = [path for package in PACKAGES for path in sorted((PROJECT / package).rglob("*.py"))]


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def module_name(path: Path) -> str:
    return name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported_modules(path: Path) -> Iterator[str]:
    """Yield what a module imports, as absolute names, wherever in it the import stands.

    Imports for type checking only count too: a module should not even know what lies above it.
    """
    package = path.relative_to(PROJECT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            source = ".".join(filter(None, (base, node.module)))
            for alias in node.names:
                whole = f"{source}.{alias.name}"
                place = PROJECT / whole.replace(".", "/")
                is_module = place.with_suffix(".py").exists() or (place / "__init__.py").exists()
                yield whole if is_module else source


@cache
def imports_within(package: str) -> dict[str, set[str]]:
    """Return which modules of the package each of its modules imports; the package itself aside."""
    prefix = f"{package}."
    modules = {module_name(path): path for path in (PROJECT / package).rglob("*.py")}
    return {
        module.removeprefix(prefix): {
            name.removeprefix(prefix) for name in imported_modules(path) if name in modules
        }
        - {package}
        for module, path in modules.items()
        if module != package
    }


# --- what is public -------------------------------------------------------------------------------


def test_the_public_names_of_dmemfs() -> None:
    assert sorted(dmemfs.__all__) == [
        "ArchiveError",
        "Difference",
        "Link",
        "MemoryFileSystem",
        "PackError",
        "Quota",
        "QuotaExceededError",
        "Snapshot",
        "Usage",
        "materialize",
        "mount",
        "no_disk_writes",
    ]


def test_the_public_names_of_dmemfs_testing() -> None:
    assert dmemfs.testing.__all__ == [
        "CHECKS",
        "ConformanceError",
        "Misbehaviour",
        "check_filesystem",
        "check_read_only_filesystem",
    ]


def test_the_public_names_of_dmemfs_sqlite() -> None:
    assert dmemfs_sqlite.__all__ == [
        "BusyError",
        "Commit",
        "DatabaseChanges",
        "DatabaseTemplate",
        "IncompatibleTargetError",
        "LiveDatabaseUnavailable",
        "OpenTransactionError",
        "Recording",
        "SchemaChanges",
        "SharedDatabase",
        "SnapshotError",
        "SnapshotStore",
        "TableChanges",
        "UnsafeURIError",
        "UnsavedError",
        "Version",
        "changes",
        "connect",
        "copy_db",
        "explain_uri",
        "live_uri",
        "load_db",
        "memory_uri",
        "record",
        "save_db",
    ]


def test_the_public_methods_of_the_file_system() -> None:
    public = {name for name in dir(dmemfs.MemoryFileSystem) if not name.startswith("_")}
    names = """
        access add_real apply attach changes chmod chown clone close copy copy_tree detach discard
        exists export_archive export_as_bytesio export_tree fail from_tree get_size glob
        import_archive import_tree is_dir is_file is_symlink iter_export_tree link listdir lock
        lstat makedirs mkdir mount move open pack path publish published quota read_bytes read_text
        readlink remove rename replace restore rmdir rmtree rollback scandir set_quota snapshot stat
        stats statvfs symlink to_tree tree truncate unlink unpack unpublish usage utime walk
        write_bytes write_text
    """
    assert public == set(names.split())


@pytest.mark.parametrize(
    "package", [dmemfs, dmemfs.testing, dmemfs_sqlite], ids=lambda package: package.__name__
)
def test_public_names_exist_and_are_documented(package: object) -> None:
    for name in package.__all__:  # type: ignore[attr-defined]
        assert not name.startswith("_")
        public = getattr(package, name)
        assert public.__doc__ or not callable(public), f"{name} has no docstring"


def test_the_public_methods_are_documented() -> None:
    for name, method in vars(dmemfs.MemoryFileSystem).items():
        assert name.startswith("_") or method.__doc__, f"{name} has no docstring"


@pytest.mark.parametrize(
    "module", ["dmemfs/testing/__init__.py", "dmemfs_sqlite/django/__init__.py"]
)
def test_public_modules_only_export(module: str) -> None:
    tree = ast.parse((PROJECT / module).read_text(encoding="utf-8"))
    imported: list[str] = []
    exported: list[str] = []
    docstring, *statements = tree.body
    assert isinstance(docstring, ast.Expr)
    for statement in statements:
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            continue
        if isinstance(statement, ast.ImportFrom):
            assert statement.level > 0, "only the package's own names are exported"
            imported += [alias.asname or alias.name for alias in statement.names]
        else:
            assert isinstance(statement, ast.Assign), f"line {statement.lineno} does something"
            assert [ast.unparse(target) for target in statement.targets] == ["__all__"]
            exported += ast.literal_eval(statement.value)
    assert sorted(imported) == sorted(exported)


@pytest.mark.parametrize("package", [dmemfs, dmemfs_sqlite], ids=lambda package: package.__name__)
def test_packages_import_what_they_publish_when_it_is_asked_for(package: ModuleType) -> None:
    """What type checkers see is what there is."""
    tree = ast.parse(inspect.getsource(package))
    for_checkers, _ = (each for each in tree.body if isinstance(each, ast.If))
    seen = {
        alias.name: statement.module
        for statement in for_checkers.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    (call,) = (
        each for each in ast.walk(tree) if isinstance(each, ast.Call) and len(each.args) == 2
    )
    assert ast.literal_eval(call.args[1]) == seen
    assert sorted(seen) == package.__all__
    assert set(package.__all__) < set(dir(package))
    for name, module in seen.items():
        assert getattr(package, name) is getattr(sys.modules[f"{package.__name__}.{module}"], name)
    with pytest.raises(AttributeError, match=f"'{package.__name__}' has no attribute 'missing'"):
        _ = package.missing


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_tell_type_checkers_that_they_are_typed(package: str) -> None:
    assert (PROJECT / package / "py.typed").exists()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_are_private_and_not_long(path: Path) -> None:
    assert "/_" in name_of(path) or name_of(path) in PUBLIC_MODULES
    length = len(path.read_text(encoding="utf-8").splitlines())
    assert length <= LONGEST_MODULE, f"{length} lines: it has more than one concern"


def test_the_extras_that_errors_name_exist() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {
        ast.literal_eval(call.args[1])
        for path in (PROJECT / "dmemfs_sqlite").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "require"
    }
    assert named <= set(project["optional-dependencies"])
    assert project["dependencies"] == []


def test_what_entry_points_name_exists() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"scripts": project["scripts"], **project["entry-points"]}
    assert groups.keys() >= {"scripts", "pytest11", "fsspec.specs", "dmemfs.mount"}
    for entry in (entry for entries in groups.values() for entry in entries.values()):
        module, _, name = entry.partition(":")
        path = PROJECT / module.replace(".", "/")
        source = path.with_suffix(".py").read_text(encoding="utf-8")
        # Not imported: some need a framework.
        assert not name or re.search(rf"^(def|class) {name}\b|^{name}[:=]", source, re.MULTILINE)


# --- who imports whom -----------------------------------------------------------------------------


@pytest.mark.parametrize("package", PACKAGES)
def test_there_are_no_import_circles(package: str) -> None:
    graphlib.TopologicalSorter(imports_within(package)).prepare()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_stands_on_a_floor(package: str) -> None:
    rooms = {module.split(".")[0] for module in imports_within(package)}
    assert rooms == set().union(*FLOORS[package])


@pytest.mark.parametrize(("package", "room"), sorted(ROOMS))
def test_imports_run_one_way(package: str, room: str) -> None:
    floors = FLOORS[package]
    floor = next(number for number, rooms in enumerate(floors) if room in rooms)
    assert imported_by(package, room) <= set().union(*floors[:floor])


def test_checks_for_any_file_system_know_none() -> None:
    assert imported_by("dmemfs", "testing") <= {"_transfer"}


def imported_by(package: str, room: str) -> set[str]:
    """Return which other rooms the modules of one import."""
    return {
        name.split(".")[0]
        for module, names in imports_within(package).items()
        if module.split(".")[0] == room
        for name in names
    } - {room}


def test_the_file_system_knows_nothing_of_sqlite() -> None:
    for path in (PROJECT / "dmemfs").rglob("*.py"):
        for name in imported_modules(path):
            assert name.split(".")[0] not in {"dmemfs_sqlite", "sqlite3"}, name_of(path)


SHARED = {
    "dmemfs._arguments",
    "dmemfs._late",
    "dmemfs._mutex",
    "dmemfs._platform",
    "dmemfs._version",
}


def test_the_sqlite_package_uses_what_is_public_only() -> None:
    """But for what both packages need, and is nobody's business outside of them."""
    for path in (PROJECT / "dmemfs_sqlite").rglob("*.py"):
        for name in imported_modules(path):
            assert not name.startswith("dmemfs._") or name in SHARED, name_of(path)


def test_live_databases_use_of_a_tree_what_is_agreed() -> None:
    used = {
        node.attr
        for path in (PROJECT / "dmemfs_sqlite").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and ast.unparse(node.value).rpartition(".")[2] in {"fs", "_fs"}
    }
    methods = [name for name, value in vars(TreeOfDatabases).items() if callable(value)]
    agreed = {*TreeOfDatabases.__annotations__, *methods}
    assert used == {name for name in agreed if not name.startswith("__")}
    fs: TreeOfDatabases = dmemfs.MemoryFileSystem()  # mypy compares the signatures
    assert [name for name in used if not hasattr(fs, name)] == []


# --- what an import does --------------------------------------------------------------------------


def run_python(code: str, *arguments: str) -> str:
    """Run code in a fresh interpreter that sees the project and nothing that is installed."""
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", code, str(PROJECT), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


LIST_MODULES = """
import sys
sys.path.insert(0, sys.argv[1])
from dmemfs import *
from dmemfs_sqlite import *
print(*sys.modules)
"""

# What the standard library does when it is imported is not ours, so it is imported before.
COMPARE_GLOBALS = """
import atexit, builtins, contextlib, gc, importlib, io, json, locale, logging, os, random, signal
import sqlite3, sys, threading, warnings
sys.path.insert(0, sys.argv[1])
for name in json.loads(sys.argv[2]):
    with contextlib.suppress(ImportError):
        importlib.import_module(name)

def state():
    descriptors = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "."
    umask = os.umask(0o22)
    os.umask(umask)
    return {
        "os": dict(vars(os)),
        "builtins": {name: value for name, value in vars(builtins).items() if name != "_"},
        "io": dict(vars(io)),
        "sqlite3": dict(vars(sqlite3)),
        "sqlite3 adapters": dict(sqlite3.adapters),
        "sqlite3 converters": dict(sqlite3.converters),
        "threading": dict(vars(threading)),
        "sys": {name: value for name, value in vars(sys).items()},
        "sys.path": list(sys.path),
        "sys.meta_path": list(sys.meta_path),
        "sys.path_hooks": list(sys.path_hooks),
        "environment": dict(os.environ),
        "working directory": os.getcwd(),
        "umask": umask,
        "warnings": list(warnings.filters),
        "signals": [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        "threads": threading.enumerate(),
        "exit functions": atexit._ncallbacks(),
        "garbage collection": (gc.isenabled(), gc.get_threshold(), list(gc.callbacks)),
        "logging": (logging.root.level, list(logging.root.handlers)),
        "locale": locale.setlocale(locale.LC_ALL),
        "random numbers": random.getstate(),
        "switch interval": sys.getswitchinterval(),
        "recursion limit": sys.getrecursionlimit(),
        "open files": sorted(os.listdir(descriptors)),
    }

state()
before = state()
from dmemfs import *
from dmemfs_sqlite import *
after = state()
print(json.dumps([name for name in before if before[name] != after[name]]))
"""


@pytest.fixture(scope="module")
def modules_of_an_import() -> list[str]:
    return run_python(LIST_MODULES).split()


def test_an_import_needs_the_standard_library_only(modules_of_an_import: list[str]) -> None:
    roots = {name.split(".")[0] for name in modules_of_an_import}
    # From 3.15 on, `traceback` looks for a module in which whoever built Python says what it lacks.
    not_listed = {"__main__", "_missing_stdlib_info"}
    assert roots - sys.stdlib_module_names - not_listed == set(PACKAGES)


def test_an_import_changes_nothing_global(modules_of_an_import: list[str]) -> None:
    others = [name for name in modules_of_an_import if name.split(".")[0] not in PACKAGES]
    assert json.loads(run_python(COMPARE_GLOBALS, json.dumps(others))) == []


def test_the_file_system_alone_does_not_load_sqlite() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); from dmemfs import *; print(*sys.modules)"
    assert not {"sqlite3", "_sqlite3", "dmemfs_sqlite"} & set(run_python(code).split())


def test_what_few_need_is_not_loaded_before_it_is_used() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); from dmemfs import *; print(*sys.modules)"
    rarely = {"tarfile", "zipfile", "hashlib", "argparse", "tempfile", "datetime", "dmemfs.testing"}
    assert not {*rarely, "dmemfs._published"} & set(run_python(code).split())


@pytest.mark.parametrize("package", PACKAGES)
def test_an_import_loads_nothing_that_is_not_asked_for(package: str) -> None:
    code = f"import sys; sys.path.insert(0, sys.argv[1]); import {package}; print(*sys.modules)"
    loaded = set(run_python(code).split()) - set(
        run_python("import sys; print(*sys.modules)").split()
    )
    assert loaded <= {"__future__", package, "dmemfs", "dmemfs._late"}


@pytest.mark.parametrize("package", PACKAGES)
def test_an_older_python_is_told_which_one_is_needed(package: str) -> None:
    code = (
        "import runpy, sys; sys.path.insert(0, sys.argv[1]); sys.version_info = (3, 10, 13)\n"
        f"runpy.run_module({package!r}, run_name='__main__')"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-c", code, str(PROJECT)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr == "Python 3.11 or later is needed, and this is 3.10\n"


def test_plugins_load_nothing_that_no_test_uses(tmp_path: Path) -> None:
    (tmp_path / "test_unrelated.py").write_text(
        "import sys\n\ndef test_modules():\n"
        "    ours = {name for name in sys.modules if name.startswith('dmemfs')}\n"
        "    plugins = {f'{package}.pytest_plugin' for package in ('dmemfs', 'dmemfs_sqlite')}\n"
        "    assert ours == {'dmemfs', 'dmemfs._late', 'dmemfs_sqlite', *plugins}\n"
    )
    options = ("-p", "dmemfs.pytest_plugin", "-p", "dmemfs_sqlite.pytest_plugin")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options, "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout


# --- how locks are taken --------------------------------------------------------------------------


# What is held by nobody, and what is taken in the form that the docstring of `Storage` shows.
PLAIN_LOCKS = {
    ("dmemfs/_files/locks.py", "bell"),
    ("dmemfs/_mutex.py", "_RLock"),
    ("dmemfs/_nodes/pieces.py", "self._is_given_up"),
    ("dmemfs/_tree/storage.py", "self._lock"),
}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_locks_are_those_that_no_interrupt_leaves_held(path: Path) -> None:
    """All others are of `dmemfs._mutex.Mutex`, which `with` may take."""
    for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Assign):
            made = ast.unparse(statement.value)
            assert not re.search(r"\bR?Lock\b", made) or (
                (name_of(path), ast.unparse(statement.targets[0])) in PLAIN_LOCKS
            )
        if isinstance(statement, ast.AnnAssign) and statement.value is not None:
            made = ast.unparse(statement.value)
            assert not re.search(r"\bR?Lock\b", made) or (
                (name_of(path), ast.unparse(statement.target)) in PLAIN_LOCKS
            )
        if isinstance(statement, ast.With):
            for item in statement.items:
                taken = ast.unparse(item.context_expr)
                assert not taken.endswith("_lock"), f"line {statement.lineno}: see Storage"


FORM = r"if not (.+)\._try_lock\(False\):\n    \1\._wait_for_lock\(\)$"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_lock_of_a_file_system_is_taken_in_one_form(path: Path) -> None:
    """As the first thing in a `try`, at whose end it is given back."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    right = set()
    for block in ast.walk(tree):
        if isinstance(block, ast.Try):
            first = ast.unparse(block.body[0])
            for owner in re.findall(FORM, first):
                end = "\n".join(map(ast.unparse, block.finalbody))
                assert f"{owner}._unlock()" in end, f"line {block.lineno}"
                right.add(block.body[0].lineno)
    tried = {
        call.lineno
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call).endswith("_try_lock(False)")
    }
    assert tried <= right


def holds_a_lock(node: ast.AST) -> bool:
    """Tell whether a statement gives back a lock at its end, whatever happens in it."""
    if isinstance(node, ast.With):
        return any(re.search("_lock|mutex", ast.unparse(item)) for item in node.items)
    if isinstance(node, ast.Try):
        return any("_unlock" in ast.unparse(statement) for statement in node.finalbody)
    return False


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_loop_stands_in_a_block_that_holds_the_lock(path: Path) -> None:
    """CPython 3.13.0 loses the lock when an interrupt comes as such a loop begins anew."""
    loops = [
        loop.lineno
        for block in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if holds_a_lock(block)
        for loop in ast.walk(block)
        if isinstance(loop, ast.For | ast.While)
    ]
    assert loops == []
