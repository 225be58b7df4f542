"""The small controls that panels are made of: icon buttons, segmented switches, chips, pane headers."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QAction, QIcon, QKeyEvent, QPainter, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from flowstudio.editor.theme import Theme, Themes, set_look

HEADER_HEIGHT = 42
"""Of the header of every pane below the canvas."""

_GAP = 3
_HEADER_SLACK = 28
"""The margins of a header and what must stay free between its sides."""


class IconButton(QToolButton):
    """A button that is an icon: its name is told to screen readers and, with its key, in the tooltip."""

    def __init__(
        self,
        themes: Themes,
        icon: str,
        name: str,
        *,
        key: str = "",
        size: int = 18,
        side: int = 28,
        color: str = "text2",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._icon_name, self._icon_size, self._color = icon, size, color
        self._themes = themes
        self.setIconSize(QSize(size, size))
        self.setFixedSize(side, side)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.name_as(name, key)
        self._dress()
        themes.changed.connect(self._dress)

    def name_as(self, name: str, key: str = "") -> None:
        """Sets what the button is called."""
        self.setAccessibleName(name)
        self.setToolTip(f"{name} ({key})" if key else name)

    def set_icon(self, icon: str, color: str | None = None) -> None:
        """Shows another icon, or the same in another colour."""
        self._icon_name = icon
        self._color = color or self._color
        self._dress()

    def follow(self, action: QAction) -> None:
        """Does what the action does, while it may be done."""
        self.clicked.connect(lambda: action.trigger())
        self.setEnabled(action.isEnabled())
        action.enabledChanged.connect(self.setEnabled)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not _pressed_by_enter(self, event):
            super().keyPressEvent(event)

    def _dress(self) -> None:
        theme = self._themes.current
        self.setIcon(theme.icon(self._icon_name, self._color, self._icon_size))


class TextButton(QPushButton):
    """A button with words, and an icon before them if one is given."""

    def __init__(
        self,
        themes: Themes,
        text: str,
        *,
        icon: str | None = None,
        kind: str | None = None,
        color: str = "text2",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, parent)
        self._themes, self._icon_name, self._color = themes, icon, color
        if kind is not None:
            self.setProperty("kind", kind)
        self.setIconSize(QSize(16 + _GAP, 16))
        self._dress()
        themes.changed.connect(self._dress)

    def set_icon(self, icon: str | None, color: str | None = None) -> None:
        """Shows another icon, or none."""
        self._icon_name = icon
        self._color = color or self._color
        self._dress()

    def set_kind(self, kind: str) -> None:
        """Looks as another kind of button (see theme)."""
        set_look(self, kind=kind)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not _pressed_by_enter(self, event):
            super().keyPressEvent(event)

    def _dress(self) -> None:
        theme = self._themes.current
        if self._icon_name is not None:
            self.setIcon(_spaced(theme, self._icon_name, self._color))


def _pressed_by_enter(button: QAbstractButton, event: QKeyEvent) -> bool:
    """Presses a button that has the keyboard by Enter too: outside of dialogs Qt knows the space bar alone."""
    if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter) or event.isAutoRepeat():
        return False
    button.click()
    return True


def _spaced(theme: Theme, name: str, color: str) -> QIcon:
    """An icon with room after it: a button puts its words four pixels behind the picture, which is too near."""
    icon = QIcon()
    for ratio in (1.0, 2.0, 3.0):
        for mode, tint in ((QIcon.Mode.Normal, color), (QIcon.Mode.Disabled, "text3")):
            picture = QPixmap(round((16 + _GAP) * ratio), round(16 * ratio))
            picture.setDevicePixelRatio(ratio)
            picture.fill(Qt.GlobalColor.transparent)
            painter = QPainter(picture)
            painter.drawPixmap(0, 0, theme.pixmap(name, tint, 16, ratio))
            painter.end()
            icon.addPixmap(picture, mode)
    return icon


class Segments(QFrame):
    """A few choices side by side, of which one is on; where there is no room for them, one button with a menu."""

    chosen = Signal(str)
    """The key of the choice that a person made."""

    def __init__(self, choices: Sequence[tuple[str, str]], name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("segmented", True)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self._group = QButtonGroup(self)
        self._buttons: dict[str, QPushButton] = {}
        for key, label in choices:
            button = QPushButton(label, self)
            button.setProperty("segment", True)
            button.setCheckable(True)
            button.clicked.connect(lambda _=False, key=key: self.chosen.emit(key))
            self._group.addButton(button)
            self._buttons[key] = button
            layout.addWidget(button)
        self._folded = QPushButton(self)
        self._folded.setProperty("segment", True)
        self._folded.setAccessibleName(name)
        self._folded.clicked.connect(self._open)
        self._folded.hide()
        layout.addWidget(self._folded)
        self.shown: tuple[str, ...] = tuple(self._buttons)
        """The keys of the choices that are offered now."""
        self.choose(choices[0][0])

    @property
    def choice(self) -> str:
        """The key of the choice that is on."""
        return next(key for key, button in self._buttons.items() if button.isChecked())

    @property
    def full_width(self) -> int:
        """How much room all choices need side by side."""
        for key in self.shown:
            self._buttons[key].ensurePolished()  # one that was never seen does not know its style yet
        return sum(self._buttons[key].sizeHint().width() for key in self.shown)

    def choose(self, key: str) -> None:
        """Turns a choice on, without a signal."""
        self._buttons[key].setChecked(True)
        self._name_folded()

    def set_label(self, key: str, label: str) -> None:
        """Gives a choice other words."""
        self._buttons[key].setText(label)
        self._name_folded()

    def set_shown(self, keys: Sequence[str]) -> None:
        """Shows these choices alone; the first is turned on where the one that was on is not among them."""
        self.shown = tuple(keys)
        if self.choice not in keys:
            self.choose(keys[0])
        self._arrange(folded=self._folded.isVisibleTo(self))
        self.updateGeometry()  # a folded one looks the same, and may have room now

    def fold(self, folded: bool) -> None:
        """Shows the choice that is on alone, with a menu of the others."""
        if folded != self._folded.isVisibleTo(self):
            self._arrange(folded=folded)

    def button(self, key: str) -> QPushButton:
        """The button of a choice."""
        return self._buttons[key]

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def _arrange(self, *, folded: bool) -> None:
        for key, button in self._buttons.items():
            button.setVisible(key in self.shown and not folded)
        self._folded.setVisible(folded)
        self._name_folded()

    def _name_folded(self) -> None:
        self._folded.setText(f"{self._buttons[self.choice].text()} ▾")

    def _open(self) -> None:
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        for key in self.shown:
            action = menu.addAction(self._buttons[key].text())
            action.setCheckable(True)
            action.setChecked(key == self.choice)
            action.triggered.connect(lambda _=False, key=key: self._chosen_from_menu(key))
        menu.popup(self.mapToGlobal(QPoint(0, self.height() + 2)))

    def _chosen_from_menu(self, key: str) -> None:
        self.choose(key)
        self.chosen.emit(key)


class PaneHeader(QWidget):
    """The line on top of a pane: a title, chips and buttons on the left, what acts on the pane on the right."""

    def __init__(self, title: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(HEADER_HEIGHT)
        outer = QHBoxLayout(self)
        outer.setContentsMargins(14, 0, 8, 0)
        outer.setSpacing(8)
        self.left = QHBoxLayout()
        self.left.setSpacing(8)
        self.right = QHBoxLayout()
        self.right.setSpacing(4)
        self.title = QLabel(title, self)
        self.title.setProperty("type", "heading")
        self.left.addWidget(self.title)
        self.extras = QWidget(self)
        """What gives way where the pane is narrow."""
        extras = QHBoxLayout(self.extras)
        extras.setContentsMargins(0, 0, 0, 0)
        extras.setSpacing(8)
        self.left.addWidget(self.extras)
        outer.addLayout(self.left)
        outer.addStretch(1)
        outer.addLayout(self.right)

    def add_extra(self, widget: QWidget) -> None:
        """Adds something that is shown only where there is room."""
        layout = self.extras.layout()
        if layout is not None:
            layout.addWidget(widget)

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize):
            self.fit()  # words or choices in it have become others, or the room for them
        return done

    def fit(self) -> None:
        """Shows as much as there is room for: first the extras go, then the choices fold."""
        extras = self.extras.sizeHint().width()
        segments = [widget for widget in self.findChildren(Segments) if widget.parent() is self]
        rest = self.left.sizeHint().width() + self.right.sizeHint().width() + _HEADER_SLACK
        rest -= extras if self.extras.isVisibleTo(self) else 0
        rest += sum(each.full_width - each.sizeHint().width() for each in segments)
        self.extras.setVisible(extras > 0 and rest + extras <= self.width())
        for each in segments:
            each.fold(rest > self.width())

    def minimumSizeHint(self) -> QSize:
        return QSize(160, HEADER_HEIGHT)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()


def chip(text: str, tone: str = "neutral", parent: QWidget | None = None) -> QLabel:
    """A small pill of text; `tone` is one of the theme's chips."""
    label = QLabel(text, parent)
    label.setProperty("chip", tone)
    return label


