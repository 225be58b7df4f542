"""Previews: what an expression is tried on, in a process of its own that may be given up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QObject, Signal
from pytestqt.qtbot import QtBot
from shiboken6 import delete

from flowstudio.editor.document import Document
from flowstudio.editor.engine_process import TIMED_OUT, EngineError
from flowstudio.editor.forms.preview import Previewed
from flowstudio.editor.forms.sample import StepSample
from flowstudio.editor.previewing import GIVE_UP_MS, Previewing
from flowstudio.editor.workspace import NO_SAMPLE, Sample, Workspace
from flowstudio.expressions.language import compile_expression
from flowstudio.expressions.nothing import MISSING
from flowstudio.flow.model import ABSENT, Flow, Step, Variable, Wire
from flowstudio.trace.redact import MASK

FLOW = Flow(
    "f",
    "F",
    steps={name: Step("map@1") for name in ("start", "fetch", "s")},
    wires=tuple(Wire.parse(wire) for wire in ("start -> fetch", "fetch -> s")),
    variables={"low": Variable("number", default=100), "key": Variable("secret")},
)


class Engine(QObject):
    """An engine process that answers at once, or as a test says."""

    state_changed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, Mapping[str, Any], int | None]] = []
        self.payloads: dict[str, Any] = {}
        self.fails: EngineError | None = None

    def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        on_result: Callable[[Any], None] | None = None,
        on_error: Callable[[EngineError], None] | None = None,
        *,
        timeout_ms: int | None = None,
        owner: QObject | None = None,
    ) -> int:
        given = dict(params or {})
        self.asked.append((method, given, timeout_ms))
        if self.fails is not None and given["expression"] != "$string(1)":
            if on_error is not None:
                on_error(self.fails)
        elif on_result is not None:
            payload = self.payloads[given["sample"]] if "sample" in given else given.get("payload")
            names = {name: given.get(name, {}) for name in ("vars", "steps", "meta")}
            names |= {"trigger": given["trigger"]} if "trigger" in given else {}
            value = compile_expression(given["expression"]).evaluate(payload, names)
            on_result({} if value is MISSING else {"value": value})
        return len(self.asked)

    def expressions(self) -> list[str]:
        return [given["expression"] for _, given, _ in self.asked]


class Played:
    """The last run, as far as previews ask about it."""

    def __init__(self) -> None:
        self.visits: list[dict[str, Any]] = []
        self.crossed: set[str] = set()
        self.paused: dict[str, Any] | None = None

    def visits_of(self, step: str) -> list[int]:
        return [place for place, visit in enumerate(self.visits) if visit["step"] == step]

    def count_of(self, wire: Wire) -> int:
        return int(str(wire) in self.crossed)

    def put(self, step: str, came: Any = None, went: Any = None) -> None:
        """A visit by the hashes of what came in and went out."""
        sized = {name: {"hash": name, "bytes": 10} for name in (came, went) if name is not None}
        self.visits.append({"step": step, "input": sized.get(came), "output": sized.get(went), "meta": {"status": 201}})


class Trigger:
    """What starts the flow, and the sample that it is started with."""

    def __init__(self) -> None:
        self.chosen: Sample = NO_SAMPLE

    def triggers(self) -> list[str]:
        return ["start"]

    def sample(self, trigger: str | None = None) -> Sample:
        return self.chosen


class World:
    """Previews over a flow in which the step `s` is selected."""

    def __init__(self) -> None:
        self.document, self.workspace = Document(), Workspace()
        self.document.new(FLOW)
        self.workspace.select(["s"])
        self.played, self.trigger = Played(), Trigger()
        self.engine, self.previews = Engine(), Engine()
        parts: Any = (self.document, self.workspace, self.played, self.trigger, self.engine, self.previews)
        self.previewing = Previewing(*parts)

    def ask(self, qtbot: QtBot, *expressions: str) -> list[Previewed]:
        """What comes back, in the order in which it does."""
        came: list[Previewed] = []
        for expression in expressions:
            self.previewing.preview(expression, came.append)
        qtbot.waitUntil(lambda: len(came) == len(expressions))
        return came


@pytest.fixture
def world(qapp: Any) -> Iterator[World]:
    made = World()
    yield made
    made.previewing.deleteLater()


def test_it_is_tried_on_what_came_in_in_the_last_run(world: World, qtbot: QtBot) -> None:
    world.engine.payloads = {"a": {"total": 7}}
    world.played.put("s", came="a")
    assert world.ask(qtbot, "total * 2") == [Previewed(14)]


def test_where_the_run_stands_it_is_tried_on_what_is_about_to_come_in(world: World, qtbot: QtBot) -> None:
    world.engine.payloads = {"a": {"total": 7}, "p": {"total": 8}}
    world.played.put("s", came="a")
    world.played.paused = {"step": "s", "when": "before", "input": {"hash": "p", "bytes": 10}}
    assert world.ask(qtbot, "total") == [Previewed(8)]


def test_before_the_step_ran_it_is_tried_on_what_the_step_before_put_out(world: World, qtbot: QtBot) -> None:
    world.engine.payloads = {"b": {"total": 8}}
    world.played.put("fetch", went="b")
    assert world.ask(qtbot, "total") == [Previewed(sampled=False)]  # no message crossed the wire
    world.played.crossed.add("fetch -> s")
    assert world.ask(qtbot, "total") == [Previewed(8)]


def test_what_is_pinned_at_the_step_before_comes_first(world: World, qtbot: QtBot) -> None:
    world.engine.payloads = {"b": {"total": 8}}
    world.played.put("fetch", went="b")
    world.played.crossed.add("fetch -> s")
    world.workspace.set_pin("fetch", {"payload": {"total": 9}, "port": "out"})
    assert world.ask(qtbot, "total") == [Previewed(9)]
    world.workspace.set_pin("fetch", ABSENT)
    assert world.ask(qtbot, "total") == [Previewed(8)]


def test_a_step_behind_the_trigger_is_tried_on_the_sample(world: World, qtbot: QtBot, tmp_path: Path) -> None:
    world.workspace.select(["fetch"])
    assert world.ask(qtbot, "total") == [Previewed(sampled=False)]
    world.trigger.chosen = Sample("captured", payload={"total": 10})
    assert world.ask(qtbot, "total") == [Previewed(10)]
    path = tmp_path / "x.sample.json"
    path.write_text('{"total": 11}')
    world.trigger.chosen = Sample("file", path=path)
    assert world.ask(qtbot, "total") == [Previewed(11)]
    path.write_text("{")
    assert world.ask(qtbot, "total")[0].reason


def test_previews_are_answered_in_their_order(world: World, qtbot: QtBot) -> None:
    world.engine.payloads = {"a": 1}
    world.played.put("s", came="a")
    assert [each.value for each in world.ask(qtbot, "$ + 1", "$ + 2", "$ + 3")] == [2, 3, 4]


def test_a_new_process_is_warmed_up_once_and_then_given_its_time(world: World, qtbot: QtBot) -> None:
    world.engine.payloads = {"a": 1}
    world.played.put("s", came="a")
    world.ask(qtbot, "$")
    world.ask(qtbot, "$ + 1")
    assert world.previews.expressions() == ["$string(1)", "$", "$ + 1"]
    assert [timeout for _, _, timeout in world.previews.asked[1:]] == [GIVE_UP_MS, GIVE_UP_MS]
    world.previews.state_changed.emit("starting")
    world.ask(qtbot, "$")
    assert world.previews.expressions()[-2:] == ["$string(1)", "$"]


def test_one_that_takes_too_long_is_given_up_with_the_reason(world: World, qtbot: QtBot) -> None:
    world.engine.payloads = {"a": 1}
    world.played.put("s", came="a")
    world.previews.fails = EngineError(TIMED_OUT, "no answer")
    (found,) = world.ask(qtbot, "$")
    assert found.reason == "It takes too long for a preview (300 ms)"


def test_an_error_brings_its_place_and_its_remedy(world: World, qtbot: QtBot) -> None:
    world.engine.payloads = {"a": 1}
    world.played.put("s", came="a")
    world.previews.fails = EngineError(-32003, "failed", {"message": "it failed", "position": 3, "remedy": "mend it"})
    assert world.ask(qtbot, "$") == [Previewed(reason="it failed", position=3, remedy="mend it")]


def test_a_payload_above_a_megabyte_is_not_tried(world: World, qtbot: QtBot) -> None:
    world.played.put("s", came="a")
    world.played.visits[0]["input"]["bytes"] = 1_000_001
    (found,) = world.ask(qtbot, "$")
    assert "above 1 MB" in found.reason
    assert world.previews.expressions() == ["$string(1)"]


def test_what_steps_put_out_is_fetched_as_far_as_it_is_read(world: World, qtbot: QtBot) -> None:
    world.engine.payloads = {"a": 1, "f": {"rate": 2}, "t": {"n": 3}}
    world.played.put("start", went="t")
    world.played.put("fetch", went="f")
    world.played.put("s", came="a")
    assert world.ask(qtbot, "$steps.fetch.rate") == [Previewed(2)]
    assert [given["sample"] for _, given, _ in world.engine.asked] == ["a", "f"]
    assert world.ask(qtbot, "$keys($steps)")[0].value == ["fetch", "start"]


def test_the_trigger_is_what_started_the_last_run_else_the_sample(world: World, qtbot: QtBot, tmp_path: Path) -> None:
    world.engine.payloads = {"a": {"n": 1}, "t": {"n": 3}}
    world.played.put("s", came="a")
    assert world.ask(qtbot, "$trigger.n") == [Previewed(MISSING)]
    broken = tmp_path / "x.sample.json"
    broken.write_text("{")
    world.trigger.chosen = Sample("file", path=broken)
    assert world.ask(qtbot, "$trigger.n") == [Previewed(MISSING)]
    world.trigger.chosen = Sample("captured", payload={"n": 2})
    assert world.ask(qtbot, "$trigger.n + n") == [Previewed(3)]
    world.played.put("start", went="t")
    assert world.ask(qtbot, "$trigger.n + n") == [Previewed(4)]
    assert "trigger" in world.previews.asked[-1][1]
    world.ask(qtbot, "n")
    assert "trigger" not in world.previews.asked[-1][1]


def test_variables_have_their_test_values_and_secrets_are_masked(world: World, qtbot: QtBot) -> None:
    world.engine.payloads = {"a": 1}
    world.played.put("s", came="a")
    assert world.ask(qtbot, "$vars.low") == [Previewed(100)]
    world.workspace.set_value("low", 5)
    world.workspace.set_login("$vars", "key", "s3cret")
    assert world.ask(qtbot, "$vars") == [Previewed({"low": 5, "key": MASK})]
    assert "s3cret" not in repr(world.previews.asked)


def test_meta_is_that_of_the_visit(world: World, qtbot: QtBot) -> None:
    world.engine.payloads = {"a": 1}
    world.played.put("s", came="a")
    assert world.ask(qtbot, "$meta.status") == [Previewed(201)]


def test_a_form_that_has_gone_takes_nothing_from_the_others(world: World, qtbot: QtBot) -> None:
    world.workspace.select(["fetch"])
    gone = StepSample(world.previewing.preview, lambda: "fetch")
    assert gone.known.payload is MISSING  # it has asked now
    delete(gone)
    assert world.ask(qtbot, "1") == [Previewed(sampled=False)]


def test_whoever_fails_on_an_answer_takes_nothing_from_the_others(world: World, qtbot: QtBot) -> None:
    world.engine.payloads = {"a": 1}
    world.played.put("s", came="a")

    def fails(result: Previewed) -> None:
        raise ZeroDivisionError

    with qtbot.captureExceptions() as raised:
        world.previewing.preview("$", fails)
        assert world.ask(qtbot, "$ + 1") == [Previewed(2)]
    assert [kind for kind, _, _ in raised] == [ZeroDivisionError]
