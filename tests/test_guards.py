"""What the guards of the test suite let pass, and what they fail a test for."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.slow

HEAD = """
    import asyncio, logging, socket, threading, warnings
    import pytest
    from PySide6 import QtCore, QtWidgets
"""

PASSING = {
    "a window given to qtbot": """
        def test_it(qtbot):
            window = QtWidgets.QMainWindow()
            qtbot.addWidget(window)
            window.setMinimumSize(100, 100)
            window.show()
            window.raise_()
    """,
    "a popup": """
        def test_it(qtbot):
            box = QtWidgets.QComboBox()
            qtbot.addWidget(box)
            box.addItems(["a", "b"])
            box.show()
            box.showPopup()
            QtWidgets.QToolTip.showText(QtCore.QPoint(5, 5), "told", box)
    """,
    "a window in a circle of references": """
        def test_it(qapp):
            window = QtWidgets.QWidget()
            window.itself = window
    """,
    "an expected record": """
        def test_it(caplog):
            with caplog.at_level(logging.WARNING):
                logging.getLogger("flowstudio.stores").warning("broken")
            assert "broken" in caplog.text
    """,
    "a record below a warning": """
        def test_it(caplog):
            caplog.set_level(logging.INFO, "flowstudio")
            logging.getLogger("flowstudio.stores").info("fine")
    """,
    "a connection on this machine": """
        def test_it():
            with socket.create_server(("localhost", 0)) as server:
                socket.create_connection(server.getsockname()).close()
    """,
    "an unknown host": """
        def test_it():
            with pytest.raises(socket.gaierror):
                socket.create_connection(("crm.invalid", 80))
    """,
}

FAILING = {
    "a stray record": (
        "from acme: not good",
        """
        def test_it():
            logging.getLogger("acme").warning("not %s", "good")
        """,
    ),
    "a record below the level that is expected": (
        "only a warning",
        """
        def test_it(caplog):
            with caplog.at_level(logging.ERROR, "flowstudio"):
                logging.getLogger("acme").warning("only a warning")
        """,
    ),
    "a record while the test is taken down": (
        "too late",
        """
        @pytest.fixture
        def late():
            yield
            logging.getLogger("acme").error("too late")

        def test_it(late):
            pass
        """,
    ),
    "a leaked window": (
        "A window was left behind: QWidget 'left'",
        """
        kept = []

        def test_it(qapp):
            window = QtWidgets.QWidget(objectName="left")
            kept.append(window)
        """,
    ),
    "a Qt warning": (
        "painter not active",
        """
        def test_it(qapp):
            QtCore.qWarning("painter not active")
        """,
    ),
    "a Qt warning while the test is taken down": (
        "still running",
        """
        @pytest.fixture
        def late(qapp):
            yield
            QtCore.qWarning("still running")

        def test_it(late):
            pass
        """,
    ),
    "an error in a slot": (
        "ZeroDivisionError",
        """
        def test_it(qtbot):
            timer = QtCore.QTimer()
            timer.setSingleShot(True)
            timer.timeout.connect(lambda: 1 / 0)
            with qtbot.waitSignal(timer.timeout):
                timer.start(0)
        """,
    ),
    "a connection outwards": (
        "A connection outwards",
        """
        def test_it():
            with pytest.raises(OSError):
                socket.create_connection(("192.0.2.1", 80), timeout=1)
        """,
    ),
    "a datagram outwards": (
        "A connection outwards",
        """
        def test_it():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, pytest.raises(OSError):
                sender.sendto(b"x", ("192.0.2.1", 9))
        """,
    ),
    "a name looked up outside": (
        "A name was looked up outside: 'example.com'",
        """
        def test_it():
            with pytest.raises(OSError):
                asyncio.run(asyncio.open_connection("example.com", 80))
        """,
    ),
    "an unawaited coroutine": (
        "was never awaited",
        """
        async def work():
            pass

        def test_it():
            work()
        """,
    ),
    "a task whose error nobody took": (
        "lost",
        """
        def test_it():
            async def fail():
                raise ValueError("lost")

            async def main():
                asyncio.get_running_loop().create_task(fail())
                await asyncio.sleep(0)

            asyncio.run(main())
        """,
    ),
    "an error in a thread": (
        "ZeroDivisionError",
        """
        def test_it():
            thread = threading.Thread(target=lambda: 1 / 0)
            thread.start()
            thread.join()
        """,
    ),
    "a file left open": (
        "unclosed file",
        """
        def test_it(tmp_path):
            open(tmp_path / "file", "w")
        """,
    ),
    "a warning": (
        "old",
        """
        def test_it():
            warnings.warn("old", DeprecationWarning)
        """,
    ),
}


def run_pytest(
    *arguments: str, cwd: Path = ROOT, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs the suite's own configuration on other tests, in a process of its own."""
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "-n", "0", *arguments]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **(environ or {})}, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What came of every case, by its name: what the report says of a failure, empty for a pass."""
    folder = tmp_path_factory.mktemp("guarded")
    sources = PASSING | {name: source for name, (_, source) in FAILING.items()}
    for number, source in enumerate(sources.values()):
        (folder / f"test_{number}.py").write_text(textwrap.dedent(HEAD) + textwrap.dedent(source), encoding="utf-8")
    report = folder / "report.xml"
    # A guard must name the culprit, whatever ran before or after it.
    done = run_pytest("-p", "tests.guards", f"--rootdir={folder}", f"--junitxml={report}", str(folder))
    assert report.exists(), done.stdout + done.stderr
    told = dict.fromkeys(sources, "")
    names = list(sources)
    for case in ElementTree.parse(report).iter("testcase"):
        number = int(str(case.get("classname")).rsplit("_", 1)[1])
        told[names[number]] += "".join(
            f"{kind.get('message')} {kind.text}" for kind in case if kind.tag in {"failure", "error"}
        )
    assert len(list(ElementTree.parse(report).iter("testcase"))) >= len(sources)
    return told


@pytest.mark.parametrize("name", PASSING)
def test_what_is_in_order_passes(outcomes: dict[str, str], name: str) -> None:
    assert outcomes[name] == ""


@pytest.mark.parametrize("name", FAILING)
def test_what_is_left_behind_fails_its_test_and_is_named(outcomes: dict[str, str], name: str) -> None:
    assert FAILING[name][0] in outcomes[name]


def test_tests_live_in_an_empty_home_without_a_key_ring() -> None:
    import keyring
    import keyring.errors
    import platformdirs

    home = Path.home()
    assert home.name.startswith("flowstudio-tests-")
    assert platformdirs.user_data_path("flowstudio").is_relative_to(home)
    assert platformdirs.user_config_path("flowstudio").is_relative_to(home)
    assert platformdirs.user_cache_path("flowstudio").is_relative_to(home)
    assert Path(os.environ["FLOWSTUDIO_DATA"]).is_relative_to(home)
    with pytest.raises(keyring.errors.NoKeyringError):
        keyring.get_password("flowstudio", "crm")


def test_the_modules_that_tests_enter_are_noted(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(
        "from flowstudio.errors import Problem\n"
        "from flowstudio.flow import model\n"
        "def test_it():\n"
        "    assert str(Problem('broken')) == 'broken'\n",
        encoding="utf-8",
    )
    done = run_pytest(
        "-p",
        "tests.entered",
        f"--rootdir={tmp_path}",
        f"--entered={tmp_path / 'entered'}",
        str(tmp_path / "test_one.py"),
    )
    assert done.returncode == 0, done.stdout
    notes = [note.read_text(encoding="utf-8").split() for note in tmp_path.glob("entered/*.txt")]
    assert notes == ([["errors.py"]] if sys.version_info >= (3, 12) else [])
