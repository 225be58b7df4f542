"""Tries a test login at its system: one harmless request, made in an engine process and never by the window itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from PySide6.QtCore import QObject

from flowstudio.editor.document import Document
from flowstudio.editor.engine_process import EngineError, EngineProcess
from flowstudio.editor.workspace import Workspace
from flowstudio.errors import ExpressionError, InvalidInputError
from flowstudio.expressions.braces import Brace, escape, scan
from flowstudio.expressions.names import reads_of
from flowstudio.flow.model import Flow, Json
from flowstudio.plan.references import uses_of_connection
from flowstudio.sdk.registry import Registry

WITHIN_S: Final = 10
_ASK: Final = "ask"
_INWARD: Final = "hmac"
"""The kind of login with which others come here: it has no system that could be asked."""

Answer = Callable[[bool | None, str], None]
"""Told whether the login was accepted (None: that cannot be said), and a sentence or two."""


def address_of_slot(flow: Flow, registry: Registry, slot: str) -> str:
    """Where a login is used: the address of the first HTTP step that has it, up to what only a message could fill in.

    Nothing where no step has it, or its address comes from the message as a whole.
    """
    for use in uses_of_connection(flow, registry, slot):
        step = flow.steps.get(use.step or "")
        if step is not None and step.component.partition("@")[0] == "http" and step.config.get("url"):
            return _known_part(str(step.config["url"]))
    return ""


def _known_part(address: str) -> str:
    try:
        parts = scan(address)
        known = ""
        for part in parts:
            if isinstance(part, Brace):
                reads = reads_of(part.expression)
                if reads.names - {"vars"} or reads.payload:
                    break
                known += "{{" + part.expression + "}}"
            else:
                known += escape(part)
    except ExpressionError:
        return ""
    return known


class Trying(QObject):
    """Tries the logins of one document, one after another."""

    def __init__(
        self,
        document: Document,
        workspace: Workspace,
        registry: Registry,
        engine: EngineProcess,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._document = document
        self._workspace = workspace
        self._registry = registry
        self._engine = engine
        self._run: str | None = None
        self._answer: Answer | None = None
        self._host = ""
        engine.notified.connect(self._notified)
        engine.state_changed.connect(self._engine_changed)

    def try_login(self, slot: str, on_answer: Answer) -> None:
        """Asks the system with the login of a slot, by a GET at the address where a step uses it."""
        flow = self._document.flow
        kind = flow.connections[slot].type
        if self._answer is not None:
            on_answer(None, "Another login is being tried. Wait for its answer, then test again.")
            return
        if kind == _INWARD:
            on_answer(None, "Others sign with it: it is checked when a request comes. Capture one to see.")
            return
        address = address_of_slot(flow, self._registry, slot)
        if not address:
            on_answer(None, "No HTTP step uses it yet, so there is no address to try it at. Choose it in one first.")
            return
        try:
            fields = [field.name for field in self._registry.connection(kind).fields]
        except InvalidInputError as error:
            on_answer(False, str(error))
            return
        from flowstudio.editor.forms.values import given_values  # loaded with the forms, after the first paint

        self._answer = on_answer
        params = {
            "flow": _trial(flow, slot, address),
            "payload": None,
            "vars": given_values(flow, self._workspace),
            "secrets": {slot: self._workspace.login(slot, fields)},
        }
        self._engine.request("run", params, self._started, self._refused, owner=self)

    def _started(self, result: Any) -> None:
        self._run = str(result["run"])

    def _refused(self, error: EngineError) -> None:
        problems = (error.data or {}).get("problems") if isinstance(error.data, Mapping) else None
        told = problems[0] if problems else {"what": error.message}
        words = ", ".join(str(told[part]) for part in ("what", "why", "remedy") if told.get(part))
        self._tell(False, f"It could not be tried: {words}.")

    def _notified(self, method: str, params: Any) -> None:
        if self._run is None or params.get("run") != self._run:
            return
        if method == "visit" and params.get("step") == _ASK and params.get("effects"):
            preview = params["effects"][-1].get("request", {}).get("preview") or {}
            self._host = urlsplit(str(preview.get("url", ""))).netloc
        if method == "visit" and params.get("step") == _ASK and params.get("status") in ("succeeded", "failed"):
            self._visited(params)
        elif method == "finished" and self._answer is not None:
            error = params.get("error") or {}
            self._tell(False, str(error.get("message") or "The run that tried it was stopped."))

    def _visited(self, visit: Mapping[str, Any]) -> None:
        host = self._host or "The system"
        if visit["status"] == "failed":
            message = str((visit.get("error") or {}).get("message") or "it could not be asked")
            self._tell(False, f"{message[:1].upper()}{message[1:]}{'' if message.endswith('.') else '.'}")
            return
        status = (visit.get("meta") or {}).get("status")
        if status in (401, 403):
            self._tell(False, f"{host} did not accept the login: it answered {status}. Correct the login, test again.")
        elif isinstance(status, int) and status < 400:
            self._tell(True, f"{host} answered {status}: the login was accepted.")
        elif isinstance(status, int) and status < 500:
            self._tell(None, f"{host} did not refuse the login, but answered {status} to a GET at this address.")
        else:
            self._tell(None, f"{host} answered {status}: it has trouble of its own. Test again later.")

    def _engine_changed(self, state: str) -> None:
        if self._run is not None and state != "ready":
            self._tell(None, "The engine was restarted while the login was tried. Test again.")

    def _tell(self, fine: bool | None, words: str) -> None:
        answer, self._answer, self._run, self._host = self._answer, None, None, ""
        if answer is not None:
            answer(fine, words)


def _trial(flow: Flow, slot: str, address: str) -> dict[str, Json]:
    """A flow that asks at an address with a login, and takes every status for an answer."""
    document = flow.to_document()
    config = {"method": "GET", "url": address, "connection": slot, "fail_on": []}
    trial: dict[str, Json] = {
        "format": document["format"],
        "id": "login-trial",
        "name": "Login trial",
        "steps": {
            "start": {"component": "manual@1"},
            _ASK: {"component": "http@1", "config": config, "timeout": WITHIN_S, "retry": {"attempts": 1}},
        },
        "wires": [f"start -> {_ASK}"],
        "connections": {slot: document["connections"][slot]},
    }
    if "variables" in document:
        trial["variables"] = document["variables"]
    return trial


__all__ = ["Answer", "Trying", "address_of_slot"]
