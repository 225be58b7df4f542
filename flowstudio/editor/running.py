"""What Run, Step, Stop and Capture do: gathers what a run needs, asks the engine process, passes its news to the playback."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, QTimer, Signal

from flowstudio.editor.document import Document
from flowstudio.editor.engine_process import ENGINE_GONE, EngineError, EngineProcess
from flowstudio.editor.playback import Playback
from flowstudio.editor.workspace import NO_SAMPLE, Sample, Workspace, samples_beside
from flowstudio.errors import FileError, InvalidInputError, Problem, StoreError
from flowstudio.flow.files import read_payload, sample_path, write_atomically
from flowstudio.flow.model import Flow, Json
from flowstudio.runtime.protocol import FLOW_HAS_PROBLEMS, LARGEST_PAYLOAD, RUN_IS_LIVE
from flowstudio.sdk.registry import Registry

_LISTENERS: Final = "webhook"
_FIRING: Final = ("webhook", "schedule")
_NEWS: Final = ("fired", "queued", "skipped", "due", "refused")
_ANEW_MS: Final = 400
"""So long after the last edit a flow that listens does so with what was edited."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A value without which the flow may not run: a variable's, or a field of a connection's login."""

    name: str
    title: str
    field: str | None = None
    """The login's field; None for a variable."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of listening."""

    runs: int = 0
    waiting: int = 0
    skipped: int = 0
    due: Mapping[str, float] = field(default_factory=dict)
    """When each schedule fires next, in seconds since 1970."""
    refused: Mapping[str, Json] | None = None
    """The last request that was not taken: `step`, `method`, `path`, `status`, `reason`, `at`."""


NOTHING_HEARD: Final = Heard()


