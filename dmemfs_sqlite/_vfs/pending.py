"""Callbacks that SQLite makes while a Python exception is on its way.

A cursor that is dropped because an exception leaves its block unlocks the database, and may even
commit. The exception is pending then: it is set in the interpreter, and nothing may run before it
is handled. Code in C that must, puts it aside and back. A callback begins in Python, which does
neither, and one that returns with an exception pending has lost it. So the callback meets it at its
entry, and answers with a number that sets it again when `ctypes` has taken the number and frees it,
which is after the last look at what the callback did.
"""

from __future__ import annotations

import ctypes
import dis
import functools
import operator
from types import CodeType
from typing import Any

from .memory import immortal

# Of the stable ABI: https://docs.python.org/3/c-api/type.html#c.PyType_FromSpecWithBases
_TP_FINALIZE = 80
_BASETYPE, _VERSION_TAG = 1 << 10, 1 << 18

HELD: dict[int, BaseException] = {}
"""Interruptions on their way out of SQLite, by thread: see `failures`."""

ENTRY = [HELD]
"""What a callback looks at first, `if ENTRY[-1] and not again: raise_held()`.

CPython asks whether an exception is pending when a number that it needs in C is -1, because that is
also what stands for a failure; so the pending one is raised there.
"""


def met_at_entry(error: BaseException) -> bool:
    """Tell whether the callback that caught `error` was called while it was pending."""
    met = error.__traceback__
    return met is not None and met.tb_lineno == _entry_line(met.tb_frame.f_code)


@functools.cache
def _entry_line(code: CodeType) -> int | None:
    for instruction in dis.get_instructions(code):
        if instruction.argval == "ENTRY" and instruction.positions is not None:
            return instruction.positions.lineno
    return None


class _Slot(ctypes.Structure):
    _fields_ = [("slot", ctypes.c_int), ("function", ctypes.c_void_p)]


class _Spec(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("basicsize", ctypes.c_int),
        ("itemsize", ctypes.c_int),
        ("flags", ctypes.c_uint),
        ("slots", ctypes.c_void_p),
    ]


def _represented_at_the_end() -> Any:
    """Return a subclass of int whose instances are asked for their repr() when they are freed.

    What that raises stays set: `__del__`, with which a class in Python does the like, would put
    aside what it finds and report what it raises.
    """
    represent = ctypes.cast(ctypes.pythonapi.PyObject_Repr, ctypes.c_void_p)
    slots = immortal((_Slot * 2)(_Slot(_TP_FINALIZE, represent)))
    name = immortal(f"{__name__}._RepresentedAtTheEnd".encode())
    spec = _Spec(name, 0, 0, _BASETYPE | _VERSION_TAG, ctypes.addressof(slots))
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object)(
        ("PyType_FromSpecWithBases", ctypes.pythonapi)
    )
    return make(ctypes.addressof(spec), (int,))


_set_exception = ctypes.PYFUNCTYPE(None, ctypes.py_object, ctypes.py_object)(
    ("PyErr_SetObject", ctypes.pythonapi)
)
_RepresentedAtTheEnd: Any = _represented_at_the_end()


class _Answer(_RepresentedAtTheEnd):  # type: ignore[misc]
    """A number that sets an exception when it is freed, without a frame that it would show."""

    set_again: functools.partial[None]
    __repr__ = property(operator.attrgetter("set_again"))


def setting_again(error: BaseException, answer: int) -> int:
    """Return the answer of a callback that was called while `error` was pending."""
    met = error.__traceback__
    error.__traceback__ = met and met.tb_next  # without the frame of the callback
    number = _Answer(answer)
    number.set_again = functools.partial(_set_exception, type(error), error)
    assert isinstance(number, int)
    return number
