"""What the editor needs of the machine before Qt can draw, and the sentence that says what is missing.

Qt itself answers a missing system library with a traceback, or aborts the process when the first window is made. The
editor and the test suite ask here first. Importing this module loads no Qt.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from flowstudio.resources import resource

_MODULES = ("PySide6.QtCore", "PySide6.QtGui", "PySide6.QtWidgets")
_LIBRARY = re.compile(r"(lib[\w.+-]+\.so(?:\.\d+)*): cannot open shared object file")


def system_packages() -> tuple[str, ...]:
    """The Debian packages that a bare machine lacks, one verified list for README, `.ci/run` and messages."""
    lines = resource("system-packages.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def install_line() -> str:
    """The command that brings all of them on Debian and Ubuntu, to be run as root."""
    return f"apt-get update && apt-get install -y {' '.join(system_packages())}"


def explain_import_error(error: ImportError | OSError) -> str | None:
    """One sentence for an error that a missing part of Qt raised; None when it is about something else."""
    if found := _LIBRARY.search(str(error)):
        return (
            f"The editor cannot start because this system lacks the library {found[1]}. "
            f"On Debian or Ubuntu this line, as root, brings it: {install_line()}"
        )
    if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] in {"PySide6", "shiboken6"}:
        return f"The editor cannot start because the package {error.name} is not installed. Run `uv sync`, or install FlowStudio again."
    return None


def obstacle(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> str | None:
    """The sentence that says why the editor cannot start here, or None when it can.

    Loads Qt. An ImportError that no missing library explains is raised as it is.
    """
    try:
        for module in _MODULES:
            importlib.import_module(module)
    except ImportError as error:
        if sentence := explain_import_error(error):
            return sentence
        raise
    if not platform.startswith("linux"):
        return None
    names = _platform_plugins(environ)
    if not names:
        return (
            "The editor cannot start because there is no screen: neither DISPLAY nor WAYLAND_DISPLAY is set. "
            "Start it from a desktop session; without one a flow runs with "
            "`flowstudio run resources/examples/customer-sync.flow.json`."
        )
    failures = [_load(name) or (_refusal(environ.get("DISPLAY", "")) if name == "xcb" else None) for name in names]
    return None if None in failures else failures[0]


def _platform_plugins(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The plugins that Qt will try for its windows, first choice first."""
    if chosen := environ.get("QT_QPA_PLATFORM"):
        return tuple(entry.split(":")[0] for entry in chosen.split(";"))
    x11 = ("xcb",) if environ.get("DISPLAY") else ()
    wayland = ("wayland",) if environ.get("WAYLAND_DISPLAY") else ()
    return wayland + x11


def _load(name: str) -> str | None:
    """Loads a platform plugin as Qt will: the sentence about what it lacks, or None.

    Qt would abort the process instead. A name without a file is left for Qt to complain about.
    """
    spec = importlib.util.find_spec("PySide6")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0], "Qt", "plugins", "platforms")
    for file in sorted(folder.glob(f"libq{name}*.so")):
        try:
            ctypes.CDLL(str(file))
        except OSError as error:
            return explain_import_error(error) or str(error)
        return None
    return None


def _refusal(display: str) -> str | None:
    """The sentence for an X server that is not there or does not let us in, or None when it does."""
    xcb = ctypes.CDLL("libxcb.so.1")
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = (ctypes.c_char_p, ctypes.c_void_p)
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = (ctypes.c_void_p,)
    connection = xcb.xcb_connect(display.encode() or None, None)
    refused = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    if not refused:
        return None
    return (
        f"The editor cannot start because the screen {display or 'of DISPLAY'} does not answer or refuses this user. "
        "Start it as the user who is logged in to the desktop, or set DISPLAY to the right screen."
    )
