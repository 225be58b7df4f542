"""Starts `flowstudio session` and speaks JSON-RPC with it, one message a line; ends and restarts it when it hangs."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal
from shiboken6 import isValid

from flowstudio.errors import StepError
from flowstudio.trace.payloads import canonical, parse

SESSION_COMMAND: Final = (sys.executable, "-m", "flowstudio", "session")

STOP_WITHIN_MS: Final = 1000
"""A process that has not answered `stop` by then is killed."""

NICENESS: Final = 5
"""The window stays smooth on a machine whose cores the engine fills."""

ENGINE_GONE: Final = 1
"""The code of the error that a request gets whose process ended before it answered; JSON-RPC's own are negative."""

TIMED_OUT: Final = 2
"""The code of the error that a request gets which was given a time and had no answer within it."""

_GRACE_MS: Final = 500
_KILLED_WITHIN_MS: Final = 5000
_READ_FOR: Final = 0.008
"""Seconds that one turn of the event loop may spend on what the process says."""
_RESTARTS: Final = 3
_RESTARTS_WITHIN: Final = 10.0
_STDERR_LINES: Final = 40

_log = logging.getLogger(__name__)

OnResult = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class EngineError:
    """Why a request has no result: JSON-RPC's code, the message for people, and what goes with it."""

    code: int
    message: str
    data: Any = None


OnError = Callable[[EngineError], None]


@dataclass(slots=True)
class _Pending:
    method: str
    on_result: OnResult | None
    on_error: OnError | None
    owner: QObject | None = None
    timer: QTimer | None = None

    @property
    def is_awaited(self) -> bool:
        """Whether whoever asked is still there: a form or a pane may have been closed meanwhile."""
        return self.owner is None or isValid(self.owner)


