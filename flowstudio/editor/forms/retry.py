"""The tab "Errors & retry": what a step does when it fails, and whether it runs at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from annotated_types import Ge, Gt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from flowstudio.editor.forms.field import GAP, Path, Row, put
from flowstudio.editor.forms.notes import Note
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.editor.forms.widgets import make_row
from flowstudio.errors import InvalidInputError
from flowstudio.flow.edits import SetStep
from flowstudio.flow.model import ABSENT, ERROR_PORT, Json, Step
from flowstudio.sdk.fields import Settings, setting
from flowstudio.sdk.spec import fields_of

_RETRY: Final = ("attempts", "backoff", "max_backoff", "on")


class Policy(Settings):
    """What stands beside a step's config, in the words of the form."""

    attempts: Annotated[int, Ge(1)] = setting(
        1, title="Tries", description="All of them, the first included: 1 means that it is not tried again."
    )
    backoff: Annotated[float, Ge(0)] = setting(
        1, title="First wait", description="Seconds before the second try. Each wait after it is twice as long."
    )
    max_backoff: Annotated[float, Ge(0)] = setting(60, title="Longest wait", description="Seconds.")
    on: list[str] | None = setting(
        None,
        title="Try again on",
        description=(
            "Statuses and kinds of error: 503, 500-599, Timeout. With none: connection errors, time limits, 408, 425, "
            "429, 500, 502-504, and every error that is not an HTTP status."
        ),
    )
    timeout: Annotated[float, Gt(0)] | None = setting(
        None, title="Time limit", description="Seconds for one try.", placeholder="no limit"
    )
    disabled: bool = setting(False, title="Disabled", description="The payload passes by; the step does nothing.")


class RetryForm(QWidget):
    """Retry, time limit and the switch that takes a step out."""

    def __init__(self, around: Surroundings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.around = around
        self._rows: dict[str, Row] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        self._route = Note(around.themes, "faint", "")
        column.addWidget(self._route)
        for spec in fields_of(Policy):
            row = make_row(around, spec, braces=False)
            row.changed.connect(lambda path, value, name=spec.name: self._changed(name, path, value))
            self._rows[spec.name] = row
            column.addWidget(row)
        around.flow_changed.connect(self._tell_route)

    @property
    def rows(self) -> Mapping[str, Row]:
        """The rows by name."""
        return self._rows

    def show_values(self, step: Step) -> None:
        """Shows what a step has."""
        retry = step.retry or {}
        for name in _RETRY:
            self._rows[name].show_value(retry.get(name, ABSENT))
        self._rows["timeout"].show_value(ABSENT if step.timeout is None else step.timeout)
        self._rows["disabled"].show_value(True if step.disabled else ABSENT)
        self._tell_route()

    def _tell_route(self) -> None:
        key = self.around.step
        flow = self.around.flow
        if key is None or key not in flow.steps:
            return
        try:
            fails = self.around.registry.spec(flow.steps[key].component).fails
        except InvalidInputError:
            fails = True
        targets = [flow.title_of(wire.target) for wire in flow.wires_from(key, ERROR_PORT) if wire.target in flow.steps]
        if targets:
            text = f"What fails goes on to {' and '.join(targets)}."
        elif fails:
            text = "What fails ends the run as failed: nothing is wired to the port error."
        else:
            text = "This step does not fail."
        self._route.set_text(text)

    def _changed(self, name: str, path: Path, value: Json) -> None:
        key = self.around.step
        if key is None or key not in self.around.flow.steps:
            return
        step = self.around.flow.steps[key]
        if name not in _RETRY:
            self.around.apply(SetStep(key, name, None if value is ABSENT else value))
            return
        retry = put(dict(step.retry or {}), (name, *path), value)
        ordered = {each: retry[each] for each in (*_RETRY, *retry) if each in retry}
        self.around.apply(SetStep(key, "retry", ordered or None))
