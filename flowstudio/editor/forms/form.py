"""The inspector of one step: its settings, made from what the component declares, its errors and retries, its note."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDropEvent,
    QFocusEvent,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from flowstudio.editor.document import Document
from flowstudio.editor.forms.alternatives import Alternatives
from flowstudio.editor.forms.code import JsonField
from flowstudio.editor.forms.controls import IconButton, Section, Segments, WordButton
from flowstudio.editor.forms.dropping import matches
from flowstudio.editor.forms.field import GAP, Path, Row, take, told
from flowstudio.editor.forms.lines import LineInput
from flowstudio.editor.forms.notes import Glyph, Note, Tone
from flowstudio.editor.forms.preview import Preview
from flowstudio.editor.forms.requests import HTTP, copy_curl, paste_curl
from flowstudio.editor.forms.retry import RetryForm
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.editor.forms.texts import LongTextField
from flowstudio.editor.forms.variable import offer_variable
from flowstudio.editor.forms.widgets import make_row
from flowstudio.editor.picked import Picked, picked
from flowstudio.editor.theme import Themes, set_look
from flowstudio.editor.workspace import Workspace
from flowstudio.errors import InvalidInputError, PathKey, Problem
from flowstudio.flow.edits import ClearConfig, SetConfig, SetStep, Several
from flowstudio.flow.model import ABSENT, Flow, Json
from flowstudio.importers.curl import CurlError, is_curl
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import FieldSpec, Spec

MARGIN: Final = 14
"""Pixels between the inspector's border and its fields."""

ADVANCED: Final = "Advanced"
"""The section at the end, for what most never need."""