class EngineProcess(QObject):
    """A `flowstudio session` of its own. Requests made before it is ready are sent once it is."""

    notified = Signal(str, object)
    """A notification: its method and its parameters."""
    ready = Signal()
    """The process answered `initialize`."""
    crashed = Signal(str)
    """The process ended by itself; one sentence says how. It starts again with the next request."""
    state_changed = Signal(str)
    """`off`, `starting`, `ready` or `broken`: it ended too often in a row and waits for `restart`."""

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        command: Sequence[str] = SESSION_COMMAND,
        initialize: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(parent)
        self.state = "off"
        self._command = tuple(command)
        self._initialize = dict(initialize or {})
        self._environment = dict(environment or {})
        self._process: QProcess | None = None
        self._ending: list[QProcess] = []
        self._closed = False
        self._pending: dict[int, _Pending] = {}
        self._waiting: list[tuple[int, bytes]] = []
        self._lines: deque[bytes] = deque()
        self._rest = b""
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self._next_id = 1
        self._deaths: deque[float] = deque(maxlen=_RESTARTS)
        self._reading = QTimer(self, singleShot=True, interval=0)
        self._reading.timeout.connect(self._take_lines)

    @property
    def pid(self) -> int:
        """The process id; 0 when none runs."""
        return self._process.processId() if self._process is not None else 0

    def initialize_with(self, **params: Any) -> None:
        """Has processes that start from now on be told this when they are initialized."""
        self._initialize.update(params)

    def start(self) -> None:
        """Starts the process if it does not run; `ready` tells when it can be used."""
        if self._process is not None or self._closed:
            return
        process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        # Its output is a pipe: without this a line would wait there until the buffer is full.
        environment.insert("PYTHONUNBUFFERED", "1")
        environment.insert("PYTHONIOENCODING", "utf-8")
        for name, value in self._environment.items():
            environment.insert(name, value)
        process.setProcessEnvironment(environment)
        process.readyReadStandardOutput.connect(self._read)
        process.readyReadStandardError.connect(self._read_stderr)
        process.started.connect(self._started)
        process.finished.connect(self._ended)
        process.errorOccurred.connect(self._failed)
        self._process = process
        self._rest = b""
        self._lines.clear()
        self._stderr.clear()
        self._set_state("starting")
        process.start(self._command[0], list(self._command[1:]))

    def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        on_result: OnResult | None = None,
        on_error: OnError | None = None,
        *,
        timeout_ms: int | None = None,
        owner: QObject | None = None,
    ) -> int:
        """Asks for something; exactly one of the two is called later, unless the request is forgotten or its owner gone.

        With `timeout_ms`, counted from when it is sent, a process that has not answered by then is killed and started
        again: it hangs.
        """
        if self.state == "broken" or self._closed:
            gone = "The editor is closing." if self._closed else self._broken_message()
            self._answer_later(on_error, EngineError(ENGINE_GONE, gone), owner)
            return 0
        number = self._next_id
        self._next_id += 1
        pending = _Pending(method, on_result, on_error, owner)
        self._pending[number] = pending
        if timeout_ms is not None:
            pending.timer = QTimer(self, singleShot=True, interval=timeout_ms)
            pending.timer.timeout.connect(lambda: self._timed_out(number))
        message = _line(number, method, params or {})
        if self.state == "ready" and self._process is not None:
            self._send(self._process, number, message)
        else:
            self._waiting.append((number, message))
            self.start()
        return number

    def forget(self, number: int) -> None:
        """Nobody waits for this request's answer any more."""
        pending = self._pending.get(number)
        if pending is not None:
            pending.on_result = pending.on_error = None

    def stop_run(self, on_stopped: Callable[[], None] | None = None, *, owner: QObject | None = None) -> None:
        """Stops the live run: politely, and within a second in any case. What was recorded stays readable."""

        def stopped(_: Any) -> None:
            if on_stopped is not None:
                on_stopped()

        self.request("stop", {}, stopped, stopped, timeout_ms=STOP_WITHIN_MS, owner=owner)

    def restart(self) -> None:
        """Kills the process and starts another."""
        self._deaths.clear()
        self._end("The engine was restarted.")
        self.start()

    def close(self) -> None:
        """Ends the process for good and waits for its end: the end of its input is its signal, then it is killed."""
        self._closed = True
        process = self._process
        self._end("The editor is closing.", kill=False)
        if process is not None:
            process.closeWriteChannel()
            if process.state() != QProcess.ProcessState.NotRunning and not process.waitForFinished(_GRACE_MS):
                process.kill()
        for ending in list(self._ending):
            ending.waitForFinished(_KILLED_WITHIN_MS)

    def _started(self) -> None:
        process = self._process
        if process is None:
            return
        if hasattr(os, "setpriority"):
            try:
                os.setpriority(os.PRIO_PROCESS, process.processId(), NICENESS)
            except OSError as error:
                # It may have ended already, and some sandboxes forbid it; both cost smoothness alone.
                _log.debug("The engine keeps its priority: %s", error)
        number = self._next_id
        self._next_id += 1
        self._pending[number] = _Pending("initialize", self._initialized, self._not_initialized)
        process.write(_line(number, "initialize", self._initialize))

    def _send(self, process: QProcess, number: int, message: bytes) -> None:
        process.write(message)
        timer = self._pending[number].timer
        if timer is not None:
            timer.start()

    def _initialized(self, _: Any) -> None:
        process = self._process
        if process is None:
            return
        self._set_state("ready")
        waiting, self._waiting = self._waiting, []
        for number, message in waiting:
            self._send(process, number, message)
        self.ready.emit()

    def _not_initialized(self, error: EngineError) -> None:
        if error.code != ENGINE_GONE:
            self._stderr.append(error.message)
            if self._process is not None:
                self._process.kill()

    def _read(self) -> None:
        process = self._process
        if process is None or process is not self.sender():
            return
        *lines, self._rest = (self._rest + bytes(process.readAllStandardOutput().data())).split(b"\n")
        self._lines.extend(lines)
        if not self._reading.isActive():
            self._take_lines()

    def _take_lines(self) -> None:
        until = time.perf_counter() + _READ_FOR
        try:
            while self._lines and time.perf_counter() <= until:
                self._take(self._lines.popleft())
        finally:
            # Also behind a line whose taker failed.
            if self._lines:
                self._reading.start()

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            message = parse(line)
        except (ValueError, StepError) as error:
            _log.warning("The engine said something that is not JSON (%s): %.200r", error, line)
            return
        if not isinstance(message, dict):
            _log.warning("The engine said something that is not JSON-RPC: %.200r", line)
            return
        if "method" in message:
            self.notified.emit(message["method"], message.get("params") or {})
            return
        pending = self._pending.pop(message.get("id", 0), None)
        if pending is None:
            return
        self._settle(pending)
        if not pending.is_awaited:
            return
        refusal = message.get("error")
        if refusal is None:
            if pending.on_result is not None:
                pending.on_result(message.get("result"))
        elif pending.on_error is not None:
            pending.on_error(
                EngineError(int(refusal.get("code", 0)), str(refusal.get("message", "")), refusal.get("data"))
            )

    def _read_stderr(self) -> None:
        process = self._process
        if process is None or process is not self.sender():
            return
        text = bytes(process.readAllStandardError().data()).decode("utf-8", "replace")
        for line in text.splitlines():
            if line.strip():
                self._stderr.append(line)
                _log.debug("engine: %s", line)

    def _failed(self, error: QProcess.ProcessError) -> None:
        process = self._process
        if error == QProcess.ProcessError.FailedToStart and process is not None and process is self.sender():
            self._stderr.append(process.errorString())
            self._gone(f"The engine process could not be started: {process.errorString()}.")

    def _ended(self, code: int, status: QProcess.ExitStatus) -> None:
        process = self._process
        if process is None or process is not self.sender():
            return
        self._read()
        self._read_stderr()
        self._reading.stop()
        while self._lines:
            self._take(self._lines.popleft())
        how = f"with status {code}" if status == QProcess.ExitStatus.NormalExit else "abruptly"
        last = f" It said: {self._stderr[-1]}" if self._stderr else ""
        self._gone(f"The engine process ended {how}.{last}")

    def _gone(self, message: str) -> None:
        """The process is no more, and nobody wished it."""
        self._deaths.append(time.monotonic())
        self._end(message)
        often = len(self._deaths) == _RESTARTS and self._deaths[-1] - self._deaths[0] < _RESTARTS_WITHIN
        if often:
            self._set_state("broken")
        self.crashed.emit(message)

    def _timed_out(self, number: int) -> None:
        pending = self._pending.pop(number, None)
        if pending is None:
            return
        self._settle(pending)
        self._end("The engine did not answer and was restarted.")
        self.start()
        if pending.on_error is not None and pending.is_awaited:
            pending.on_error(EngineError(TIMED_OUT, "The engine did not answer in time and was restarted."))

    def _end(self, message: str, *, kill: bool = True) -> None:
        process, self._process = self._process, None
        self._reading.stop()
        self._lines.clear()
        self._waiting.clear()
        if process is not None:
            if process.state() == QProcess.ProcessState.NotRunning:
                process.deleteLater()
            else:
                self._ending.append(process)
                process.finished.connect(lambda: self._buried(process))
                if kill:
                    process.kill()
        self._set_state("off")
        pending, self._pending = self._pending, {}
        for waiting in pending.values():
            self._settle(waiting)
            if waiting.on_error is not None and waiting.is_awaited:
                waiting.on_error(EngineError(ENGINE_GONE, message))

    def _buried(self, process: QProcess) -> None:
        if process in self._ending:
            self._ending.remove(process)
            process.deleteLater()

    def _settle(self, pending: _Pending) -> None:
        if pending.timer is not None:
            pending.timer.stop()
            pending.timer.deleteLater()
            pending.timer = None

    def _answer_later(self, on_error: OnError | None, error: EngineError, owner: QObject | None) -> None:
        if on_error is not None:
            QTimer.singleShot(0, owner if owner is not None else self, lambda: on_error(error))

    def _broken_message(self) -> str:
        last = f" It said: {self._stderr[-1]}" if self._stderr else ""
        return f"The engine process ended {_RESTARTS} times in a row.{last} Restart it from the status bar."

    def _set_state(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self.state_changed.emit(state)


def _line(number: int, method: str, params: Mapping[str, Any]) -> bytes:
    return canonical({"jsonrpc": "2.0", "id": number, "method": method, "params": dict(params)}) + b"\n"
