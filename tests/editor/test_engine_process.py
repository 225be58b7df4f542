"""The engine process is spoken to over a real pipe with a real process at its other end."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from flowstudio.editor.engine_process import ENGINE_GONE, TIMED_OUT, EngineError, EngineProcess

SCRIPT = Path(__file__).with_name("session_script.py")


@pytest.fixture
def engine(qtbot: QtBot) -> Iterator[EngineProcess]:
    process = EngineProcess(command=(sys.executable, str(SCRIPT)), initialize={"data": "here"})
    yield process
    process.close()


class Answers:
    """Collects what a request gets."""

    def __init__(self) -> None:
        self.results: list[object] = []
        self.errors: list[EngineError] = []

    @property
    def settled(self) -> bool:
        return bool(self.results or self.errors)


def ask(qtbot: QtBot, engine: EngineProcess, method: str, timeout_ms: int | None = None, **params: object) -> Answers:
    answers = Answers()
    engine.request(method, params, answers.results.append, answers.errors.append, timeout_ms=timeout_ms)
    qtbot.waitUntil(lambda: answers.settled, timeout=10_000)
    return answers


def test_a_request_before_the_start_is_sent_after_initialize(qtbot: QtBot, engine: EngineProcess) -> None:
    assert engine.state == "off"
    assert ask(qtbot, engine, "initialized").results == [{"data": "here"}]
    assert engine.state == "ready"


@pytest.mark.parametrize(
    "value", [None, 2**63, 12345678901234567890123, 1.5, "grüße \U0001f600", "half \ud83d", [{"a": [1, {}]}], {"": ""}]
)
def test_values_pass_unchanged(qtbot: QtBot, engine: EngineProcess, value: object) -> None:
    assert ask(qtbot, engine, "echo", value=value).results == [{"value": value}]


def test_an_error_keeps_code_message_and_data(qtbot: QtBot, engine: EngineProcess) -> None:
    assert ask(qtbot, engine, "fail").errors == [EngineError(-32001, "no", {"problems": []})]


@pytest.mark.slow
def test_notifications_come_in_order_and_before_the_answer_that_follows_them(
    qtbot: QtBot, engine: EngineProcess
) -> None:
    heard: list[int] = []
    engine.notified.connect(lambda _method, params: heard.append(params["visit"]))
    assert ask(qtbot, engine, "flood", count=20_000).results == [20_000]
    assert heard == list(range(20_000))


def test_whoever_fails_on_a_notification_holds_up_none_of_the_others(qtbot: QtBot, engine: EngineProcess) -> None:
    def fails(_method: str, params: dict[str, int]) -> None:
        if params["visit"] == 3:
            raise ZeroDivisionError

    heard: list[int] = []
    engine.notified.connect(fails)
    engine.notified.connect(lambda _method, params: heard.append(params["visit"]))
    with qtbot.captureExceptions() as raised:
        assert ask(qtbot, engine, "flood", count=10).results == [10]
    assert heard == list(range(10))
    assert [kind for kind, _, _ in raised] == [ZeroDivisionError]


def test_noise_on_the_pipe_is_passed_over(
    qtbot: QtBot, engine: EngineProcess, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert ask(qtbot, engine, "noise").results == ["heard"]
    assert "not JSON-RPC" in caplog.text


def test_a_process_that_ends_fails_its_requests_says_so_and_starts_again(qtbot: QtBot, engine: EngineProcess) -> None:
    crashes: list[str] = []
    engine.crashed.connect(crashes.append)
    first = ask(qtbot, engine, "exit", status=3)
    assert [error.code for error in first.errors] == [ENGINE_GONE]
    assert crashes == ["The engine process ended with status 3. It said: goodbye"]
    assert engine.state == "off"
    assert ask(qtbot, engine, "echo", value=1).results == [{"value": 1}]


@pytest.mark.slow
def test_a_hanging_process_is_replaced_within_the_time_given(qtbot: QtBot, engine: EngineProcess) -> None:
    ask(qtbot, engine, "echo")
    before = engine.pid
    hanging, stopped = Answers(), Answers()
    engine.request("hang", {}, hanging.results.append, hanging.errors.append)
    engine.stop_run(lambda: stopped.results.append("stopped"))
    qtbot.waitUntil(lambda: stopped.settled, timeout=10_000)
    assert [error.code for error in hanging.errors] == [ENGINE_GONE]
    assert ask(qtbot, engine, "echo", value=2).results == [{"value": 2}]
    assert engine.pid != before


def test_a_request_with_a_time_says_that_it_ran_out(qtbot: QtBot, engine: EngineProcess) -> None:
    ask(qtbot, engine, "echo")
    assert [error.code for error in ask(qtbot, engine, "hang", timeout_ms=50).errors] == [TIMED_OUT]


def test_stop_is_answered_politely_by_a_process_that_can(qtbot: QtBot, engine: EngineProcess) -> None:
    ask(qtbot, engine, "echo")
    before, stopped = engine.pid, Answers()
    engine.stop_run(lambda: stopped.results.append("stopped"))
    qtbot.waitUntil(lambda: stopped.settled, timeout=10_000)
    assert engine.pid == before


def test_a_forgotten_request_calls_nobody(qtbot: QtBot, engine: EngineProcess) -> None:
    forgotten = Answers()
    engine.forget(engine.request("echo", {}, forgotten.results.append, forgotten.errors.append))
    ask(qtbot, engine, "echo")
    assert not forgotten.settled


def test_a_process_that_never_lives_is_given_up_until_it_is_restarted(qtbot: QtBot, engine: EngineProcess) -> None:
    for _ in range(3):
        ask(qtbot, engine, "exit", status=1)
    assert engine.state == "broken"
    refused = ask(qtbot, engine, "echo")
    assert [error.code for error in refused.errors] == [ENGINE_GONE]
    assert "Restart it" in refused.errors[0].message
    engine.restart()
    assert ask(qtbot, engine, "echo", value=3).results == [{"value": 3}]


def test_a_program_that_cannot_be_started_is_named(qtbot: QtBot) -> None:
    engine = EngineProcess(command=("/nowhere/flowstudio",))
    errors = ask(qtbot, engine, "echo").errors
    assert len(errors) == 1
    assert errors[0].message.startswith("The engine process could not be started")
    engine.close()
