"""The inspector: the settings of the selected step, or the flow itself while nothing is selected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QLabel, QStackedLayout, QVBoxLayout, QWidget

from flowstudio.editor.document import Document
from flowstudio.editor.panels.controls import Pane
from flowstudio.editor.panels.trigger import TriggerPane
from flowstudio.editor.playback import Playback
from flowstudio.editor.theme import Themes
from flowstudio.editor.workspace import Workspace
from flowstudio.errors import Problem
from flowstudio.sdk.registry import Registry

if TYPE_CHECKING:
    # The forms are made after the first paint, and loaded then: they are a fifth of what the editor loads at all.
    from flowstudio.editor.forms.form import Failure, StepForm
    from flowstudio.editor.forms.preview import Preview
    from flowstudio.editor.forms.surroundings import TryLogin
    from flowstudio.editor.forms.values import ValuesForm

WIDTH: Final = 356


class Inspector(Pane):
    """Follows the selection. Each form is made when it is first needed."""

    menu_wanted = Signal(object)

    def __init__(
        self,
        document: Document,
        workspace: Workspace,
        playback: Playback,
        registry: Registry,
        themes: Themes,
        preview: Preview,
        try_login: TryLogin | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("panel", parent)
        self._try_login = try_login
        self._document, self._workspace, self._playback = document, workspace, playback
        self._registry, self._themes, self._preview = registry, themes, preview
        self._problems: Sequence[Problem] = ()
        self._step_form: StepForm | None = None
        self._values_form: ValuesForm | None = None
        self.setMinimumWidth(280)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._stack = QStackedLayout()
        column.addLayout(self._stack, 1)
        self.trigger: Final = TriggerPane(document, workspace, registry, themes, self)
        column.addWidget(self.trigger)
        self._several = QLabel(self)
        self._several.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._several.setProperty("type", "hint")
        self._stack.addWidget(self._several)
        self._ready = False
        self._shown_failure: tuple[str, Failure | None] = ("", None)
        self._refreshing = QTimer(self, singleShot=True, interval=120)
        self._refreshing.timeout.connect(self._refresh_previews)
        workspace.selection_changed.connect(self._follow)
        playback.changed.connect(self._fared)
        playback.reset.connect(self._show_failure)
        playback.status_changed.connect(self._show_failure)

    def wake(self) -> None:
        """Makes the form for what is selected: called after the first paint."""
        if not self._ready:
            self._ready = True
            self._follow()

    @property
    def step_form(self) -> StepForm:
        """The form of a step."""
        if self._step_form is None:
            from flowstudio.editor.forms.form import StepForm

            form = StepForm(self._document, self._workspace, self._registry, self._themes, self._preview, self)
            form.menu_wanted.connect(self.menu_wanted)
            form.around.try_login = self._try_login
            self._step_form = form
            self._stack.addWidget(form)
        return self._step_form

    @property
    def values_form(self) -> ValuesForm:
        """The form of the flow: variables, connections, their test values."""
        if self._values_form is None:
            from flowstudio.editor.forms.values import ValuesForm

            self._values_form = ValuesForm(
                self._document, self._workspace, self._registry, self._themes, self._preview, self
            )
            self._values_form.around.try_login = self._try_login
            self._stack.addWidget(self._values_form)
        return self._values_form

    def show_problems(self, problems: Sequence[Problem]) -> None:
        """Shows them under the fields that they are about."""
        self._problems = problems
        if self._step_form is not None:
            self._step_form.show_problems(problems)

    def go_to(self, problem: Problem) -> None:
        """Selects the step of a problem and puts the cursor into its field."""
        self._ready = True
        if problem.step is None or problem.step not in self._document.flow.steps:
            self._workspace.select()
            self._follow()
            if problem.field:
                self.values_form.focus_value(problem.field)
            return
        self._workspace.select([problem.step])
        self._follow()
        self.step_form.reveal_problems()
        self.step_form.focus_field(problem.field or "")

    def ask_value(self, name: str, field: str | None = None) -> None:
        """Puts the cursor into the test value of a variable, or into a field of a connection's test login."""
        self._ready = True
        self._workspace.select()
        self._follow()
        self.values_form.focus_value(f"{name}.{field}" if field else name)

    def focus_first(self) -> None:
        """Puts the keyboard into the form."""
        self.wake()
        current = self._stack.currentWidget()
        if current is self._step_form and self._step_form is not None:
            self._step_form.focus_field()
        elif current is not None:
            current.setFocus(Qt.FocusReason.TabFocusReason)
            current.focusNextChild()

    def _follow(self) -> None:
        if not self._ready:
            return
        steps = self._workspace.selection
        self.trigger.show_step(steps[0] if len(steps) == 1 else None)
        if len(steps) > 1:
            self._several.setText(f"{len(steps)} steps selected")
            self._stack.setCurrentWidget(self._several)
        elif steps:
            form = self.step_form
            if form.step != steps[0]:
                form.show_step(steps[0])
                self._shown_failure = ("", None)
                form.show_problems(self._problems)
            self._stack.setCurrentWidget(form)
            self._show_failure()
        else:
            self._stack.setCurrentWidget(self.values_form)

    def _fared(self, steps: object) -> None:
        form = self._step_form
        if form is not None and isinstance(steps, frozenset) and form.step is not None:
            if form.step in steps:
                self._show_failure()
            self._refreshing.start()

    def _refresh_previews(self) -> None:
        if self._step_form is not None and (not self._playback.is_live or self._playback.paused is not None):
            self._step_form.refresh_previews()

    def _show_failure(self) -> None:
        form = self._step_form
        if form is None or form.step is None:
            return
        failure = self._failure_of(form.step)
        if (form.step, failure) != self._shown_failure:
            self._shown_failure = (form.step, failure)
            form.show_failure(failure)

    def _failure_of(self, step: str) -> Failure | None:
        from flowstudio.editor.forms.form import Failure
        from flowstudio.editor.panels.failure import tell

        if self._playback.state_of(step).status != "failed":
            return None
        failed = next(
            (
                self._playback.visits[place]
                for place in self._playback.visits_of(step)
                if self._playback.visits[place]["status"] == "failed"
            ),
            None,
        )
        if failed is None:
            return None
        told = tell(failed.get("error"))
        title = f"Response {told.status}" if told.status else "Details"
        return Failure(told.what, told.why, told.remedy, title, told.details)
