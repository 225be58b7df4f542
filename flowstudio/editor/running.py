"""What Run, Stop and Capture do: gathers what a run needs, asks the engine process, passes its news to the playback."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, Signal

from flowstudio.editor.document import Document
from flowstudio.editor.engine_process import ENGINE_GONE, EngineError, EngineProcess
from flowstudio.editor.playback import Playback
from flowstudio.editor.workspace import NO_SAMPLE, Sample, Workspace, samples_beside
from flowstudio.errors import FileError, InvalidInputError, Problem, StoreError
from flowstudio.flow.files import read_payload, sample_path, write_atomically
from flowstudio.flow.model import Flow
from flowstudio.runtime.protocol import FLOW_HAS_PROBLEMS, LARGEST_PAYLOAD, RUN_IS_LIVE
from flowstudio.sdk.registry import Registry

_LISTENERS: Final = "webhook"


@dataclass(frozen=True, slots=True)
class Missing:
    """A value without which the flow may not run: a variable's, or a field of a connection's login."""

    name: str
    title: str
    field: str | None = None
    """The login's field; None for a variable."""


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
        engine.notified.connect(self._notified)
        engine.crashed.connect(self._crashed)

    @property
    def addresses(self) -> Mapping[str, str]:
        """Where a request is awaited now: trigger to URL."""
        return self._listening

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

    def run(self, trigger: str | None = None) -> None:
        """Runs the flow as it stands, on the sample, with the test values."""
        if self._playback.is_live:
            return
        self._document.end_series()
        flow = self._document.flow
        start = trigger or self.trigger()
        given = self._given(flow)
        if given is None:
            return
        sample = self.sample(start)
        try:
            message = self._message(sample)
        except FileError as error:
            self.refused.emit(f"The sample cannot be used. {error}")
            return
        self.unlisten()
        params: dict[str, Any] = {"flow": flow.to_document(), **given, **message}
        if start is not None and len(self.triggers()) > 1:
            params["trigger"] = start
        self._playback.begin(flow, start)
        self._engine.request("run", params, self._started, self._not_started, owner=self)

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

    def unlisten(self) -> None:
        """Waits for a request no longer."""
        if self._listening:
            self._engine.request("unlisten")
            self._listens_no_longer()

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
        if self._listening:
            self._listening = {}
            self.listening.emit({})

    def _notified(self, method: str, params: Any) -> None:
        if method == "captured":
            if self._listening:
                self._caught(params)
        elif self._playback.is_live:
            self._playback.notify(method, params)

    def _caught(self, params: Mapping[str, Any]) -> None:
        step, meta = str(params["step"]), params.get("meta") or {}
        request = meta.get("trigger") or {}
        title = " ".join(str(request[key]) for key in ("method", "path") if request.get(key)) or "Request"
        several = len(self.triggers()) > 1
        sample = Sample("captured", title, params.get("payload"), meta, step if several else None)
        self._listens_no_longer()
        self._workspace.add_captured(sample)
        self.captured.emit(sample)

    def _crashed(self, message: str) -> None:
        self._listens_no_longer()
        self._playback.broke(message)


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
