"""What FlowStudio says on a machine that lacks a part of what Qt needs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flowstudio.editor.prerequisites import explain_import_error, install_line, obstacle, system_packages

ROOT = Path(__file__).resolve().parent.parent.parent
LACKING = "libGL.so.1: cannot open shared object file: No such file or directory"


def test_a_missing_library_is_named_with_the_line_that_brings_it() -> None:
    sentence = explain_import_error(ImportError(LACKING))
    assert sentence is not None
    assert "libGL.so.1" in sentence
    assert sentence.endswith(install_line())
    assert "\n" not in sentence


def test_a_missing_package_is_named() -> None:
    sentence = explain_import_error(ModuleNotFoundError("No module named 'PySide6'", name="PySide6"))
    assert sentence is not None
    assert "PySide6" in sentence


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'acme'", name="acme"),
        ImportError("cannot import name 'Window' from 'flowstudio.editor'"),
        OSError("disk full"),
    ],
)
def test_other_errors_are_not_explained_away(error: ImportError | OSError) -> None:
    assert explain_import_error(error) is None


def test_the_packages_are_a_list_of_names() -> None:
    packages = system_packages()
    assert len(packages) > 10
    assert len(set(packages)) == len(packages)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", name) for name in packages)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux leaves these to the system")
@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"QT_QPA_PLATFORM": "offscreen"}, None),
        ({"QT_QPA_PLATFORM": "offscreen:fontdpi=96"}, None),
        ({}, "there is no screen"),
        ({"DISPLAY": ":61987"}, "the screen :61987 does not answer"),
    ],
)
def test_a_screen_is_needed_unless_the_platform_has_none(environ: dict[str, str], told: str | None) -> None:
    sentence = obstacle(environ)
    if told is None:
        assert sentence is None
    else:
        assert told in str(sentence)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux leaves these to the system")
def test_a_platform_plugin_that_lacks_a_library_is_found_before_qt_aborts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A plugin that cannot be loaded: the dynamic linker's message names what it could not open.
    platforms = tmp_path / "PySide6" / "Qt" / "plugins" / "platforms"
    platforms.mkdir(parents=True)
    (platforms / "libqxcb.so").symlink_to(tmp_path / "libxcb-cursor.so.0")
    real = __import__("PySide6").__spec__
    monkeypatch.setattr(real, "submodule_search_locations", [str(tmp_path / "PySide6")])
    sentence = obstacle({"DISPLAY": ":0"})
    assert sentence is not None
    assert install_line() in sentence


@pytest.mark.slow
@pytest.mark.parametrize("asked", [(), ("tests/scenarios",), ("tests/flow",)])
@pytest.mark.parametrize("module", ["QtCore", "QtWidgets"])
def test_the_test_suite_answers_with_that_sentence(tmp_path: Path, module: str, asked: tuple[str, ...]) -> None:
    package = tmp_path / "PySide6"
    package.mkdir()
    for name in ("__init__", "QtCore", "QtGui", "QtTest", "QtWidgets"):
        (package / f"{name}.py").write_text(
            f"raise ImportError({LACKING!r})\n" if name == module else "", encoding="utf-8"
        )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *asked],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    assert done.returncode == 4
    assert len(said) == 1, said
    assert "libGL.so.1" in said[0]
    assert install_line() in said[0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always a screen")
@pytest.mark.slow
def test_the_command_says_so_in_place_of_a_traceback() -> None:
    environ = {name: value for name, value in os.environ.items() if name != "QT_QPA_PLATFORM"}
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        environ.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-m", "flowstudio"], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("The editor cannot start because there is no screen")
    assert "flowstudio run resources/examples/" in done.stderr
    assert done.stderr.count("\n") == 1