_TABS: Final = ("Settings", "Errors & retry", "Notes")
_NOTE: Final = FieldSpec(
    "note",
    "Note",
    "Shown on the card's tooltip and kept in the flow's file.",
    Kind.STATIC,
    "long-text",
    str,
    nullable=True,
    default=None,
    placeholder="What should whoever opens this step know?",
)
_CONFIG: Final = FieldSpec("config", "Settings as JSON", "", Kind.STATIC, "json", dict, default={})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the step that is shown failed in the run on show: what happened, why, what to do.

    `details` (status, request id, stack trace) stand behind a disclosure and can be copied; `field` is the path of the
    setting that mends it.
    """

    what: str
    why: str = ""
    remedy: str = ""
    details_title: str = "Details"
    details: str = ""
    field: Path = ()


class Tile(QWidget):
    """A component's icon on its category's colour."""

    def __init__(self, themes: Themes, side: int = 36, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._icon = "cube"
        self._category: str | None = None
        self.setFixedSize(side, side)

    def show_icon(self, icon: str, category: str | None) -> None:
        """Shows a component's icon."""
        self._icon, self._category = icon, category
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._themes.current
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("accentSoft") if self._category is None else theme.tile(self._category))
        painter.drawRoundedRect(QRectF(self.rect()), 8, 8)
        color = theme.color("accent") if self._category is None else theme.category(self._category)
        size = 20
        picture = theme.pixmap(self._icon, color, size, self.devicePixelRatioF())
        painter.drawPixmap((self.width() - size) // 2, (self.height() - size) // 2, picture)
        painter.end()


class TitleInput(LineInput):
    """A title that can be changed: by F2 or a double click it becomes an input, Enter or leaving it ends that."""

    renamed = Signal(str)

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._before = ""
        self.setProperty("bare", "title")
        self.setReadOnly(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self.textEdited.connect(self.renamed)
        self.left.connect(self.finish)
        themes.changed.connect(self._dress)
        self._dress()

    def begin(self) -> None:
        """Makes it an input."""
        self._before = self.text()
        self.setReadOnly(False)
        self.setCursor(Qt.CursorShape.IBeamCursor)
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        self.selectAll()
        set_look(self, bare="title")

    def finish(self) -> None:
        """Makes it a title again."""
        self.setReadOnly(True)
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self.deselect()
        set_look(self, bare="title")

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self.isReadOnly():
            self.begin()
        else:
            super().mouseDoubleClickEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_F2 and self.isReadOnly():
            self.begin()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not self.isReadOnly():
            self.finish()
        elif event.key() == Qt.Key.Key_Escape and not self.isReadOnly():
            if self.text() != self._before:
                self.renamed.emit(self._before)
            self.finish()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if self.isReadOnly():
            self.deselect()

    def _dress(self, *_: object) -> None:
        self.setFont(self._themes.current.font("ui", 15, 600))


class Header(QWidget):
    """Tile, title, what it is, and a menu."""

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tile: Final = Tile(themes)
        self.title: Final = TitleInput(themes)
        self.subtitle: Final = QLabel()
        self.subtitle.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        set_look(self.subtitle, tone="faint")
        self.subtitle.setFont(themes.current.font("ui", 12))
        self.menu_button: Final = IconButton(themes, "dots-three", "More")
        words = QVBoxLayout()
        words.setContentsMargins(0, 0, 0, 0)
        words.setSpacing(0)
        words.addWidget(self.title)
        words.addWidget(self.subtitle)
        line = QHBoxLayout(self)
        line.setContentsMargins(MARGIN, 12, MARGIN - 4, 0)
        line.setSpacing(12)
        line.addWidget(self.tile)
        line.addLayout(words, 1)
        line.addWidget(self.menu_button, 0, Qt.AlignmentFlag.AlignTop)


class FailureCard(QFrame):
    """Why a step failed, with the way to the setting that mends it."""

    field_wanted = Signal(tuple)

    def __init__(self, themes: Themes, failure: Failure, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_look(self, banner="err")
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 11, 12, 11)
        column.setSpacing(6)
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(Glyph(themes, "warning-circle-fill", "err", 15), 0, Qt.AlignmentFlag.AlignTop)
        what = _wrapped(failure.what, "heading")
        top.addWidget(what, 1)
        column.addLayout(top)
        self.setAccessibleName(" ".join(part for part in (failure.what, failure.why, failure.remedy) if part))
        for text in (failure.why, failure.remedy):
            if text:
                column.addWidget(_wrapped(text, "label"))
        buttons = QHBoxLayout()
        if failure.field:
            show = WordButton(themes, "Show the field", "crosshair")
            show.clicked.connect(lambda: self.field_wanted.emit(failure.field))
            buttons.addWidget(show)
        buttons.addStretch(1)
        column.addLayout(buttons)
        if failure.details:
            section = Section(themes, failure.details_title, open_=False)
            details = _wrapped(failure.details, "hint")
            details.setFont(themes.current.font("mono", 11.5))
            details.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            copy = WordButton(themes, "Copy", "copy", ghost=True)
            copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(failure.details))
            section.rows.setSpacing(4)
            section.rows.addWidget(details)
            section.rows.addWidget(copy)
            column.addWidget(section)


def _wrapped(text: str, look: str) -> QLabel:
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.MinimumExpanding)
    set_look(label, type=look)
    return label


