"""Known libraries that open paths in C: what is handed to them in the place of a mounted path.

A line of the table is one library. Its functions are replaced while something is mounted, where
the library is imported, and as soon as it is. Each line names the functions that users call, and
for each of them where the path is among its arguments.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NamedTuple

from .collector import module_namespace
from .handing_over import (
    Parameter,
    by_content,
    by_file,
    by_file_to_close,
    by_hdf5_file,
    by_path,
    closing_hdf5_file,
    lxml_tree,
    refuse,
    refuse_socket,
    refuse_sql,
)
from .table import MountTable

_Way = Callable[..., Any]


class Library(NamedTuple):
    """One line of the table.

    Attributes:
        module: where the functions are.
        way: how a mounted path is handed over.
        functions: their names, each with the place and the name of the parameter that takes the
            path, and what is done to it: `r` reads, `w` writes, `m` is told by the mode, the next
            parameter.
    """

    module: str
    way: _Way
    functions: str


# One that resolves links (HDF5), or makes files beside (DuckDB, readline), must not be given the
# path of a file in memory. Polars reads later, when nobody holds that path any more.
LIBRARIES = (
    Library("_dbm", refuse, "open:0:filename:w"),
    Library("_gdbm", refuse, "open:0:filename:w"),
    Library("duckdb", refuse, """
        connect:0:database:w from_csv_auto:0:path_or_buffer:r from_parquet:0:file_glob:r
        read_csv:0:path_or_buffer:r read_json:0:path_or_buffer:r read_parquet:0:file_glob:r
        write_csv:1:filename:w DuckDBPyConnection.read_csv:1:path_or_buffer:r
        DuckDBPyConnection.read_json:1:path_or_buffer:r
        DuckDBPyConnection.read_parquet:1:file_glob:r
        DuckDBPyConnection.from_csv_auto:1:path_or_buffer:r
        DuckDBPyConnection.from_parquet:1:file_glob:r
        DuckDBPyRelation.to_csv:1:file_name:w DuckDBPyRelation.write_csv:1:file_name:w
        DuckDBPyRelation.to_parquet:1:file_name:w DuckDBPyRelation.write_parquet:1:file_name:w
    """),
    Library("duckdb", refuse_sql, """
        execute:0:query:w query:0:query:w sql:0:query:w from_query:0:query:w
        DuckDBPyConnection.execute:1:query:w DuckDBPyConnection.executemany:1:query:w
        DuckDBPyConnection.from_query:1:query:w DuckDBPyConnection.query:1:query:w
        DuckDBPyConnection.sql:1:query:w
    """),
    Library("h5py", by_hdf5_file, "File.__init__:1:name:m"),
    Library("h5py", closing_hdf5_file, "File.close:0:self:r"),
    Library("lxml.etree", by_file, """
        DTD:0:file:r RelaxNG:1:file:r XMLSchema:1:file:r
    """),
    Library("lxml.etree", by_content, "iterparse:0:source:r"),
    Library("lxml.etree", by_file_to_close, "htmlfile:0:output_file:w xmlfile:0:output_file:w"),
    Library("lxml.etree", lxml_tree, "ElementTree:9:file:r parse:0:source:r"),
    Library("polars", by_file, """
        read_avro:0:source:r read_csv:0:source:r read_ipc:0:source:r read_ipc_stream:0:source:r
        read_json:0:source:r read_ndjson:0:source:r read_parquet:0:source:r scan_csv:0:source:r
        scan_ipc:0:source:r scan_ndjson:0:source:r scan_parquet:0:source:r
        DataFrame.write_avro:1:file:w DataFrame.write_csv:1:file:w DataFrame.write_ipc:1:file:w
        DataFrame.write_ipc_stream:1:file:w DataFrame.write_json:1:file:w
        DataFrame.write_ndjson:1:file:w DataFrame.write_parquet:1:file:w
        LazyFrame.sink_csv:1:path:w LazyFrame.sink_ipc:1:path:w LazyFrame.sink_ndjson:1:path:w
        LazyFrame.sink_parquet:1:path:w
    """),
    Library("pyarrow.csv", by_path, """
        CSVWriter:0:sink:w open_csv:0:input_file:r read_csv:0:input_file:r
        write_csv:1:output_file:w
    """),
    Library("pyarrow.dataset", refuse, "dataset:0:source:r write_dataset:1:base_dir:w"),
    Library("pyarrow.feather", by_path, """
        read_feather:0:source:r read_table:0:source:r write_feather:1:dest:w
    """),
    Library("pyarrow.ipc", by_path, """
        new_file:0:sink:w new_stream:0:sink:w open_file:0:source:r open_stream:0:source:r
    """),
    Library("pyarrow.json", by_path, "open_json:0:input_file:r read_json:0:input_file:r"),
    Library("pyarrow.lib", by_path, """
        OSFile:0:path:m input_stream:0:source:r memory_map:0:path:m output_stream:0:source:w
    """),
    Library("pyarrow.orc", by_path, """
        ORCFile.__init__:1:source:r ORCWriter.__init__:1:where:w read_table:0:source:r
        write_table:1:where:w
    """),
    Library("pyarrow.parquet.core", by_path, """
        ParquetFile.__init__:1:source:r ParquetWriter.__init__:1:where:w read_metadata:0:where:r
        read_schema:0:where:r read_table:0:source:r write_table:1:where:w
    """),
    Library("pyarrow.parquet.core", refuse, "write_to_dataset:1:root_path:w"),
    Library("readline", by_path, "read_history_file:0:filename:r"),
    Library("readline", refuse, """
        append_history_file:1:filename:w write_history_file:0:filename:w
    """),
    Library("socket", refuse_socket, "socket.bind:1:address:w"),
    Library("ssl", by_path, """
        SSLContext.load_cert_chain:1:certfile:r SSLContext.load_cert_chain:2:keyfile:r
        SSLContext.load_verify_locations:1:cafile:r
    """),
)  # fmt: skip


class _Replaced(NamedTuple):
    """A place where a function is replaced."""

    holder: Any  # a class, or the namespace of a module
    name: str
    original: Any
    stand_in: Any


_MISSING = object()


class KnownLibraries:
    """Replaces the functions of the libraries that are imported, while something is mounted."""

    def __init__(self, table: MountTable, libraries: Sequence[Library] = LIBRARIES) -> None:
        self._table = table
        self._waiting = list(libraries)
        self._stand_ins: dict[int, tuple[Any, Any]] = {}
        self._replaced: list[_Replaced] = []
        self._seen: dict[str, int] = {}
        self._watcher = _Watcher({library.module for library in libraries}, self.look)
        self._looked: tuple[int, str] | None = None
        self._is_installed = False

    def install(self) -> None:
        """Replace the functions, also those of libraries that are imported later."""
        self._is_installed = True
        if self._watcher not in sys.meta_path:
            sys.meta_path.insert(0, self._watcher)
        self.look()
        for each in self._replaced:
            _exchange(each, each.original, each.stand_in)

    def remove(self) -> None:
        """Put all of them back. To do it again does no harm."""
        if self._watcher in sys.meta_path:
            sys.meta_path.remove(self._watcher)
        self.look()
        self._is_installed = False
        for each in reversed(self._replaced):  # one may be in another's place
            _exchange(each, each.stand_in, each.original)

    def look(self, imported: str | None = None) -> None:
        """Look for libraries, and for copies of their functions, in modules that are new.

        Args:
            imported: the module that has just been executed.

        Complexity: O(names in them), where one of the libraries is imported.
        """
        state = (len(sys.modules), next(reversed(sys.modules)))
        if state == self._looked:
            return
        self._looked = None
        for library in list(self._waiting):
            module = sys.modules.get(library.module)
            if module is not None and (library.module == imported or not _is_beginning(module)):
                self._waiting.remove(library)
                self._prepare(library, module)
        if not self._stand_ins or self._look_for_copies():
            self._looked = state

    def _prepare(self, library: Library, module: ModuleType) -> None:
        """Make the stand-ins of a library; those of methods are put there."""
        for text in library.functions.split():
            name, position, parameter, use = text.split(":")
            path = Parameter(int(position), parameter, use)
            kind, _, method = name.rpartition(".")
            holder = getattr(module, kind, None) if kind else module
            real = getattr(holder, method, None)
            if holder is None or real is None:  # another version has it no more, or not yet
                continue
            if not kind:
                stand_in = _stand_in(real, path, library.way, self._table)
                self._stand_ins[id(real)] = self._stand_ins[id(stand_in)] = (real, stand_in)
                continue
            inherits = method not in vars(holder)
            original = _MISSING if inherits else vars(holder)[method]
            stand_in = _function_stand_in(real, path, library.way, self._table)
            self._add(_Replaced(holder, method, original, stand_in))

    def _look_for_copies(self) -> bool:
        """Look through the modules that are new; tell whether all of them have been executed."""
        are_whole = True
        wanted = set(self._stand_ins)
        for name, module in list(sys.modules.items()):
            if self._seen.get(name) == id(module) or not issubclass(type(module), ModuleType):
                continue
            namespace = module_namespace(module)
            if not wanted.isdisjoint(map(id, list(namespace.values()))):
                for key, value in list(namespace.items()):
                    found = self._stand_ins.get(id(value))
                    if found is not None:
                        self._add(_Replaced(namespace, key, *found))
            if _is_beginning(module):
                are_whole = False  # more may come
            else:
                self._seen[name] = id(module)
        return are_whole

    def _add(self, place: _Replaced) -> None:
        self._replaced.append(place)
        if self._is_installed:
            _exchange(place, place.original, place.stand_in)


def _is_beginning(module: ModuleType) -> bool:
    """Tell whether a module is being executed."""
    return bool(getattr(module_namespace(module).get("__spec__"), "_initializing", False))


def _exchange(place: _Replaced, there: Any, wanted: Any) -> None:
    """Put something into a place, unless somebody else has put something there."""
    holder, name = place.holder, place.name
    namespace = holder if isinstance(holder, dict) else vars(holder)
    if namespace.get(name, _MISSING) is not there:
        return
    if isinstance(holder, dict):
        holder[name] = wanted
    elif wanted is _MISSING:
        delattr(holder, name)
    else:
        setattr(holder, name, wanted)


def _stand_in(real: Any, path: Parameter, way: _Way, table: MountTable) -> Any:
    if isinstance(real, type):
        return _class_stand_in(real, path, way, table)
    return _function_stand_in(real, path, way, table)


def _function_stand_in(real: Any, path: Parameter, way: _Way, table: MountTable) -> Any:
    def stand_in(*arguments: Any, **options: Any) -> Any:
        if not table.mounts:
            return real(*arguments, **options)
        return way(table, real, path, arguments, options)

    return functools.update_wrapper(stand_in, real)


def _class_stand_in(real: type, path: Parameter, way: _Way, table: MountTable) -> Any:
    """Return what stands for a class written in C: it makes real ones, and they are its own."""

    class Kind(type(real)):  # type: ignore[misc]
        def __call__(cls, *arguments: Any, **options: Any) -> Any:
            if not table.mounts:
                return real(*arguments, **options)
            return way(table, real, path, arguments, options)

        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, real)

        def __subclasscheck__(cls, subclass: type) -> bool:
            return issubclass(subclass, real)

    namespace = {"__doc__": real.__doc__, "__module__": real.__module__}
    return Kind(real.__name__, (real,), namespace)


class _Watcher:
    """A finder of modules that finds what others find, and tells when it was imported."""

    def __init__(self, names: set[str], tell: Callable[[str], None]) -> None:
        self._names = names
        self._tell = tell

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return what the finder that finds the module says of it."""
        if name not in self._names:
            return None
        for finder in list(sys.meta_path):
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    loader: Any = _WatchedLoader(spec.loader, self._tell)
                    spec.loader = loader
                return spec
        return None


class _WatchedLoader:
    """The loader of a module, which tells when it has loaded it."""

    def __init__(self, loader: Any, tell: Callable[[str], None]) -> None:
        self._loader = loader
        self._tell = tell

    def create_module(self, spec: ModuleSpec) -> Any:
        """Make the module, as its own loader does."""
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        """Execute it, with its own loader in all places from now on."""
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._tell(module.__name__)
