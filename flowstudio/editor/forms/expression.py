"""Editors of expressions and of texts with `{{ }}`: the `fx` tab, the live preview, faults and advice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QVBoxLayout, QWidget
from shiboken6 import isValid

from flowstudio.editor.forms.chips import ChipInput, Language
from flowstudio.editor.forms.completion import Completion
from flowstudio.editor.forms.controls import SEGMENTS_HEIGHT
from flowstudio.editor.forms.dropping import take_dropped
from flowstudio.editor.forms.field import Field, Path, Row
from flowstudio.editor.forms.frame import TAB_WIDTH, Frame, Tab
from flowstudio.editor.forms.notes import Note, Tone
from flowstudio.editor.forms.paths import Origins, braces
from flowstudio.editor.forms.preview import Previewed, PreviewLine
from flowstudio.editor.forms.suggestions import Misnamed, misnamed
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.editor.forms.texts import VALIDATE_AFTER_MS, placeholder, why_not_address
from flowstudio.editor.picked import picked
from flowstudio.errors import ExpressionError, PathKey
from flowstudio.expressions.advice import Advice, advise, may_collapse
from flowstudio.expressions.braces import Brace, braces_of, scan
from flowstudio.expressions.language import compile_expression
from flowstudio.expressions.names import written
from flowstudio.expressions.nothing import MISSING
from flowstudio.expressions.text import compile_text
from flowstudio.flow.jsonvalue import same
from flowstudio.flow.model import ABSENT, Json
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.spec import FieldSpec

PREVIEW_AFTER_MS: Final = 150
"""How long after the last key an expression is tried on the sample."""

_MOST_MISNAMED: Final = 3
"""So many names that the sample does not have are told about at a time."""

_NO_SAMPLE_VALUE: Final = "There is no single value on the sample that could stand here instead."


class ExpressionBox(QWidget):
    """A framed input with its preview line and its advice: what all kinds of expression fields are made of."""

    typed = Signal(str)
    left = Signal()
    tab_pressed = Signal()
    """The `fx` tab was clicked, or Ctrl+Shift+E pressed."""
    faulted = Signal(str)
    """Why the text does not compile; nothing once it does."""
    dropped = Signal(str)
    """The expression of a field that was dropped where it cannot simply be inserted: in a plain text."""

    def __init__(
        self,
        around: Surroundings,
        language: Language,
        *,
        breaks: bool = True,
        rows: tuple[int, int] = (1, 12),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._around = around
        self._asked = 0
        self._notes: list[Note] = []
        self._noted: list[tuple[Tone, str, tuple[str, ...]]] = []
        self._reason = ""
        self._misnamed: list[Misnamed] = []
        self._advised: tuple[tuple[str, Language], list[Advice]] = (("", "plain"), [])
        self._own_fault: tuple[int, int] | None = None
        self._compiles = True
        self._marked: tuple[tuple[int, int], ...] = ()
        self.input: Final = ChipInput(around.themes, language, breaks=breaks, rows=rows)
        self.frame: Final = Frame(around.themes, self.input)
        self.line: Final = PreviewLine(around.themes)
        self.line.hide()
        self.completion: Final = Completion(around, self.input)
        self.setFocusProxy(self.input)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addWidget(self.frame)
        self._column.addSpacing(1)
        self._column.addWidget(self.line)
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self.check)
        self.input.typed.connect(self._typed)
        self.input.left.connect(self.left)
        self.input.switch_wanted.connect(self.tab_pressed)
        self.tab.clicked.connect(self._tab_clicked)
        around.flow_changed.connect(self._renew_origins)
        around.preview_outdated.connect(self._ask_again)
        around.sample.changed.connect(self._look_at_names)
        self.input.field_dropped.connect(lambda field: take_dropped(around, field, self.input, self.put_field))
        self._renew_origins()

    @property
    def tab(self) -> Tab:
        """The tab at the left."""
        assert self.frame.tab is not None
        return self.frame.tab

    @property
    def text(self) -> str:
        """The text as it stands there."""
        return self.input.text()

    @property
    def compiles(self) -> bool:
        """Whether the text compiled when it was looked at last."""
        return self._compiles

    def show_text(self, text: str, language: Language | None = None) -> None:
        """Shows another text, which may be of another language."""
        changed = text != self.input.text() or (language is not None and language != self.input.language)
        if language is not None:
            self.input.set_language(language)
        self.input.show_text(text)
        if changed:
            self.line.clear()
            self._timer.start(0)

    def mark(self, spans: Sequence[tuple[int, int]]) -> None:
        """Underlines faults that were found elsewhere."""
        self._marked = tuple(spans)
        self._show_faults()

    def check(self) -> None:
        """Compiles the text and asks for its value on the sample, now."""
        self._timer.stop()
        self._asked += 1
        text = self.text
        expression, error = _read(text, self.input.language)
        self._own_fault = None
        self._misnamed = self._find_misnamed()
        self._compiles = error is None
        if error is not None:
            if error.position is not None:
                self._own_fault = (error.position, error.position + 1)
            self.line.show_result(Previewed(reason=error.message))
            self.line.setVisible(self.line.value is not MISSING)
            # Advice with a button says what to do; it need not be said twice.
            advised = bool(self._advise())
            self.faulted.emit(_sentence(error.message, "" if advised else error.remedy))
        else:
            self.faulted.emit("")
            if expression is None:
                self.line.clear()
                self.line.hide()
            else:
                asked = self._asked
                self.line.show()
                self._around.preview(expression, lambda result: self._answered(asked, result))
        self._reason = ""
        self._show_faults()
        self._show_notes()

    def _answered(self, asked: int, result: Previewed) -> None:
        # The form may have gone on to another step while the engine was thinking.
        if asked != self._asked or not isValid(self):
            return
        self.line.show_result(result)
        self.line.setVisible(not result.reason or self.line.value is not MISSING)
        self._reason = _sentence(result.reason, result.remedy)
        if result.position is not None and self.input.language == "expression":
            self._own_fault = (result.position, result.position + 1)
            self._show_faults()
        self._show_notes()

    def put_field(self, source: str) -> None:
        """Writes the expression of a field at the cursor, in braces where the text needs them."""
        language = self.input.language
        if language == "plain":
            self.dropped.emit(source)
            return
        text, cursor = self.text, self.input.cursor_place()
        inside = any(
            begin + 2 <= cursor <= (end - 2 if text.endswith("}}", 0, end) else end) for begin, end in braces(text)
        )
        self.input.insert(source if language == "expression" or inside else f"{{{{ {source} }}}}")
        self.input.setFocus(Qt.FocusReason.OtherFocusReason)

    def misnamed(self) -> list[Misnamed]:
        """The names in it that the sample does not have."""
        return list(self._misnamed)

    def _find_misnamed(self) -> list[Misnamed]:
        text, language = self.text, self.input.language
        if language == "plain" or not text.strip():
            return []
        if language == "expression":
            return misnamed(text, self._around.sample.known)
        found: list[Misnamed] = []
        for begin, end in braces(text):
            if text.endswith("}}", 0, end) and end - begin >= 4:
                found += misnamed(text, self._around.sample.known, begin + 2, end - 2)
        return found

    def _look_at_names(self) -> None:
        # What is being typed is looked at when it is tried: half a name is not misnamed.
        if not self._timer.isActive() and self.isVisibleTo(self.window()):
            self._misnamed = self._find_misnamed()
            self._show_faults()
            self._show_notes()

    def _typed(self, text: str) -> None:
        self._timer.start(PREVIEW_AFTER_MS)
        self._marked = ()
        self._own_fault = None
        self._misnamed = []
        self._show_faults()
        self.typed.emit(text)

    def _tab_clicked(self) -> None:
        self.input.setFocus(Qt.FocusReason.OtherFocusReason)
        self.tab_pressed.emit()

    def _ask_again(self) -> None:
        if self.isVisibleTo(self.window()):
            self._timer.start(PREVIEW_AFTER_MS)

    def _renew_origins(self) -> None:
        self.input.set_origins(Origins(self._around.flow, self._around.registry, self._around.step))

    def _show_faults(self) -> None:
        own = () if self._own_fault is None else (self._own_fault,)
        self.input.set_faults(own or self._marked)
        self.input.set_doubts((each.start, each.end) for each in self._misnamed)

    def _show_notes(self) -> None:
        advice = self._advise()
        wanted: list[tuple[Tone, str, tuple[str, ...]]] = []
        if self._reason:
            wanted.append(("err", self._reason, ()))
        wanted += [("accent", each.message, ("Change it",)) for each in advice]
        wanted += [("warn", _told_misnamed(each), each.nearest) for each in self._misnamed[:_MOST_MISNAMED]]
        if wanted == self._noted:
            return
        self._noted = wanted
        for note in self._notes:
            self._column.removeWidget(note)
            note.deleteLater()
        self._notes = []
        fixes: list[Advice | Misnamed | None] = [
            *([None] if self._reason else []),
            *advice,
            *self._misnamed[:_MOST_MISNAMED],
        ]
        for (tone, message, actions), fix in zip(wanted, fixes, strict=True):
            self._add_note(tone, message, actions, fix)

    def _advise(self) -> list[Advice]:
        """What is advised about the text; looked for once, for it is told before and after the preview."""
        about = (self.text, self.input.language)
        if self._advised[0] != about:
            self._advised = (about, _advice(*about))
        return self._advised[1]

    def _add_note(self, tone: Tone, message: str, actions: tuple[str, ...], fix: Advice | Misnamed | None) -> None:
        if isinstance(fix, Misnamed):
            note = Note(self._around.themes, tone, message, choices=actions)
            note.chosen.connect(lambda name: self._replace(fix.start, fix.end, written(name)))
        else:
            note = Note(self._around.themes, tone, message, actions[0] if actions else "")
        if isinstance(fix, Advice):
            note.pressed.connect(lambda: self._replace(*fix.span, fix.replacement))
        note.setContentsMargins(0, 2, 0, 0)
        self._column.addWidget(note)
        self._notes.append(note)

    def notes(self) -> list[Note]:
        """The reason of a failed preview and the advice under the field."""
        return list(self._notes)

    def _replace(self, start: int, end: int, text: str) -> None:
        """Puts what was advised in the place of what stands there, as one step of undo."""
        self._around.end_series()
        self.input.replace(start, end, text)
        self._around.end_series()
        self.completion.close()
        self.input.setFocus(Qt.FocusReason.OtherFocusReason)
        self.check()


def _told_misnamed(each: Misnamed) -> str:
    return f"{each.name} is not in this sample. Did you mean one of these?"


def _sentence(message: str, remedy: str) -> str:
    parts = [part.strip().rstrip(".") for part in (message, remedy) if part.strip()]
    return " ".join(f"{part[:1].upper()}{part[1:]}." for part in parts)


def _read(text: str, language: Language) -> tuple[str | None, ExpressionError | None]:
    """The expression to try on the sample, or why there is none."""
    if not text.strip() or language == "plain":
        return None, None
    try:
        if language == "expression":
            compile_expression(text)
            return text, None
        if not braces(text):
            return None, None
        compile_text(text)
    except ExpressionError as error:
        return None, error
    return as_expression(text), None


def as_expression(text: str) -> str:
    """An expression that gives what a text with `{{ }}` is on a message: for its preview."""
    parts = scan(text)
    if len(parts) == 1 and isinstance(parts[0], Brace):
        return parts[0].expression
    # In a longer text null is no text, where `&` would write "null".
    return " & ".join(
        f"($part := ({part.expression}); $part = null ? '' : $part)"
        if isinstance(part, Brace)
        else json.dumps(part, ensure_ascii=False)
        for part in parts
    )


def literal_text(source: str) -> str | None:
    """The text that an expression is, when it is nothing but a literal text; else None."""
    if source.strip()[:1] not in ('"', "'"):
        return None
    try:
        constant = compile_expression(source).constant
    except ExpressionError:
        return None
    return constant if isinstance(constant, str) else None


def _advice(text: str, language: Language) -> list[Advice]:
    if not text.strip() or language == "plain":
        return []
    if language == "expression":
        found = list(advise(text))
        collapse = may_collapse(text)
        return [*found, *([collapse] if collapse is not None and not found else [])]
    found = []
    for start, end in braces(text):
        inside = text[start + 2 : max(start + 2, end - 2)]
        found += [
            Advice((start + 2 + each.span[0], start + 2 + each.span[1]), each.message, each.replacement)
            for each in advise(inside)
        ]
    return found


class ExpressionField(Field):
    """Bare JSONata. One that is only a literal text shows as that text, with `Abc` on the tab."""

    def __init__(self, around: Surroundings, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self.spec = spec
        self._value: Json = ABSENT
        self._chosen: Literal["expression", "plain"] | None = None
        self.box: Final = ExpressionBox(around, "expression")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.box)
        self.setFocusProxy(self.box.input)
        self.box.typed.connect(self._typed)
        self.box.left.connect(self._left)
        self.box.tab_pressed.connect(self._switch)
        self.box.faulted.connect(self.faulted)
        self.box.dropped.connect(self._dropped)
        self.box.input.menu_opening.connect(self.menu_opening)
        self.box.input.setPlaceholderText(placeholder(spec))
        self._show_tab()

    @property
    def plain(self) -> bool:
        """Whether it shows a literal text as it is."""
        return self.box.input.language == "plain"

    def show_value(self, value: Json) -> None:
        if same(value, self._value):
            return
        self._value = value
        self._show()

    def set_invalid(self, invalid: bool) -> None:
        self.box.frame.set_invalid(invalid)

    def mark(self, spans: Sequence[tuple[int, int]]) -> None:
        self.box.mark([] if self.plain else spans)

    def _source(self) -> str:
        if self._value is ABSENT or self._value is None:
            return ""
        return self._value if isinstance(self._value, str) else json.dumps(self._value, ensure_ascii=False)

    def _show(self) -> None:
        source = self._source()
        literal = literal_text(source)
        plain = self._chosen == "plain" and (literal is not None or not source)
        if self._chosen is None:
            plain = literal is not None
        self.box.show_text((literal or "") if plain else source, "plain" if plain else "expression")
        self._show_tab()

    def _show_tab(self) -> None:
        self.box.tab.set_lit(not self.plain, "Abc" if self.plain else "fx")
        told = "a text; click for an expression" if self.plain else "an expression; click for a plain text"
        self.box.tab.setToolTip(f"This is {told} (Ctrl+Shift+E)")
        self.box.tab.setAccessibleName("Expression" if not self.plain else "Text")

    def _typed(self, text: str) -> None:
        if self.plain:
            self._chosen = "plain"
            value: Json = json.dumps(text, ensure_ascii=False) if text else ABSENT
        else:
            self._chosen = "expression"
            value = text if text.strip() else ABSENT
        self._put(value)

    def _put(self, value: Json) -> None:
        self._value = value
        self.changed.emit((), value)

    def _dropped(self, source: str) -> None:
        """A field that is dropped into a plain text makes an expression of it: the text, and then the field."""
        literal = literal_text(self._source())
        self._chosen = "expression"
        self._put(f"{json.dumps(literal, ensure_ascii=False)} & {source}" if literal else source)
        self._show()

    def _left(self) -> None:
        self._chosen = None
        self._show()
        self.left.emit()

    def _switch(self) -> None:
        source = self._source()
        if self.plain:
            self._chosen = "expression"
        elif not source.strip() or literal_text(source) is not None:
            self._chosen = "plain"
        else:
            value = self.box.line.value
            if value is MISSING or isinstance(value, dict | list):
                self.box.tab.setToolTip(_NO_SAMPLE_VALUE)
                return
            self.around.end_series()
            self._chosen = "plain"
            self._put(json.dumps(value, ensure_ascii=False))
            self.around.end_series()
        self._show()


class TextField(Field):
    """A text in which `{{ }}` may stand anywhere."""

    def __init__(self, around: Surroundings, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self.spec = spec
        self._value: Json = ABSENT
        long = spec.form == "long-text" or spec.widget == "long-text"
        self.box: Final = ExpressionBox(around, "text", breaks=long, rows=(3, 12) if long else (1, 12))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.box)
        self.setFocusProxy(self.box.input)
        self.box.typed.connect(self._typed)
        self.box.left.connect(self.left)
        self.box.tab_pressed.connect(self._insert_braces)
        self.box.faulted.connect(self._faulted)
        self.box.input.menu_opening.connect(self.menu_opening)
        self._timer = QTimer(self, singleShot=True, interval=VALIDATE_AFTER_MS)
        self._timer.timeout.connect(self._validate)
        self.box.tab.setToolTip("Insert a value (Ctrl+Shift+E)")
        self.box.tab.setAccessibleName("Insert a value")
        self.box.input.setPlaceholderText(placeholder(spec))
        if spec.widget == "url":
            self.box.input.take_pasted = self._take_pasted
        self._show_tab("")

    def show_value(self, value: Json) -> None:
        if same(value, self._value):
            return
        self._value = value
        shown = "" if value is ABSENT or value is None else value if isinstance(value, str) else json.dumps(value)
        self.box.show_text(shown)
        self.box.input.setPlaceholderText("Empty text" if value == "" else placeholder(self.spec))
        self._show_tab(shown)
        self._validate()

    def set_invalid(self, invalid: bool) -> None:
        self.box.frame.set_invalid(invalid)

    def mark(self, spans: Sequence[tuple[int, int]]) -> None:
        self.box.mark(spans)

    def _show_tab(self, text: str) -> None:
        self.box.tab.set_lit("{{" in text)

    def _typed(self, text: str) -> None:
        value: Json = text or ABSENT
        self._value = value
        self._timer.start()
        self._show_tab(text)
        self.changed.emit((), value)

    def _faulted(self, reason: str) -> None:
        if reason:
            self.faulted.emit(reason)
        else:
            self._validate()

    def _validate(self) -> None:
        """Looks at an address that is written out; one with values in it is known when a message comes."""
        self._timer.stop()
        if "{{" not in self.box.text:
            self.faulted.emit(why_not_address(self.spec.widget, self.box.text))
        elif self.box.compiles:
            self.faulted.emit("")

    def _take_pasted(self, text: str) -> bool:
        return self.around.take_pasted is not None and self.around.take_pasted(text)

    def _insert_braces(self) -> None:
        chosen = self.box.input.textCursor().selectedText()
        self.box.input.insert("{{ " + chosen + " }}", back=3)


class BracedField(Field):
    """A value of its own type, or exactly one `{{ }}` in its place; the other widget is `inner`.

    For a value the `fx` tab turns the expression on; for what is fixed when values are bound, `fx` offers variables.
    """

    def __init__(self, around: Surroundings, spec: FieldSpec, inner: Field, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self.spec = spec
        self.inner: Final = inner
        self.inline = inner.inline and spec.kind is not Kind.VALUE
        self._static = spec.kind is not Kind.VALUE
        self._value: Json = ABSENT
        self._shown = False
        self._on = False
        self._box: ExpressionBox | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._beside: Tab | None = None
        self._plain: QWidget = inner
        if spec.kind is Kind.VALUE and not inner.has_tab:
            self._plain = self._with_tab(inner)
        self._column.addWidget(self._plain)
        self._fx: QToolButton | None = None
        inner.changed.connect(self._inner_changed)
        inner.left.connect(self.left)
        inner.faulted.connect(self.faulted)
        inner.menu_opening.connect(self.menu_opening)
        inner.braces_typed.connect(self._turn_on)
        inner.expression_wanted.connect(self._offer_variables if self._static else self._switch)
        self.setAcceptDrops(not self._static)
        self.setFocusProxy(inner.focusProxy() or inner)

    @property
    def on(self) -> bool:
        """Whether an expression stands there."""
        return self._on

    @property
    def box(self) -> ExpressionBox:
        """The editor of the expression; made when it is first needed."""
        if self._box is None:
            self._box = ExpressionBox(self.around, "expression")
            self._box.tab.set_lit(True)
            self._box.tab.setToolTip("Choose a variable" if self._static else "A fixed value instead (Ctrl+Shift+E)")
            self._box.tab.setAccessibleName("Expression")
            self._box.typed.connect(self._typed)
            self._box.left.connect(self._box_left)
            self._box.tab_pressed.connect(self._offer_variables if self._static else self._switch)
            self._box.faulted.connect(self.faulted)
            self._box.hide()
            self._column.addWidget(self._box)
        return self._box

    def show_value(self, value: Json) -> None:
        if self._shown and same(value, self._value):
            return
        self._shown = True
        self._value = value
        inside = braces_of(value) if isinstance(value, str) and self.spec.form != "code" else None
        if inside is None:
            self._show_on(False)
            self.inner.show_value(value)
        else:
            self._show_on(True)
            self.box.show_text(inside.strip())

    def set_name(self, name: str) -> None:
        self.inner.set_name(name)

    def set_described(self, text: str) -> None:
        self.inner.set_described(text)

    def set_invalid(self, invalid: bool) -> None:
        if self._on:
            self.box.frame.set_invalid(invalid)
        else:
            self.inner.set_invalid(invalid)

    def mark(self, spans: Sequence[tuple[int, int]]) -> None:
        if self._on and isinstance(self._value, str):
            before = len(self._value) - len(self._value.partition("{{")[2].lstrip())
            self.box.mark([(max(0, start - before), max(1, end - before)) for start, end in spans])

    def rows(self) -> Mapping[PathKey, Row]:
        return {} if self._on else self.inner.rows()

    def unfold(self, key: PathKey) -> None:
        self.inner.unfold(key)

    def header_tools(self) -> Iterable[QWidget]:
        if self.spec.kind is Kind.STATIC and self._fx is None:
            self._fx = self._fx_button()
        own = [] if self._fx is None else [self._fx]
        return [*self.inner.header_tools(), *own]

    def enter(self) -> None:
        if self._on:
            self.box.input.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self.inner.enter()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if picked(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        take_dropped(self.around, picked(event.mimeData()), self, self._choose)
        event.acceptProposedAction()

    def _with_tab(self, inner: Field) -> QWidget:
        holder = QWidget()
        line = QHBoxLayout(holder)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(8)
        self._beside = Tab(self.around.themes, alone=True)
        self._beside.setFixedSize(TAB_WIDTH, SEGMENTS_HEIGHT)
        self._beside.setToolTip("An expression instead")
        self._beside.setAccessibleName("An expression instead")
        self._beside.clicked.connect(self._switch)
        line.addWidget(self._beside, 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(inner, 1)
        return holder

    def _fx_button(self) -> QToolButton:
        button = QToolButton()
        button.setText("fx")
        button.setFont(self.around.theme.font("mono", 11, 600))
        button.setToolTip("Take the value from a variable")
        button.setAccessibleName("Take the value from a variable")
        button.setFixedSize(26, 18)
        button.setProperty("bare", "true")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(self._offer_variables)
        return button

    def _show_on(self, on: bool) -> None:
        if on == self._on:
            return
        had_focus = self.inner.isAncestorOf(self.window().focusWidget() or self) if self.window() else False
        self._on = on
        self.box.setVisible(on)
        self._plain.setVisible(not on)
        proxy = self.box.input if on else (self.inner.focusProxy() or self.inner)
        self.setFocusProxy(proxy)
        if had_focus and on:
            self.box.input.setFocus(Qt.FocusReason.OtherFocusReason)
        self.faulted.emit("")

    def _turn_on(self, text: str) -> None:
        """Turns the expression on with what was typed: `{{`, or a whole `{{ }}` that was pasted."""
        inside = text.strip().removeprefix("{{").removesuffix("}}").strip()
        self._show_on(True)
        self.box.show_text(inside)
        self.box.input.setFocus(Qt.FocusReason.OtherFocusReason)
        self.box.input.moveCursor(self.box.input.textCursor().MoveOperation.End)
        if inside:
            self._typed(inside)

    def _switch(self) -> None:
        if not self._on:
            known = self._value if self._value is not ABSENT else self.spec.default
            self._show_on(True)
            self.box.show_text("" if known in (ABSENT, None) else json.dumps(known, ensure_ascii=False))
            self.box.input.setFocus(Qt.FocusReason.OtherFocusReason)
            self.box.input.selectAll()
            return
        self._take_value()

    def _take_value(self) -> None:
        """Puts the value on the sample in the place of the expression, as one step of undo."""
        value = self._box.line.value if self._box is not None else MISSING
        try:
            if value is MISSING:
                raise ValueError
            self.spec.validate(value)
        except ValueError:
            value = ABSENT
        self.around.end_series()
        self._value = value
        self._show_on(False)
        self.inner.show_value(value)
        self.inner.enter()
        self.changed.emit((), value)
        self.around.end_series()

    def _typed(self, text: str) -> None:
        self._value = "{{ " + text.strip() + " }}" if text.strip() else ABSENT
        self.changed.emit((), self._value)

    def _box_left(self) -> None:
        if not self.box.text.strip():
            self._show_on(False)
            self.inner.show_value(self._value)
        self.left.emit()

    def _inner_changed(self, path: Path, value: Json) -> None:
        if not path:
            self._value = value
        self.changed.emit(path, value)

    def _offer_variables(self) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.add_variables(menu)
        under = self.box.tab if self._on else self._fx if self._fx is not None and self._fx.isVisible() else self.inner
        menu.popup(under.mapToGlobal(QPoint(0, under.height() + 2)))

    def add_variables(self, menu: QMenu) -> None:
        """Fills a menu with what a fixed value may be taken from."""
        for name, variable in self.around.flow.variables.items():
            title = f"{variable.title}    $vars.{name}" if variable.title else f"$vars.{name}"
            menu.addAction(title.replace("&", "&&"), self._chooser(f"$vars.{name}"))
        if menu.actions():
            menu.addSeparator()
        menu.addAction("The customer's id    $customer.id", self._chooser("$customer.id"))
        menu.addAction("The customer's name    $customer.name", self._chooser("$customer.name"))
        if self._on:
            menu.addSeparator()
            menu.addAction("Fixed value", self._take_value)

    def _chooser(self, source: str) -> Callable[[], None]:
        return lambda: self._choose(source)

    def _choose(self, source: str) -> None:
        self.around.end_series()
        self._show_on(True)
        self.box.show_text(source)
        self._typed(source)
        self.around.end_series()
        self.box.input.setFocus(Qt.FocusReason.OtherFocusReason)