class StepForm(QWidget):
    """The settings of one step. Every change is an edit of the document; what changes elsewhere is taken over in place."""

    title_changed = Signal(str)
    menu_wanted = Signal(object)
    """The step's menu is about to open: whoever has more actions adds them to this QMenu."""

    def __init__(
        self,
        document: Document,
        workspace: Workspace,
        registry: Registry,
        themes: Themes,
        preview: Preview,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setProperty("pane", "panel")
        self.around: Final = Surroundings(document, workspace, registry, themes, preview, self)
        self.around.row_actions = self._add_actions
        self.around.take_pasted = self._take_pasted
        self.setAcceptDrops(True)
        self._spec: Spec | None = None
        self._rows: dict[str, Row] = {}
        self._sections: dict[str, Section] = {}
        self._members: dict[str, list[FieldSpec]] = {}
        self._open: dict[tuple[str, str], bool] = {}
        self._problems: tuple[Problem, ...] = ()
        self._faulty: frozenset[str] = frozenset()
        self._leftover: list[Note] = []
        self._alternatives: list[Alternatives] = []
        self._told: list[Note] = []
        self._config_row: Row | None = None
        self._failure: FailureCard | None = None

        self.header: Final = Header(themes)
        self.tabs: Final = Segments(themes, _TABS, height=28)
        self.tabs.setAccessibleName("What of the step is shown")
        self.tabs.choose(0)
        self._pages = QStackedWidget()
        self._settings_page, self._settings = new_page()
        self._retry_page, retry_column = new_page()
        self._note_page, note_column = new_page()
        self.retry: Final = RetryForm(self.around)
        retry_column.insertWidget(0, self.retry)
        self.note: Final = Row(self.around, _NOTE, LongTextField(self.around, _NOTE))
        note_column.insertWidget(0, self.note)
        for page in (self._settings_page, self._retry_page, self._note_page):
            self._pages.addWidget(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        tabs = QHBoxLayout()
        tabs.setContentsMargins(MARGIN, 10, MARGIN, 11)
        tabs.addWidget(self.tabs)
        tabs.addStretch(1)
        column.addLayout(tabs)
        column.addWidget(rule())
        column.addWidget(self._pages, 1)

        self.tabs.chosen.connect(self._pages.setCurrentIndex)
        self.header.title.renamed.connect(self._renamed)
        self.header.title.left.connect(self._title_left)
        self.header.menu_button.clicked.connect(self._open_menu)
        self.note.changed.connect(self._note_changed)
        document.changed.connect(self._document_changed)
        workspace.sample_changed.connect(self.refresh_previews)
        workspace.values_changed.connect(self.refresh_previews)
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._focus_changed)

    @property
    def step(self) -> str | None:
        """The step that is shown."""
        return self.around.step

    @property
    def rows(self) -> Mapping[str, Row]:
        """The rows of the settings, by field name; those of sections that were never opened are not made yet."""
        return self._rows

    def row(self, name: str) -> Row | None:
        """The row of a setting; the section that holds it is opened."""
        for group, members in self._members.items():
            if any(field.name == name for field in members):
                self._sections[group].open()
        found = self._rows.get(name)
        if found is not None:
            for alternatives in self._alternatives:
                alternatives.show_row(found)
        return found

    def show_step(self, step: str | None) -> None:
        """Shows a step; None, or one that is not there, shows nothing."""
        flow = self.around.flow
        if step is None or step not in flow.steps:
            self.around.step = None
            self._clear()
            return
        spec = self._find_spec(flow.steps[step].component)
        if step != self.around.step or spec is not self._spec or (spec is None and self._config_row is None):
            self._leave()
            self.around.step = step
            self._build(spec, flow.steps[step].config)
        self._refresh(flow)
        self.around.flow_changed.emit()

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Shows under the fields what is wrong with this step; problems of others are passed over."""
        mine = tuple(problem for problem in problems if problem.step == self.around.step)
        self._problems = mine
        known = self._spec.fields if self._spec is not None else ()
        placed: dict[str, list[tuple[Path, Problem]]] = {field.name: [] for field in known}
        beside: dict[str, list[tuple[Path, Problem]]] = {name: [] for name in self.retry.rows}
        leftover: list[Problem] = []
        for problem in mine:
            path = self._path_of(problem)
            if path and path[0] == "config" and len(path) > 1 and path[1] in placed:
                placed[str(path[1])].append((path[2:], problem))
            elif path[:1] == ("timeout",):
                beside["timeout"].append(((), problem))
            elif path[:1] == ("retry",) and len(path) > 1 and path[1] in beside:
                beside[str(path[1])].append((path[2:], problem))
            else:
                leftover.append(problem)
        for name, row in self._rows.items():
            row.show_problems(placed[name])
        for name, row in self.retry.rows.items():
            row.show_problems(beside[name])
        self._faulty = frozenset(
            name for name, found in placed.items() if any(problem.severity == "error" for _, problem in found)
        )
        self._show_leftover(leftover)
        self._mark_sections()

    def reveal_problems(self) -> None:
        """Shows also the required fields that are empty and were never entered: somebody tried to run."""
        for row in self._rows.values():
            row.reveal()

    def show_failure(self, failure: Failure | None) -> None:
        """Shows above the settings why the step failed, or nothing."""
        if self._failure is not None:
            self._settings.removeWidget(self._failure)
            self._failure.deleteLater()
            self._failure = None
        if failure is not None:
            self._failure = FailureCard(self.around.themes, failure)
            self._failure.field_wanted.connect(self.focus_field)
            self._settings.insertWidget(0, self._failure)

    def refresh_previews(self, *_: object) -> None:
        """Asks all previews anew: sample, test values or what comes in is another."""
        self.around.preview_outdated.emit()

    def focus_field(self, path: Path | str = ()) -> None:
        """Opens what hides a setting and puts the cursor into it; without a path, into the first."""
        keys = self._keys_of(path) if isinstance(path, str) else tuple(path)
        if keys and keys[0] in ("retry", "timeout"):
            self.show_tab(1)
            beside = self.retry.rows.get(str(keys[-1])) or self.retry.rows["attempts"]
            beside.enter()
            self._retry_page.ensureWidgetVisible(beside, 0, 24)
            return
        self.show_tab(0)
        row = self.row(str(keys[0])) if keys else next(iter(self._rows.values()), None)
        if row is None:
            return
        found = row.row_at(keys[1:])
        found.enter()
        self._settings_page.ensureWidgetVisible(found, 0, 24)

    def _keys_of(self, dotted: str) -> Path:
        name, _, rest = dotted.partition(".")
        row = self.row(name)
        if row is not None:
            return (name, *row.path_of(rest))
        return tuple(dotted.split(".")) if dotted else ()

    def show_tab(self, index: int) -> None:
        """Shows Settings (0), Errors & retry (1) or Notes (2)."""
        self.tabs.choose(index)
        self._pages.setCurrentIndex(index)

    def edit_title(self) -> None:
        """Lets the step's name be typed, as F2 does."""
        self.header.title.begin()

    def menu(self) -> QMenu:
        """What can be done with the step from here."""
        menu = QMenu(self)
        menu.addAction("Rename\tF2", self.edit_title)
        step = self.around.step
        if step is not None:
            disabled = self.around.flow.steps[step].disabled
            menu.addAction("Enable" if disabled else "Disable", lambda: self._set_step("disabled", not disabled))
        if self._is_request:
            menu.addSeparator()
            if is_curl(QGuiApplication.clipboard().text()):
                menu.addAction("Paste cURL command", lambda: self._take_pasted(QGuiApplication.clipboard().text()))
            menu.addAction("Copy as cURL", lambda: copy_curl(self.around, self._copied))
        self.menu_wanted.emit(menu)
        return menu

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self._matches(picked(event.mimeData())):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        found = self._matches(picked(event.mimeData()))
        if not found:
            return
        event.acceptProposedAction()
        said = "1 field" if len(found) == 1 else f"{len(found)} fields"
        menu = QMenu(self)
        menu.addAction(f"Match by name: {said}", lambda: self._match(found))
        menu.setActiveAction(menu.actions()[0])
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.mapToGlobal(event.position().toPoint()))

    def _matches(self, field: Picked | None) -> dict[str, str]:
        """What a dropped object fills in, where nothing is filled in yet."""
        step = self.around.step
        if field is None or step is None or self._spec is None or self.around.flow.steps[step].config:
            return {}
        return matches(self.around, self._spec.fields, field)

    def _match(self, found: Mapping[str, str]) -> None:
        step = self.around.step
        if step is not None:
            self.around.end_series()
            self.around.apply(SetConfig(step, (), dict(found)))
            self.around.end_series()

    @property
    def _is_request(self) -> bool:
        return self._spec is not None and self._spec.name == HTTP

    def _take_pasted(self, text: str) -> bool:
        """Makes the step what a cURL command says; False where the text is none."""
        if not self._is_request or not is_curl(text):
            return False
        try:
            found = paste_curl(
                self.around.document, self.around.workspace, self.around.registry, text, step=self.around.step
            )
        except CurlError as error:
            self._tell([("err", told(problem)) for problem in error.problems])
            return True
        self._tell([("faint", remark) for remark in found.remarks])
        return True

    def _copied(self, command: str, reason: str) -> None:
        if command:
            QGuiApplication.clipboard().setText(command)
            self._tell([("ok", "Copied as a cURL command. Secrets stand in it as $NAME.")])
        else:
            why = f"{reason[:1].upper()}{reason[1:].rstrip('.')}."
            self._tell([("err", f"The settings give no request on the sample. {why}")])

    def _tell(self, notes: list[tuple[Tone, str]]) -> None:
        """Says above the settings what became of a command; another step takes it away."""
        for note in self._told:
            self._settings.removeWidget(note)
            note.deleteLater()
        self._told = [Note(self.around.themes, tone, text) for tone, text in notes]
        for number, note in enumerate(self._told):
            self._settings.insertWidget(number, note)

    def told(self) -> list[str]:
        """What is said above the settings of a command that was pasted or copied."""
        return [note.text for note in self._told]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Undo):
            self.around.undo()
        elif event.matches(QKeySequence.StandardKey.Redo):
            self.around.redo()
        elif event.key() == Qt.Key.Key_F2 and self.around.step is not None:
            self.edit_title()
        else:
            super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        return QSize(356, 600)

    def _leave(self) -> None:
        """Lets the field with the focus finish, while it is still clear which step it is about."""
        focused = QApplication.focusWidget()
        if focused is not None and self.isAncestorOf(focused) and not self.around.document.is_telling:
            focused.clearFocus()
        self.around.end_series()

    def _find_spec(self, component: str) -> Spec | None:
        try:
            return self.around.registry.spec(component)
        except InvalidInputError:
            return None

    def _clear(self) -> None:
        self._spec = None
        self._alternatives, self._told = [], []
        self._rows, self._sections, self._members, self._config_row = {}, {}, {}, None
        _empty(self._settings)
        self._failure = None
        self._leftover = []
        self.header.title.show_text("")
        self.header.subtitle.clear()

    def _build(self, spec: Spec | None, config: Mapping[str, Json]) -> None:
        self._clear()
        self._spec = spec
        for page in (self._settings_page, self._retry_page, self._note_page):
            page.verticalScrollBar().setValue(0)
        if spec is None:
            self._config_row = Row(self.around, _CONFIG, JsonField(self.around, _CONFIG))
            self._config_row.changed.connect(self._config_changed)
            self._settings.insertWidget(0, self._config_row)
            return
        place = 0
        together: list[FieldSpec] = []
        for number, field in enumerate(spec.fields):
            group = _group_of(field)
            if group is not None:
                self._members.setdefault(group, []).append(field)
                continue
            together.append(field)
            after = spec.fields[number + 1] if number + 1 < len(spec.fields) else None
            if after is not None and field.one_of is not None and after.one_of == field.one_of:
                continue
            self._settings.insertWidget(place, self._make_rows(together))
            together = []
            place += 1
        for group in sorted(self._members, key=lambda name: name == ADVANCED):
            # A group in which nothing is set says nothing yet; its rows are made when it is opened.
            used = any(field.name in config for field in self._members[group])
            section = Section(self.around.themes, group, open_=self._open.get((spec.name, group), used))
            section.folded.connect(lambda on, key=(spec.name, group): self._open.update({key: on}))
            section.header.toggled.connect(lambda on, group=group: self._fill(group) if on else None)
            self._sections[group] = section
            self._settings.insertWidget(place, section)
            place += 1
            if section.is_open:
                self._fill(group)
        if not spec.fields:
            hint = _wrapped("This step has no settings.", "hint")
            self._settings.insertWidget(0, hint)

    def _make_rows(self, fields: list[FieldSpec]) -> QWidget:
        """The row of a field; the rows of those of which one is filled in stand together."""
        rows = [self._make_row(field) for field in fields]
        if len(rows) == 1:
            return rows[0]
        made = Alternatives(self.around, rows)
        made.cleared.connect(self._clear_rows)
        self._alternatives.append(made)
        return made

    def _clear_rows(self, rows: list[Row]) -> None:
        key = self.around.step
        if key is not None:
            self.around.end_series()
            edits = tuple(ClearConfig(key, (row.spec.name,)) for row in rows)
            self.around.apply(edits[0] if len(edits) == 1 else Several("choose another setting", edits))
            self.around.end_series()

    def _make_row(self, field: FieldSpec) -> Row:
        row = make_row(self.around, field)
        row.changed.connect(lambda path, value, name=field.name: self._changed(name, path, value))
        row.problems_changed.connect(self._mark_sections)
        self._rows[field.name] = row
        return row

    def _fill(self, group: str) -> None:
        """Makes the rows of a section that is opened for the first time."""
        key = self.around.step
        made = [self._make_row(field) for field in self._members[group] if field.name not in self._rows]
        for row in made:
            self._sections[group].rows.addWidget(row)
            row.show()  # the layout would do it later, and the cursor may be wanted in it now
            if key is not None and key in self.around.flow.steps:
                row.show_value(self.around.flow.steps[key].config.get(row.spec.name, ABSENT))
        if made:
            self.show_problems(self._problems)

    def _refresh(self, flow: Flow) -> None:
        key = self.around.step
        if key is None:
            return
        step = flow.steps[key]
        title = flow.title_of(key)
        self.header.title.show_text(step.name or key if self.header.title.isReadOnly() else step.name or "")
        self.header.title.setPlaceholderText(key)
        if self._spec is None:
            self.header.subtitle.setText(f"Not installed · {step.component}")
            self.header.tile.show_icon("question", "Logic")
        else:
            self.header.subtitle.setText(f"{self._spec.category} · {self._spec.title}")
            self.header.tile.show_icon(self._spec.icon, self._spec.category)
        self.header.setAccessibleName(title)
        for name, row in self._rows.items():
            row.show_value(step.config.get(name, ABSENT))
        for alternatives in self._alternatives:
            alternatives.refresh()
        if self._config_row is not None:
            self._config_row.show_value(dict(step.config) if step.config else ABSENT)
        self.retry.show_values(step)
        self.note.show_value(ABSENT if step.note is None else step.note)

    def _document_changed(self, *_: object) -> None:
        flow = self.around.flow
        key = self.around.step
        if key is None:
            return
        if key not in flow.steps:
            self.show_step(None)
            return
        spec = self._find_spec(flow.steps[key].component)
        if spec is not self._spec:
            self._build(spec, flow.steps[key].config)
        self._refresh(flow)
        self.around.flow_changed.emit()

    def _changed(self, name: str, path: Path, value: Json) -> None:
        key = self.around.step
        if key is None or key not in self.around.flow.steps:
            return
        place = (name, *path)
        if value is ABSENT:
            if take(self.around.flow.steps[key].config, place) is not ABSENT:
                self.around.apply(ClearConfig(key, place))
        else:
            self.around.apply(SetConfig(key, place, value))

    def _config_changed(self, path: Path, value: Json) -> None:
        key = self.around.step
        if key is not None and (value is ABSENT or isinstance(value, dict)):
            self.around.apply(ClearConfig(key, ()) if value is ABSENT else SetConfig(key, (), value))

    def _note_changed(self, path: Path, value: Json) -> None:
        self._set_step("note", None if value is ABSENT else value)

    def _renamed(self, name: str) -> None:
        self._set_step("name", name.strip() or None)
        self.title_changed.emit(name)

    def _title_left(self) -> None:
        self.around.end_series()
        if self.around.step in self.around.flow.steps:
            self._refresh(self.around.flow)

    def _set_step(self, field: str, value: Json) -> None:
        key = self.around.step
        if key is not None and key in self.around.flow.steps:
            self.around.apply(SetStep(key, field, value))

    def _open_menu(self) -> None:
        menu = self.menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        button = self.header.menu_button
        menu.popup(button.mapToGlobal(QPoint(button.width() - menu.sizeHint().width(), button.height() + 2)))

    def _add_actions(self, menu: QMenu, row: QWidget) -> None:
        key = self.around.step
        path = self.path_of(row) if isinstance(row, Row) else None
        if key is not None and path is not None and isinstance(row, Row):
            offer_variable(self.around, menu, key, path, row)

    def path_of(self, row: Row) -> Path | None:
        """The path of a row's value in the step's config; None for a row that shows something else."""
        keys: list[PathKey] = []
        part, here = row, row.parentWidget()
        while here is not None and here is not self:
            if isinstance(here, Row):
                found = next((key for key, inner in here.field.rows().items() if inner is part), None)
                if found is None:
                    return None
                keys.insert(0, found)
                part = here
            here = here.parentWidget()
        if here is None or self._rows.get(part.spec.name) is not part:
            return None
        return (part.spec.name, *keys)

    def _path_of(self, problem: Problem) -> tuple[PathKey, ...]:
        """Where in the step a problem lies: `("config", "headers", "Accept")`."""
        head = ("steps", problem.step)
        if problem.path[:2] == head:
            return problem.path[2:]
        if not problem.field:
            return ()
        name, _, rest = problem.field.partition(".")
        row = self._rows.get(name)
        keys: Path = (name, *row.path_of(rest)) if row is not None else (name,)
        return tuple(problem.field.split(".")) if name in ("retry", "timeout", "component") else ("config", *keys)

    def _show_leftover(self, problems: list[Problem]) -> None:
        for note in self._leftover:
            self._settings.removeWidget(note)
            note.deleteLater()
        self._leftover = []
        start = 0 if self._failure is None else 1
        for number, problem in enumerate(problems):
            note = Note(self.around.themes, "err" if problem.severity == "error" else "warn", told(problem))
            self._settings.insertWidget(start + number, note)
            self._leftover.append(note)

    def leftover(self) -> list[str]:
        """The problems of the step that belong to none of its fields."""
        return [note.text for note in self._leftover]

    def _mark_sections(self) -> None:
        for group, section in self._sections.items():
            section.header.set_wrong(any(self._is_wrong(field.name) for field in self._members[group]))

    def _is_wrong(self, name: str) -> bool:
        row = self._rows.get(name)
        return name in self._faulty if row is None else row.has_problems()

    def _focus_changed(self, old: QWidget | None, new: QWidget | None) -> None:
        for widget in (old, new):
            here = widget
            while here is not None and here is not self:
                if isinstance(here, Row):
                    here.show_tools()
                here = here.parentWidget()


