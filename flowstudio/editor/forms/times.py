"""Fields for dates, moments with their zone, and lengths of time."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from PySide6.QtCore import QDate, QPoint, Qt
from PySide6.QtWidgets import QCalendarWidget, QFrame, QHBoxLayout, QVBoxLayout, QWidget

from flowstudio.editor.forms.choices import Combo
from flowstudio.editor.forms.controls import IconButton
from flowstudio.editor.forms.field import Field
from flowstudio.editor.forms.frame import Frame
from flowstudio.editor.forms.lines import LineInput
from flowstudio.editor.forms.numbers import number_from, number_text
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.editor.forms.texts import placeholder
from flowstudio.flow.jsonvalue import same
from flowstudio.flow.model import ABSENT, Json
from flowstudio.sdk.spec import FieldSpec

_UNITS: Final = (("seconds", 1), ("minutes", 60), ("hours", 3_600), ("days", 86_400))
_MOMENT: Final = "%Y-%m-%d %H:%M"


class MomentField(Field):
    """A date, or a date with time and zone; stored as ISO 8601 writes it."""

    def __init__(self, around: Surroundings, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self.spec = spec
        self._value: Json = ABSENT
        self._timed = spec.annotation is not date
        self.input: Final = LineInput()
        self.input.setPlaceholderText(spec.placeholder or ("2025-03-14 09:30" if self._timed else "2025-03-14"))
        self.frame: Final = Frame(around.themes, self.input, tab=False)
        self.calendar_button: Final = IconButton(around.themes, "calendar-blank", "Choose a day", side=24, size=15)
        self.calendar_button.clicked.connect(self._open_calendar)
        self.frame.add_tool(self.calendar_button)
        self.zone: Final = Combo(searchable=True) if self._timed else None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.frame)
        if self.zone is not None:
            self.zone.setAccessibleName("Time zone")
            self.zone.addItems(["UTC", *sorted(available_timezones() - {"UTC"})])
            self.zone.activated.connect(lambda _: self._typed(self.input.text()))
            self.zone.left.connect(self.left)
            column.addWidget(self.zone)
        self.setFocusProxy(self.input)
        self.input.textEdited.connect(self._typed)
        self.input.left.connect(self.left)
        self.input.menu_opening.connect(self.menu_opening)

    def show_value(self, value: Json) -> None:
        if same(value, self._value):
            return
        self._value = value
        self.faulted.emit("")
        if not isinstance(value, str):
            self.input.show_text("")
            return
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.input.show_text(value)
            return
        if self.zone is None or moment.tzinfo is None:
            self.input.show_text(value if self.zone is None else moment.strftime(_MOMENT))
            return
        zone = _zone(self.zone.currentText()) if self.zone.currentIndex() >= 0 else None
        if zone is None or moment.replace(tzinfo=zone).utcoffset() != moment.utcoffset():
            # The file keeps the offset, not the zone's name: another one is shown only where the chosen one differs.
            name = "UTC" if not moment.utcoffset() else _offset_name(moment)
            if self.zone.findText(name) < 0:
                self.zone.insertItem(0, name)
            self.zone.setCurrentIndex(self.zone.findText(name))
        self.input.show_text(moment.strftime(_MOMENT if not moment.second else "%Y-%m-%d %H:%M:%S"))

    def set_invalid(self, invalid: bool) -> None:
        self.frame.set_invalid(invalid)

    def _typed(self, text: str) -> None:
        if text.lstrip().startswith("{{"):
            self.braces_typed.emit(text)
            return
        if not text.strip():
            self._put(ABSENT)
            return
        try:
            if self.zone is None:
                self._put(date.fromisoformat(text.strip()).isoformat())
                return
            moment = datetime.fromisoformat(text.strip())
        except ValueError:
            example = "2025-03-14 09:30" if self._timed else "2025-03-14"
            self.faulted.emit(f"Write it as year, month, day{', hour' if self._timed else ''}: {example}.")
            return
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=_zone(self.zone.currentText()))
        self._put(moment.isoformat())

    def _put(self, value: Json) -> None:
        self.faulted.emit("")
        self._value = value
        self.changed.emit((), value)

    def _open_calendar(self) -> None:
        popup = QFrame(self, Qt.WindowType.Popup)
        popup.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        popup.setProperty("card", True)
        calendar = QCalendarWidget()
        calendar.setVerticalHeaderFormat(QCalendarWidget.VerticalHeaderFormat.NoVerticalHeader)
        shown = QDate.fromString(self.input.text()[:10], Qt.DateFormat.ISODate)
        if shown.isValid():
            calendar.setSelectedDate(shown)
        column = QVBoxLayout(popup)
        column.setContentsMargins(6, 6, 6, 6)
        column.addWidget(calendar)

        def choose(day: QDate) -> None:
            rest = self.input.text()[10:] or (" 00:00" if self._timed else "")
            text = day.toString(Qt.DateFormat.ISODate) + rest
            self.input.show_text(text)
            self._typed(text)
            popup.close()

        calendar.clicked.connect(choose)
        calendar.activated.connect(choose)
        popup.move(self.frame.mapToGlobal(QPoint(0, self.frame.height() + 2)))
        popup.show()
        calendar.setFocus()


def _zone(name: str) -> timezone | ZoneInfo:
    if name.startswith("UTC") and len(name) == 9:
        sign = -1 if name[3] == "-" else 1
        return timezone(sign * timedelta(hours=int(name[4:6]), minutes=int(name[7:9])))
    return ZoneInfo(name or "UTC")


def _offset_name(moment: datetime) -> str:
    minutes = round((moment.utcoffset() or timedelta()).total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return f"UTC{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


class DurationField(Field):
    """A length of time: a number and its unit; stored in seconds."""

    def __init__(self, around: Surroundings, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self.spec = spec
        self._value: Json = ABSENT
        self.input: Final = LineInput()
        self.input.setPlaceholderText(placeholder(spec))
        self.frame: Final = Frame(around.themes, self.input, tab=False)
        self.unit: Final = Combo(searchable=False)
        self.unit.setAccessibleName("Unit")
        self.unit.addItems([name for name, _ in _UNITS])
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(8)
        line.addWidget(self.frame, 1)
        line.addWidget(self.unit, 1)
        self.setFocusProxy(self.input)
        self.input.textEdited.connect(self._typed)
        self.input.left.connect(self.left)
        self.input.menu_opening.connect(self.menu_opening)
        self.unit.activated.connect(lambda _: self._typed(self.input.text()))
        self.unit.left.connect(self.left)

    def show_value(self, value: Json) -> None:
        if same(value, self._value):
            return
        self._value = value
        self.faulted.emit("")
        if value in (ABSENT, None):
            self.input.show_text("")
            return
        try:
            length = self.spec.validate(value)
        except ValueError:
            self.input.show_text(str(value))
            return
        seconds = length.total_seconds() if isinstance(length, timedelta) else float(length)
        index = max((i for i, (_, size) in enumerate(_UNITS) if seconds and (seconds / size).is_integer()), default=0)
        self.unit.setCurrentIndex(index)
        self.input.show_text(number_text(seconds / _UNITS[index][1]))

    def set_invalid(self, invalid: bool) -> None:
        self.frame.set_invalid(invalid)

    def _typed(self, text: str) -> None:
        if "{{" in text:
            self.braces_typed.emit(text)
            return
        if not text.strip():
            self._put(ABSENT)
            return
        try:
            seconds = number_from(text, whole=False) * _UNITS[self.unit.currentIndex()][1]
            self.spec.validate(seconds)
        except (ValueError, OverflowError) as error:
            self.faulted.emit(f"{str(error)[:1].upper()}{str(error)[1:]}".rstrip(".") + ".")
            return
        self._put(seconds)

    def _put(self, value: Json) -> None:
        self.faulted.emit("")
        self._value = value
        self.changed.emit((), value)