def set_chip(label: QLabel, text: str, tone: str = "neutral") -> None:
    """Gives a chip other words and another tone."""
    label.setText(text)
    if label.property("chip") != tone:
        set_look(label, chip=tone)


def text_label(text: str = "", kind: str = "", tone: str = "", parent: QWidget | None = None) -> QLabel:
    """A label in one of the theme's types and tones."""
    label = QLabel(text, parent)
    if kind:
        label.setProperty("type", kind)
    if tone:
        label.setProperty("tone", tone)
    return label


def rule(direction: str = "h", parent: QWidget | None = None) -> QFrame:
    """A line of one pixel between panes."""
    line = QFrame(parent)
    line.setProperty("rule", direction)
    if direction == "h":
        line.setFixedHeight(1)
    else:
        line.setFixedWidth(1)
    return line


def key_cap(text: str, parent: QWidget | None = None) -> QLabel:
    """A key of the keyboard, drawn as one."""
    label = QLabel(text, parent)
    label.setProperty("key", True)
    return label


class Pane(QWidget):
    """A widget with a ground of its own (a plain QWidget paints none), and the size that a splitter gives it first."""

    def __init__(self, ground: str = "panel", parent: QWidget | None = None, *, hint: QSize | None = None) -> None:
        super().__init__(parent)
        self.hint = hint
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground, True)
        self.setProperty("pane", ground)

    def sizeHint(self) -> QSize:
        return super().sizeHint() if self.hint is None else self.hint