def _group_of(field: FieldSpec) -> str | None:
    return ADVANCED if field.advanced else field.group


def new_page() -> tuple[QScrollArea, QVBoxLayout]:
    """A page that scrolls, and the column of rows in it; a stretch stands at the column's end."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    inside = QWidget()
    inside.setProperty("transparent", True)
    column = QVBoxLayout(inside)
    column.setContentsMargins(MARGIN, 16, MARGIN, 24)
    column.setSpacing(GAP)
    column.addStretch(1)
    area.setWidget(inside)

    def keep_width(lowest: int, highest: int) -> None:
        # The bar takes its room from the margin: fields must not change their width when it comes.
        bar = area.verticalScrollBar().sizeHint().width() if highest > lowest else 0
        column.setContentsMargins(MARGIN, 16, max(2, MARGIN - bar), 24)

    area.verticalScrollBar().rangeChanged.connect(keep_width)
    return area, column


def rule() -> QFrame:
    """A line from side to side."""
    line = QFrame()
    set_look(line, rule="h")
    return line


def _empty(column: QVBoxLayout) -> None:
    """Takes all widgets out of a page; the stretch at its end stays."""
    while column.count() > 1:
        item = column.takeAt(0)
        widget = item.widget() if item is not None else None
        if widget is not None:
            widget.hide()
            widget.setParent(None)
            widget.deleteLater()
