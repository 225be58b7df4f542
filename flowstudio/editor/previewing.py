"""Live previews: evaluates expressions on what comes into a step, in an engine process of their own that may be killed."""

from __future__ import annotations

import contextlib
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from PySide6.QtCore import QObject, QTimer

from flowstudio.editor.document import Document
from flowstudio.editor.engine_process import TIMED_OUT, EngineError, EngineProcess
from flowstudio.editor.forms.preview import Previewed
from flowstudio.editor.forms.suggestions import upstream
from flowstudio.editor.forms.values import given_values
from flowstudio.editor.playback import Playback
from flowstudio.editor.running import Running
from flowstudio.editor.workspace import Workspace
from flowstudio.errors import ExpressionError, FileError
from flowstudio.expressions.names import reads_of
from flowstudio.expressions.nothing import MISSING
from flowstudio.flow.files import read_payload
from flowstudio.flow.model import ABSENT, Json
from flowstudio.runtime.protocol import LARGEST_PAYLOAD
from flowstudio.trace.redact import MASK

GIVE_UP_MS: Final = 300
"""A preview that has not answered by then is given up, and its process replaced."""

WARM_WITHIN_MS: Final = 20_000
"""How long a new process may take to load."""

_MOST_STEPS: Final = 50
"""So many steps are shown where an expression reads all of `$steps`."""

_KEPT: Final = 32
"""Payloads at hand: those of the step that is edited and of the steps that it reads."""

OnResult = Callable[[Previewed], None]


