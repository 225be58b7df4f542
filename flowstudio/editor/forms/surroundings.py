"""What a field may ask of the editor around it: one object for each form, passed to every widget in it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QMenu, QWidget

from flowstudio.editor.document import Document
from flowstudio.editor.forms.preview import Preview, Previewed
from flowstudio.editor.forms.sample import StepSample
from flowstudio.editor.theme import Theme, Themes
from flowstudio.editor.workspace import Workspace
from flowstudio.flow.edits import Edit
from flowstudio.flow.model import Flow
from flowstudio.sdk.registry import Registry

TryLogin = Callable[[str, Callable[[bool | None, str], None]], None]
"""Asks a system with the login of a slot; told whether it was accepted (None: that cannot be said), and why."""


class Surroundings(QObject):
    """The document, what belongs to working on it, and how things look."""

    flow_changed = Signal()
    """The flow is another one: what shows its variables, slots or steps is renewed."""
    preview_outdated = Signal()
    """The sample, a test value or a step before this one changed: previews are asked anew."""

    def __init__(
        self,
        document: Document,
        workspace: Workspace,
        registry: Registry,
        themes: Themes,
        preview: Preview,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.document = document
        self.workspace = workspace
        self.registry = registry
        self.themes = themes
        self._step: str | None = None
        self.row_actions: Callable[[QMenu, QWidget], None] | None = None
        """Adds to a row's menu what the form can do with its value; the widget is the row."""
        self.take_pasted: Callable[[str], bool] | None = None
        """Takes a text that is pasted into an address; False leaves it to the field."""
        self.try_login: TryLogin | None = None
        """Tries the test login of a slot at its system; None where nobody can."""
        self._preview = preview
        self.sample = StepSample(preview, lambda: self.step, self)
        self.preview_outdated.connect(self.sample.renew)

    @property
    def step(self) -> str | None:
        """The step that is shown; None where the form is not about a step."""
        return self._step

    @step.setter
    def step(self, step: str | None) -> None:
        self._step = step

    @property
    def theme(self) -> Theme:
        """The theme that is on."""
        return self.themes.current

    @property
    def flow(self) -> Flow:
        """The flow as it is now."""
        return self.document.flow

    def apply(self, edit: Edit) -> bool:
        """Makes an edit; False when it was refused.

        A field that is taken away by an edit loses its focus, and what it would still say then is about what is gone.
        """
        return not self.document.is_telling and self.document.apply(edit)

    def end_series(self) -> None:
        """What is typed from now on is a step of undo of its own."""
        self.document.end_series()

    def undo(self) -> None:
        """Takes the last edit back, whichever field made it."""
        self.document.undo_stack.undo()

    def redo(self) -> None:
        """Makes the edit again that was taken back last."""
        self.document.undo_stack.redo()

    def preview(self, expression: str, on_result: Callable[[Previewed], None]) -> None:
        """Asks what an expression gives on the sample."""
        self._preview(expression, on_result)


class OnItems(Surroundings):
    """The surroundings of an expression that is evaluated on each item of the payload: it is tried on the first."""

    def __init__(self, outer: Surroundings) -> None:
        self._outer = outer
        super().__init__(
            outer.document,
            outer.workspace,
            outer.registry,
            outer.themes,
            lambda expression, on_result: outer.preview(f"$[0].({expression})", on_result),
            outer,
        )
        self.row_actions = outer.row_actions
        outer.flow_changed.connect(self.flow_changed)
        outer.preview_outdated.connect(self.preview_outdated)

    @property
    def step(self) -> str | None:
        """The step that the form around it shows."""
        return self._outer.step

    @step.setter
    def step(self, step: str | None) -> None:
        self._outer.step = step