class Running(QObject):
    """Runs one document's flow in an engine process that all documents share."""

    missing = Signal(object)
    """Run was held back: this value is Missing."""
    problems_found = Signal(object)
    """The flow may not run: a list of Problem."""
    refused = Signal(str)
    """What was asked cannot be done; one sentence says why."""
    listening = Signal(object)
    """A request is awaited at these addresses (trigger to URL); an empty mapping: no longer."""
    captured = Signal(object)
    """A request was caught (a Sample), remembered and chosen."""
    heard = Signal(object)
    """While it listens: what came of it changed, a Heard."""

    def __init__(
        self,
        document: Document,
        workspace: Workspace,
        playback: Playback,
        engine: EngineProcess,
        registry: Registry,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._document = document
        self._workspace = workspace
        self._playback = playback
        self._engine = engine
        self._registry = registry
        self._listening: Mapping[str, str] = {}
        self.heard_so_far = NOTHING_HEARD
        """What came of listening."""
        self._listened: Flow | None = None
        """The flow that listens; None while only a request is to be captured, or nothing."""
        self._anew = QTimer(self, singleShot=True, interval=_ANEW_MS)
        self._anew.timeout.connect(self._listen_anew)
        document.changed.connect(self._flow_changed)
        self._free = False
        """The run under way stops nowhere, whatever the breakpoints are."""
        self._forking = False
        self._held: list[tuple[str, Any]] = []
        """News of a run that ends because a fork of it goes on."""
        self._go_on_in: tuple[str, str, Mapping[str, Any]] | None = None
        """The fork that shall not stand at its beginning: its run, and the movement with which it goes on."""
        workspace.breakpoints_changed.connect(self._send_breakpoints)
        engine.notified.connect(self._notified)
        engine.crashed.connect(self._crashed)

    @property
    def addresses(self) -> Mapping[str, str]:
        """Where a request is awaited now: trigger to URL."""
        return self._listening

    @property
    def is_listening(self) -> bool:
        """Whether the flow's triggers start runs now."""
        return self._listened is not None

    def triggers(self) -> list[str]:
        """The flow's triggers, in its order, without disabled ones."""
        flow = self._document.flow
        return [step for step, made in flow.steps.items() if not made.disabled and self._is_trigger(made.component)]

    def trigger(self) -> str | None:
        """The trigger that Run starts: the selected one, else the sample's, else the first."""
        triggers = self.triggers()
        sample = self._workspace.sample
        wanted = (self._workspace.current_step, sample.trigger if sample is not None else None)
        return next((step for step in wanted if step in triggers), triggers[0] if triggers else None)

    def sample(self, trigger: str | None = None) -> Sample:
        """What Run starts with: the chosen sample, else the first one beside the flow, else none."""
        chosen = self._workspace.sample
        if chosen is not None and (chosen.trigger is None or trigger is None or chosen.trigger == trigger):
            return chosen
        return next(iter(self.samples(trigger)), NO_SAMPLE)

    def samples(self, trigger: str | None = None) -> list[Sample]:
        """The samples beside the flow's file."""
        several = len(self.triggers()) > 1
        return samples_beside(self._document.samples_path, trigger if several else None, self._document.flow.steps)

    def keep_sample(self) -> Path | None:
        """Writes the captured or edited sample beside the flow's file and chooses it there; its file."""
        sample, path = self._workspace.sample, self._document.path
        if sample is None or sample.kind not in ("captured", "edited"):
            self.refused.emit(
                "There is no captured or edited sample to keep. Capture a request or edit a sample first."
            )
            return None
        if path is None:
            self.refused.emit("The sample lies beside the flow's file, and there is none yet. Save the flow first.")
            return None
        words = "".join(sign if sign.isalnum() else " " for sign in sample.title.casefold()).split()
        label = "-".join(words) or "sample"
        trigger = sample.trigger if len(self.triggers()) > 1 else None
        target, number = sample_path(path, trigger, label), 2
        while target.exists():
            target, number = sample_path(path, trigger, f"{label}-{number}"), number + 1
        try:
            write_atomically(target, json.dumps(sample.payload, ensure_ascii=False, indent=2).encode() + b"\n")
        except StoreError as error:
            self.refused.emit(str(error))
            return None
        kept = next((each for each in self.samples(sample.trigger) if each.path == target), None)
        self._workspace.choose_sample(kept)
        return target

    def run(self, trigger: str | None = None, *, stops: bool = True, to: str | None = None) -> None:
        """Runs the flow as it stands, on the sample, with the test values; without `stops` no breakpoint holds it.

        With `to` it stands still before that step.
        """
        start = trigger or self.trigger()
        sample = self.sample(start)
        try:
            message = self._message(sample)
        except FileError as error:
            self.refused.emit(f"The sample cannot be used. {error}")
            return
        if start is not None and len(self.triggers()) > 1:
            message["trigger"] = start
        if to is not None:
            message["to"] = to
        self._begin(message, start, stops=stops)

    def run_again(self, run: str) -> None:
        """Runs the flow as it stands now on what began a run of the history."""
        if self._playback.is_live:
            self.refused.emit("A run is under way. Stop it, or let it come to its end first.")
            return
        self._begin({"again": run}, None)

    def resume(self) -> None:
        """Goes on with the run on show in a fork: from before the visit that failed, or that was under way at its end."""
        visits = self._playback.course.visits
        error = self._playback.record.error or {}
        failed = [visit for visit in visits if visit["status"] == "failed"]
        own = [visit for visit in failed if visit["address"] == error.get("address")]
        open_ones = [visit for visit in visits if visit["status"] in ("running", "waiting")]
        wanted = (own or failed)[-1:] or open_ones[:1] or visits[-1:]
        if not wanted:
            self.refused.emit("No visit of this run was recorded from which it could go on. Run the flow again.")
            return
        self.fork(int(wanted[0]["visit"]))

    def run_from(self, step: str, *, alone: bool = False) -> None:
        """Runs from a step on, on what came to it in the run on show, else on what is pinned before it, else the sample.

        With `alone` it stands still behind that step.
        """
        came = self._came_to(step)
        if came is None:
            pinned = next(
                (pin for pin in self._pins_before(step) if isinstance(pin, Mapping) and "payload" in pin), None
            )
            if pinned is None:
                try:
                    self._begin({**self._message(self.sample()), "from": step}, step, alone=alone)
                except FileError as error:
                    self.refused.emit(f"The sample cannot be used. {error}")
            else:
                meta = dict(pinned.get("meta") or {})
                self._begin({"payload": pinned["payload"], "meta": meta, "from": step}, step, alone=alone)
            return
        if came["bytes"] > LARGEST_PAYLOAD:
            self.refused.emit("What came to this step is larger than 1 MB. Run the flow from its trigger instead.")
            return

        def begin(result: Any) -> None:
            self._begin({"payload": result.get("value"), "from": step}, step, alone=alone)

        self._engine.request(
            "evaluate", {"expression": "$", "sample": came["hash"]}, begin, self._not_moved, owner=self
        )

    def _came_to(self, step: str) -> Mapping[str, Any] | None:
        paused = self._playback.paused
        if paused is not None and paused.get("step") == step and paused.get("when") == "before":
            return paused.get("input")
        places = self._playback.visits_of(step)
        return self._playback.visits[places[-1]].get("input") if places else None

    def _pins_before(self, step: str) -> list[Json]:
        sources = (wire.source for wire in self._document.flow.wires_to(step))
        return [self._workspace.pins[source] for source in sources if source in self._workspace.pins]

    def _begin(self, message: Mapping[str, Any], start: str | None, *, stops: bool = True, alone: bool = False) -> None:
        if self._playback.is_live:
            return
        self._document.end_series()
        flow = self._document.flow
        given = self._given(flow)
        if given is None:
            return
        if not self.is_listening:
            self.unlisten()
        self._free = not stops
        breakpoints = self._workspace.stops(flow.steps)
        if alone:
            # It has to be in force though the others are muted.
            breakpoints = [{"id": "alone", "step": start, "when": "after"}]
        params: dict[str, Any] = {
            "flow": flow.to_document(),
            **given,
            **message,
            "breakpoints": breakpoints,
            "muted": (self._workspace.muted or self._free) and not alone,
            "pins": self._pins(),
        }
        self._playback.begin(flow, start)
        self._engine.request("run", params, self._started, self._not_started, owner=self)

    def debug(self) -> None:
        """What F5 does: goes on where the run stands, holds one that moves, else runs with breakpoints."""
        if self._playback.paused is not None:
            self._move("continue")
        elif self._playback.status == "running":
            self.pause()
        else:
            self.run()

    def run_free(self) -> None:
        """Runs, or goes on, without stops."""
        if not self._playback.is_live and not self._playback.is_looking:
            self.run(stops=False)
            return
        self._free = True
        self._send_breakpoints()
        if self._playback.paused is not None:
            self._move("continue")

    def pause(self) -> None:
        """Holds the run before its next visit."""
        self._ask("pause")

    def over(self) -> None:
        """Makes the visit before which the run stands."""
        self._move("next")

    def into(self) -> None:
        """Goes into the flow that the step calls, or to the next item."""
        self._move("into")

    def out(self) -> None:
        """Goes on until the item or the called flow is left."""
        self._move("out")

    def back(self) -> None:
        """Shows the moment before the visit made last."""
        if self._playback.visits:
            self._ask("back")

    def on(self) -> None:
        """Shows the next moment of what was recorded; at the last one, now."""
        if self._playback.is_looking:
            self._move("next")
        else:
            self.refused.emit("This is now: there is nothing recorded behind it. Step over (F10) makes the next visit.")

    def to_now(self) -> None:
        """Shows how the run stands now."""
        if self._playback.is_looking:
            # From before the last visit the next moment is now, whatever is recorded between.
            self._ask("goto", visit=self._playback.course.visits[-1]["visit"])
            self._move("next")

    def goto(self, visit: int, when: str = "before") -> None:
        """Shows the moment before or after a visit."""
        if self._playback.course.visit(visit) is None:
            self.to_now()
        else:
            self._ask("goto", visit=visit, when=when)

    def until(self, step: str) -> None:
        """Goes on until a step, or runs up to it."""
        if self._playback.paused is not None:
            self._move("until", step=step)
        else:
            self.run(to=step)

    def fork(self, visit: int | None = None) -> None:
        """Goes on from the moment on show, or from before a visit, in a fork of the run."""
        paused = self._playback.paused
        at = visit if visit is not None else int(paused["visit"]) if paused is not None else None
        if at is None:
            self.refused.emit("Choose a moment first: go back to it, or click it in the timeline.")
            return
        if visit is None and paused is not None and paused.get("when") != "before":
            at = next((int(each["visit"]) for each in self._playback.course.visits if int(each["visit"]) > at), at)
        self._edit({"visit": at}, at, then=("continue", {}))

    def retry(self, step: str) -> None:
        """Goes on from before the last visit of a step in a fork: what was made before is kept."""
        places = self._playback.visits_of(step)
        if places:
            failed = [place for place in places if self._playback.visits[place]["status"] == "failed"]
            self.fork(int(self._playback.visits[(failed or places)[-1]]["visit"]))

    def edit(self, value: Json, path: tuple[str | int, ...] | None = None) -> None:
        """Changes the payload that waits, or what lies at a path in it: in place, or at an earlier moment in a fork."""
        paused = self._playback.paused
        if paused is None or paused.get("when") != "before" or paused.get("reason") == "effect":
            self.refused.emit("Nothing waits here that could be changed. Pause before a step, or go back to one.")
            return
        params: dict[str, Any] = {"payload": value} if path is None else {"path": list(path), "value": value}
        if not paused.get("live", True):
            params["visit"] = paused["visit"]
        self._edit(params, int(paused["visit"]), edited=True)

    def answer(self, answer: Json) -> None:
        """Stands in for the answer to the effect before which the run asks: `recorded`, or `{payload, meta}`."""
        run, paused = self._playback.run, self._playback.paused
        if paused is None or paused.get("reason") != "effect":
            self.refused.emit("No effect waits for an answer. A fork asks for one where it would send another request.")
            return
        visit = int(paused["visit"])

        def answered(_: Any) -> None:
            self._playback.mark_edited(visit, answer=True)

        self._playback.moving()
        self._engine.request("edit", {"run": run, "answer": answer}, answered, self._not_moved, owner=self)

    def may_pin(self, step: str) -> bool:
        """Whether an output can stand in for a step: it is no trigger, and opens or closes nothing."""
        made = self._document.flow.steps.get(step)
        known = made is not None and self._registry.knows(made.component)
        return made is not None and known and self._registry.spec(made.component).shape == "plain"

    def _pins(self) -> dict[str, Any]:
        """What stands in for steps in the next run."""
        return {step: pin for step, pin in self._workspace.pins.items() if self.may_pin(step)}

    def _edit(
        self,
        params: Mapping[str, Any],
        at: int,
        *,
        edited: bool = False,
        then: tuple[str, Mapping[str, Any]] | None = None,
    ) -> None:
        playback, flow = self._playback, self._document.flow
        asked = {"run": playback.run, **params}
        new_flow = flow if playback.flow is not None and _differs(flow, playback.flow) and "visit" in params else None
        if new_flow is not None:
            asked["flow"] = flow.to_document()
        if playback.record.recorded or not playback.is_live:
            # Another engine process may have made it, which took what it was given along.
            given = self._given(flow)
            if given is None:
                return
            asked["given"] = {**given, "breakpoints": self._workspace.stops(flow.steps), "muted": self._workspace.muted}
        self._forking = "visit" in params

        def went_on(result: Any) -> None:
            self._forking = False
            run = str(result["run"])
            if run == playback.run:
                self._held.clear()
                playback.mark_edited(at)
                return
            playback.fork(run, at, flow=new_flow, edited=edited)
            self._held.clear()
            self._go_on_in = None if then is None else (run, *then)
            self._send_breakpoints()

        def not_edited(error: EngineError) -> None:
            self._forking = False
            held, self._held = self._held, []
            for method, told in held:
                playback.notify(method, told)
            self._not_moved(error)

        self._engine.request("edit", asked, went_on, not_edited, owner=self)

    def _move(self, method: str, **params: Any) -> None:
        """Asks for a movement that leaves where the run stands; where the flow was changed meanwhile, with that one."""
        paused, flow = self._playback.paused, self._playback.flow
        if paused is None:
            self.refused.emit("The run does not stand still. Pause it first, or set a breakpoint.")
            return
        may_change = paused.get("live", True) and paused.get("when") == "before" and paused.get("reason") != "effect"
        if may_change and flow is not None and _differs(self._document.flow, flow):
            self._edit({"visit": paused["visit"]}, int(paused["visit"]), then=(method, params))
            return
        self._playback.moving()
        self._ask(method, **params)

    def _ask(self, method: str, **params: Any) -> None:
        run = self._playback.run
        if run is None:
            self.refused.emit("There is no run to move in. Run the flow first.")
            return
        self._engine.request(method, {"run": run, **params}, None, self._not_moved, owner=self)

    def _not_moved(self, error: EngineError) -> None:
        self.refused.emit(_reason(error))

    def _send_breakpoints(self) -> None:
        flow = self._playback.flow if self._playback.is_live else self._listened
        if flow is not None:
            params = {"set": self._workspace.stops(flow.steps), "muted": self._workspace.muted or self._free}
            self._engine.request("breakpoints", params, None, self._not_moved, owner=self)

    def stop(self) -> None:
        """Stops the run within a second, whatever it does."""
        if self._playback.is_live:
            self._engine.stop_run(self._playback.stopped, owner=self)

    def restart(self) -> None:
        """Stops the run, if one is under way, and runs again."""
        if not self._playback.is_live:
            self.run()
            return

        def again() -> None:
            self._playback.stopped()
            self.run()

        self._engine.stop_run(again, owner=self)

    def capture(self) -> None:
        """Waits for the next request to one of the flow's webhooks; `captured` tells of it."""
        flow = self._document.flow
        if not any(made.component.partition("@")[0] == _LISTENERS for made in flow.steps.values()):
            self.refused.emit("There is no webhook in this flow to capture a request of. Add a Webhook as its trigger.")
            return
        given = self._given(flow)
        if given is None:
            return
        self._engine.request(
            "listen", {"flow": flow.to_document(), **given, "once": True}, self._listens, self._not_started, owner=self
        )

    def listen(self) -> None:
        """Lets the flow's triggers start runs, one after another, until `unlisten`."""
        flow = self._document.flow
        if not any(made.component.partition("@")[0] in _FIRING for made in flow.steps.values()):
            self.refused.emit("There is nothing to listen to in this flow. Add a Webhook or a Schedule as its trigger.")
            return
        given = self._given(flow)
        if given is None:
            return
        params = {
            "flow": flow.to_document(),
            **given,
            "breakpoints": self._workspace.stops(flow.steps),
            "muted": self._workspace.muted,
            "pins": self._pins(),
        }

        def listens(result: Any) -> None:
            if self._listened is None:
                self.heard_so_far = NOTHING_HEARD
            self._listened = flow
            self._listens(result)

        self._engine.request("listen", params, listens, self._not_started, owner=self)

    def unlisten(self) -> None:
        """Waits for requests and moments no longer."""
        if self._listening or self._listened is not None:
            self._engine.request("unlisten")
            self._listens_no_longer()

    def lose_listening(self) -> None:
        """Another flow listens now: the engine listens to one at a time."""
        self._listens_no_longer()

    def _flow_changed(self, flow: Any, _: object) -> None:
        if self._listened is not None and _differs(flow, self._listened):
            self._anew.start()

    def _listen_anew(self) -> None:
        """The flow changed while it listens: what fires next runs as the flow stands now."""
        if self._listened is not None and _differs(self._document.flow, self._listened):
            self.listen()

    def missing_value(self, flow: Flow | None = None) -> Missing | None:
        """The first value without which the flow may not run; None when all are given."""
        flow = flow or self._document.flow
        from flowstudio.editor.forms.values import missing_values  # loaded with the forms, after the first paint

        for name in missing_values(flow, self._workspace):
            return Missing(name, flow.variables[name].title or name)
        for name, slot in flow.connections.items():
            if not slot.required:
                continue
            fields = self._login_fields(slot.type)
            login = self._workspace.login(name, fields)
            lacking = next((field for field, needed in fields.items() if needed and not login.get(field)), None)
            if lacking is not None:
                return Missing(name, slot.title or name, lacking)
        return None

    def _given(self, flow: Flow) -> dict[str, Any] | None:
        """Values, logins and place of the flow for `run` and `listen`; None when something is missing."""
        missing = self.missing_value(flow)
        if missing is not None:
            self.missing.emit(missing)
            return None
        from flowstudio.editor.forms.values import given_values  # as above

        values = given_values(flow, self._workspace)
        secrets = {}
        for name, slot in flow.connections.items():
            login = self._workspace.login(name, self._login_fields(slot.type))
            if login:
                secrets[name] = login
        given: dict[str, Any] = {"vars": values, "secrets": secrets}
        if self._document.samples_path is not None:
            given["path"] = str(self._document.samples_path)
        return given

    def _login_fields(self, kind: str) -> dict[str, bool]:
        """The fields of a kind of login, with whether each must be given."""
        try:
            return {field.name: field.required for field in self._registry.connection(kind).fields}
        except InvalidInputError:
            # The check of the flow names the unknown type; here it has no fields.
            return {}

    def _message(self, sample: Sample) -> dict[str, Any]:
        if sample.kind == "none":
            return {"payload": None}
        if sample.kind == "file" and sample.path is not None:
            # The engine reads a large file itself: no message carries more than its limit.
            if sample.path.exists() and sample.path.stat().st_size > LARGEST_PAYLOAD:
                return {"payload_file": str(sample.path)}
            return {"payload": read_payload(sample.path)}
        message: dict[str, Any] = {"payload": sample.payload}
        if sample.meta is not None:
            message["meta"] = dict(sample.meta)
        return message

    def _is_trigger(self, component: str) -> bool:
        return self._registry.knows(component) and self._registry.spec(component).shape == "trigger"

    def _started(self, result: Any) -> None:
        if self._playback.is_live:
            self._playback.named(str(result["run"]))

    def _not_started(self, error: EngineError) -> None:
        if error.code == ENGINE_GONE:
            self._playback.broke(error.message)
            return
        if self._playback.is_live:
            self._playback.clear()
        if error.code == FLOW_HAS_PROBLEMS:
            self.problems_found.emit([problem_from_json(told) for told in (error.data or {}).get("problems", ())])
        elif error.code == RUN_IS_LIVE:
            self.refused.emit("Another flow is running. Stop it, then run this one.")
        else:
            self.refused.emit(error.message)

    def _listens(self, result: Any) -> None:
        self._listening = dict(result["webhooks"])
        self.listening.emit(self._listening)

    def _listens_no_longer(self) -> None:
        if self._listening or self._listened is not None:
            self._listening, self._listened = {}, None
            self._anew.stop()
            self.listening.emit({})

    def _notified(self, method: str, params: Any) -> None:
        if method == "captured":
            if self._listening and not self.is_listening:
                self._caught(params)
        elif method in _NEWS:
            if self.is_listening:
                self._hear(method, params)
        elif self._playback.run is not None and params.get("run") == self._playback.run:
            # Until the engine has named the run no news can be of it.
            if self._playback.record.recorded and method in ("visit", "visits", "log", "left_out"):
                return  # it is opened once more; whoever opens it takes it in
            if method == "finished" and self._forking:
                self._held.append((method, params))
                return
            self._playback.notify(method, params)
            if method == "paused" and self._go_on_in is not None and self._go_on_in[0] == params["run"]:
                _, movement, told = self._go_on_in
                self._go_on_in = None
                self._move(movement, **told)

    def _hear(self, method: str, params: Mapping[str, Any]) -> None:
        """News of the triggers that listen."""
        heard = self.heard_so_far
        if method == "fired":
            heard = replace(heard, runs=heard.runs + 1, waiting=max(0, heard.waiting - 1))
            self._fired(params)
        elif method == "queued":
            heard = replace(heard, waiting=int(params["count"]))
        elif method == "skipped":
            heard = replace(heard, skipped=heard.skipped + 1)
        elif method == "due":
            heard = replace(heard, due={**heard.due, str(params["step"]): float(params["at"])})
        else:
            heard = replace(heard, refused=dict(params))
        self.heard_so_far = heard
        self.heard.emit(heard)

    def _fired(self, params: Mapping[str, Any]) -> None:
        """A trigger has started a run: it is shown, unless somebody looks back into another one."""
        step = str(params["step"])
        if "payload" in params and (params.get("meta") or {}).get("trigger", {}).get("method"):
            self._workspace.add_captured(self._request_of(params), choose=False)
        if self._playback.is_looking or self._listened is None:
            return
        self._free = False
        self._playback.begin(self._listened, step)
        self._playback.named(str(params["run"]))

    def _request_of(self, params: Mapping[str, Any]) -> Sample:
        step, meta = str(params["step"]), params.get("meta") or {}
        request = meta.get("trigger") or {}
        title = " ".join(str(request[key]) for key in ("method", "path") if request.get(key)) or "Request"
        several = len(self.triggers()) > 1
        return Sample("captured", title, params.get("payload"), meta, step if several else None)

    def _caught(self, params: Mapping[str, Any]) -> None:
        sample = self._request_of(params)
        self._listens_no_longer()
        self._workspace.add_captured(sample)
        self.captured.emit(sample)

    def _crashed(self, message: str) -> None:
        self._listens_no_longer()
        self._playback.broke(message)


def _differs(flow: Flow, other: Flow) -> bool:
    """Whether two flows may run differently."""
    return (flow.steps, flow.wires, flow.variables) != (other.steps, other.wires, other.variables)


def _reason(error: EngineError) -> str:
    """Why something was refused, as one or two sentences."""
    problems = (error.data or {}).get("problems") if isinstance(error.data, Mapping) else None
    if problems:
        first = problem_from_json(problems[0])
        said = ". ".join(_sentence(part) for part in (first.what, first.why, first.remedy) if part)
    else:
        said = _sentence(error.message)
    return said if said.endswith(".") else f"{said}."


def _sentence(text: str) -> str:
    text = text.strip().rstrip(".")
    return text[:1].upper() + text[1:]


def problem_from_json(told: Mapping[str, Any]) -> Problem:
    """A problem as the session tells it."""
    span = told.get("span")
    return Problem(
        what=str(told.get("what", "")),
        why=str(told.get("why") or ""),
        remedy=str(told.get("remedy") or ""),
        step=told.get("step"),
        field=told.get("field"),
        path=tuple(told.get("path") or ()),
        span=(int(span[0]), int(span[1])) if span else None,
        severity="warning" if told.get("severity") == "warning" else "error",
        file=told.get("file"),
    )
