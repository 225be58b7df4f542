"""The pytest plugin that fails a test for what it leaves behind: log records, Qt warnings, windows, connections outwards.

A log record of level WARNING or above is expected where the test asks for it:

    with caplog.at_level(logging.WARNING):
        ...
    assert "was not readable" in caplog.text

Unawaited coroutines, unclosed files and errors in threads or finalizers fail a test through `filterwarnings = error`.
"""

from __future__ import annotations

import gc
import ipaddress
import logging
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from _pytest.logging import caplog_handler_key
from PySide6 import QtCore, QtWidgets


class Left:
    """What the running test has done that fails it, in words."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.item: pytest.Item | None = None

    def add(self, words: str) -> None:
        self.words.append(words)

    def fail(self) -> None:
        """Fails the test if there is anything, and forgets it."""
        words, self.words = self.words, []
        if words:
            pytest.fail("\n".join(words), pytrace=False)


left = Left()


class StrayRecords(logging.Handler):
    """Finds the log records that no test asked for."""

    def emit(self, record: logging.LogRecord) -> None:
        if left.item is not None:
            asked = left.item.stash[caplog_handler_key].level
            if asked and record.levelno >= asked:
                return
        told = f"A stray log record: {record.levelname} from {record.name}: {record.getMessage()}"
        if record.exc_info:
            told += "\n" + logging.Formatter().formatException(record.exc_info)
        left.add(told)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Listens from the first fixture to the last."""
    left.item = item
    handler = StrayRecords(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        return (yield)
    finally:
        logging.getLogger().removeHandler(handler)
        left.item = None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fails the test for what its own lines did."""
    result = yield
    # Young objects only: a task that was dropped with an exception says so now, not in another test.
    gc.collect(1)
    left.fail()
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Fails the test for what its fixtures did, and for the windows that are still there after them."""
    ignored = [re.compile(pattern) for pattern in item.config.getini("qt_log_ignore")]

    def hear(kind: QtCore.QtMsgType, context: QtCore.QMessageLogContext, message: str) -> None:
        harmless = kind in {QtCore.QtMsgType.QtDebugMsg, QtCore.QtMsgType.QtInfoMsg}
        if not harmless and not any(pattern.search(message) for pattern in ignored):
            left.add(f"A Qt warning while the test was taken down: {message}")

    # pytest-qt listens while a test runs, and has stopped by now.
    previous = QtCore.qInstallMessageHandler(hear)
    try:
        result = yield
        _close_windows()
    finally:
        QtCore.qInstallMessageHandler(previous)
    gc.collect(1)
    left.fail()
    return result


def _close_windows() -> None:
    if not isinstance(QtWidgets.QApplication.instance(), QtWidgets.QApplication):
        return
    QtWidgets.QToolTip.hideText()
    _delete_now()
    if _windows():
        # A window in a circle of references is no leak, if the circle is all that holds it.
        gc.collect()
        _delete_now()
    for window in _windows():
        left.add(
            f"A window was left behind: {type(window).__name__} {window.objectName()!r} {window.windowTitle()!r}; "
            "give it to qtbot.addWidget()"
        )
        window.close()
        window.deleteLater()
    _delete_now()


def _windows() -> list[QtWidgets.QWidget]:
    return [
        widget
        for widget in QtWidgets.QApplication.topLevelWidgets()
        # Qt keeps its tooltip label for the next tooltip.
        if widget.parent() is None and widget.metaObject().className() != "QTipLabel"
    ]


def _delete_now() -> None:
    QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete.value)
    QtCore.QCoreApplication.processEvents()


def _is_loopback(address: Any) -> bool:
    """Whether a socket address stays on this machine; those of other families than IP do."""
    if not isinstance(address, tuple):
        return True
    host = str(address[0]).split("%")[0]
    if host in {"", "localhost"}:
        return True
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return False
    return parsed.is_loopback or parsed.is_unspecified


def _is_local_name(host: Any) -> bool:
    """Whether asking for a host's addresses asks nobody."""
    if isinstance(host, bytes):
        host = host.decode()
    if host is None or host.endswith("localhost"):
        return True
    try:
        ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return not host
    return True


def _refuse(address: Any) -> OSError:
    left.add(f"A connection outwards: tests reach only this machine, not {address!r}")
    return OSError(101, f"tests reach only this machine, not {address!r}")


@pytest.fixture(autouse=True, scope="session")
def only_loopback() -> Iterator[None]:
    """Refuses every connection that would leave the machine, and every name that someone else would have to resolve.

    Names ending in `.invalid` are unknown, as everywhere: a test of an unknown host uses one.
    """
    patch = pytest.MonkeyPatch()
    connect, connect_ex, sendto = socket.socket.connect, socket.socket.connect_ex, socket.socket.sendto
    getaddrinfo = socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if not _is_loopback(address):
            raise _refuse(address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        if not _is_loopback(address):
            raise _refuse(address)
        return connect_ex(self, address)

    def guarded_sendto(self: socket.socket, data: Any, *rest: Any) -> int:
        if not _is_loopback(rest[-1]):
            raise _refuse(rest[-1])
        return sendto(self, data, *rest)

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not _is_local_name(host):
            if not str(host).endswith(".invalid"):
                left.add(
                    f"A name was looked up outside: {host!r}; use localhost, or NAME.invalid for one that is unknown"
                )
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return getaddrinfo(host, *args, **kwargs)

    patch.setattr(socket.socket, "connect", guarded_connect)
    patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    patch.setattr(socket.socket, "sendto", guarded_sendto)
    patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
    yield
    patch.undo()
