"""The world that every test finds: no screen, no network, nobody's home, nothing left behind by another test."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from flowstudio.editor.prerequisites import obstacle

# Here and not in a hook: the conftest.py of a folder below may import Qt, and pytest-qt answers a missing system library
# with an internal error.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
if sentence := obstacle():
    print(f"ERROR: {sentence}", file=sys.stderr)
    sys.exit(pytest.ExitCode.USAGE_ERROR)

pytest_plugins = ["tests.entered", "tests.guards"]

_FOREIGN = ("FLOWSTUDIO_", "QT_", "XDG_", "PYTHON_KEYRING_", "DBUS_SESSION_")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
_home = pytest.StashKey[Path]()

# A deadline would measure how busy the machine is. Continuous integration draws the same examples every time: what a
# change has not broken cannot fail it.
settings.register_profile("dev", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, database=None, print_blob=True)
settings.register_profile("quick", settings.get_profile("ci"), max_examples=10)
settings.register_profile("thorough", settings.get_profile("dev"), max_examples=2_000)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Makes the world, before another plugin looks around in it."""
    config.stash[_home] = home = Path(tempfile.mkdtemp(prefix="flowstudio-tests-"))
    _live_in(home)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or _profile(config))


def _profile(config: pytest.Config) -> str:
    """How far properties are searched: a little in the quick part, and on a developer's machine anew each time."""
    if config.option.markexpr == "not slow":
        return "quick"
    return "ci" if os.environ.get("CI") else "dev"


def pytest_unconfigure(config: pytest.Config) -> None:
    """Takes the world down."""
    if home := config.stash.get(_home, None):
        shutil.rmtree(home, ignore_errors=True)


def _live_in(home: Path) -> None:
    """Points everything that a program keeps for its user, here and in child processes, at an empty folder."""
    shown = os.environ["QT_QPA_PLATFORM"]
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for name in list(os.environ):
        if name.startswith(_FOREIGN) or name in _PROXIES:
            del os.environ[name]
    runtime = home / "runtime"
    runtime.mkdir(mode=0o700)
    os.environ |= {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "share"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_RUNTIME_DIR": str(runtime),
        "FLOWSTUDIO_DATA": str(home / "data"),
        # A machine without a key ring, whatever this one has.
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        "QT_QPA_PLATFORM": shown,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }
    # Downloaded packages are nobody's settings: the test that builds the wheel finds them again.
    os.environ.setdefault("UV_CACHE_DIR", str(caches / "uv"))
    if hasattr(time, "tzset"):
        time.tzset()