class Previewing(QObject):
    """Answers the previews of one document's forms, one after another, on the step that the workspace has selected."""

    def __init__(
        self,
        document: Document,
        workspace: Workspace,
        playback: Playback,
        running: Running,
        engine: EngineProcess,
        previews: EngineProcess,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._document, self._workspace, self._playback, self._running = document, workspace, playback, running
        self._engine, self._previews = engine, previews
        self._queue: deque[tuple[str, OnResult]] = deque()
        self._busy = False
        self._warm = False
        previews.state_changed.connect(self._engine_changed)
        self._fetched: OrderedDict[str, Json] = OrderedDict()

    def preview(self, expression: str, on_result: OnResult) -> None:
        """What the expression gives on the step's input; `on_result` is called later, once."""
        self._queue.append((expression, on_result))
        if not self._busy:
            self._busy = True
            QTimer.singleShot(0, self, self._next)

    def _next(self) -> None:
        if not self._queue:
            self._busy = False
            return
        if not self._warm:
            self._warm_up()
            return
        expression, on_result = self._queue.popleft()

        def answer(result: Previewed) -> None:
            try:
                on_result(result)
            finally:
                # Whatever becomes of one answer, the others come.
                self._next()

        self._with_input(
            lambda payload: self._evaluate(expression, payload, answer),
            lambda reason: answer(Previewed(reason=reason) if reason else Previewed(sampled=False)),
        )

    def _warm_up(self) -> None:
        """Lets a new process load the language first: that takes longer than a preview may."""

        def warm(_: Any) -> None:
            self._warm = True
            self._next()

        def cold(_: EngineError) -> None:
            queue, self._queue = self._queue, deque()
            self._busy = False
            for _expression, on_result in queue:
                on_result(Previewed(reason="The engine for previews does not start"))

        self._previews.request(
            "evaluate", {"expression": "$string(1)", "payload": None}, warm, cold, timeout_ms=WARM_WITHIN_MS, owner=self
        )

    def _engine_changed(self, state: str) -> None:
        if state != "ready":
            self._warm = False

    def _evaluate(self, expression: str, payload: Json, answer: OnResult) -> None:
        self._with_steps(expression, lambda steps: self._ask(expression, payload, steps, answer))

    def _ask(self, expression: str, payload: Json, steps: Mapping[str, Json], answer: OnResult) -> None:
        params: dict[str, Any] = {
            "expression": expression,
            "payload": payload,
            "vars": self._variables(),
            "meta": self._meta(),
            "steps": dict(steps),
        }
        if triggers := self._triggers_read(expression):
            trigger = next((steps[name] for name in triggers if name in steps), ABSENT)
            if trigger is ABSENT:
                with contextlib.suppress(FileError):
                    trigger = self._sample()
            if trigger is not ABSENT:
                params["trigger"] = trigger

        def came(result: Any) -> None:
            if "ref" in result:
                answer(Previewed(result["ref"]["preview"]))
            else:
                answer(Previewed(result.get("value", MISSING)))

        def failed(error: EngineError) -> None:
            if error.code == TIMED_OUT:
                answer(Previewed(reason="It takes too long for a preview (300 ms)"))
                return
            data: Mapping[str, Any] = error.data if isinstance(error.data, Mapping) else {}
            answer(
                Previewed(
                    reason=str(data.get("message") or error.message),
                    position=data.get("position"),
                    remedy=str(data.get("remedy") or ""),
                )
            )

        self._previews.request("evaluate", params, came, failed, timeout_ms=GIVE_UP_MS, owner=self)

    def _with_steps(self, expression: str, use: Callable[[Mapping[str, Json]], None]) -> None:
        """Fetches what `$steps` shows, as far as the expression reads it and it is small enough."""
        try:
            read = reads_of(expression).steps
        except ExpressionError:
            read = frozenset()
        flow, step = self._document.flow, self._workspace.current_step
        # Where it cannot be told which are read: those from which a message comes here, and of many the nearest.
        names = upstream(flow, step)[:_MOST_STEPS] if read is None else read
        names = [*names, *(name for name in self._triggers_read(expression) if name not in names)]
        refs = {name: ref for name in names if (ref := self._output_ref(name)) is not None}
        room = LARGEST_PAYLOAD
        wanted = []
        for name, ref in refs.items():
            room -= ref["bytes"]
            if room >= 0:
                wanted.append((name, str(ref["hash"])))
        found: dict[str, Json] = {name: self._pin(name) for name in names if name not in refs}
        found = {name: payload for name, payload in found.items() if payload is not ABSENT}

        def next_one() -> None:
            if not wanted:
                use(found)
                return
            name, payload = wanted.pop(0)

            def came(value: Json) -> None:
                found[name] = value
                next_one()

            self._fetch(payload, came, lambda _: next_one())

        next_one()

    def _triggers_read(self, expression: str) -> Sequence[str]:
        """The steps one of which gave what `$trigger` shows, where the expression reads it."""
        try:
            return self._running.triggers() if "trigger" in reads_of(expression).names else ()
        except ExpressionError:
            return ()

    def _output_ref(self, step: str) -> Mapping[str, Any] | None:
        visit = self._visit(step)
        return visit.get("output") if visit is not None else None

    def _variables(self) -> dict[str, Json]:
        """The test values over the defaults."""
        flow = self._document.flow
        defaults = {
            name: variable.default for name, variable in flow.variables.items() if variable.default is not ABSENT
        }
        given = given_values(flow, self._workspace)
        # A preview is shown, and what is shown holds no secret.
        masked = {
            name: MASK for name, variable in flow.variables.items() if variable.type == "secret" and name in given
        }
        return {**defaults, **given, **masked}

    def _meta(self) -> Mapping[str, Json]:
        visit = self._visit(self._workspace.current_step)
        if visit is not None and isinstance(visit.get("meta"), Mapping):
            return dict(visit["meta"])
        return dict(self._running.sample().meta or {})

    def _visit(self, step: str | None) -> dict[str, Any] | None:
        places = self._playback.visits_of(step) if step is not None else ()
        return self._playback.visits[places[-1]] if places else None

    def _with_input(self, use: Callable[[Json], None], give_up: Callable[[str], None]) -> None:
        """Finds what comes into the step: in the last run, else what the step before put out, else the sample."""
        step = self._workspace.current_step
        if step is None:
            use(None)
            return
        ref = self._input_ref(step)
        if ref is not None:
            if ref["bytes"] > LARGEST_PAYLOAD:
                give_up("There is no preview on payloads above 1 MB")
            else:
                self._fetch(ref["hash"], use, give_up)
            return
        pinned = self._pinned_before(step)
        if pinned is not ABSENT:
            use(pinned)
            return
        if not self._reads_the_sample(step):
            give_up("")
            return
        try:
            payload = self._sample()
        except FileError as error:
            give_up(str(error))
            return
        if payload is ABSENT:
            give_up("")
        else:
            use(payload)

    def _sample(self) -> Json:
        """What the next run is started with; ABSENT where nothing is chosen, FileError where it can't be read."""
        sample = self._running.sample()
        if sample.kind == "none":
            return ABSENT
        return sample.payload if sample.path is None else read_payload(sample.path)

    def _input_ref(self, step: str) -> Mapping[str, Any] | None:
        paused = self._playback.paused
        if paused is not None and paused.get("step") == step and paused.get("when") == "before":
            came: Mapping[str, Any] | None = paused.get("input")
            return came
        visit = self._visit(step)
        if visit is not None:
            return visit.get("input")
        for wire in self._document.flow.wires_to(step):
            before = self._visit(wire.source)
            if self._pin(wire.source) is not ABSENT:
                return None  # what is pinned there comes next, whatever the last run put out
            if before is not None and before.get("output") is not None and self._playback.count_of(wire):
                return before["output"]  # type: ignore[no-any-return] # the session's own words
        return None

    def _pinned_before(self, step: str) -> Json:
        """What is pinned at a step before; ABSENT where nothing is."""
        pins = (self._pin(wire.source) for wire in self._document.flow.wires_to(step))
        return next((payload for payload in pins if payload is not ABSENT), ABSENT)

    def _pin(self, step: str) -> Json:
        pin = self._workspace.pins.get(step)
        return pin["payload"] if isinstance(pin, Mapping) and "payload" in pin else ABSENT

    def _reads_the_sample(self, step: str) -> bool:
        """Whether the trigger's payload comes to the step as it is: the trigger itself, and those wired to it."""
        triggers = self._running.triggers()
        return step in triggers or any(wire.source in triggers for wire in self._document.flow.wires_to(step))

    def _fetch(self, payload: str, use: Callable[[Json], None], give_up: Callable[[str], None]) -> None:
        if payload in self._fetched:
            self._fetched.move_to_end(payload)
            use(self._fetched[payload])
            return

        def came(result: Any) -> None:
            self._fetched[payload] = result.get("value")
            while len(self._fetched) > _KEPT:
                self._fetched.popitem(last=False)
            use(result.get("value"))

        self._engine.request(
            "evaluate", {"expression": "$", "sample": payload}, came, lambda error: give_up(error.message), owner=self
        )
