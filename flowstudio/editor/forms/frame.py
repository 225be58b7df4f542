"""The frame around an input that Qt's own style cannot draw: rounded, with the `fx` tab at its left and tools at its right."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QEnterEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QSizePolicy, QWidget

from flowstudio.editor.theme import Themes

RADIUS: Final = 7.0
HEIGHT: Final = 34
"""How high a frame with one line is, in pixels at 100 % text."""

TAB_WIDTH: Final = 30


class Tab(QAbstractButton):
    """The tab at the left of a field: `fx` lit when an expression stands in it, `Abc` when it is plain text.

    Where the field has no frame of its own (a switch), it stands `alone` with a border.
    """

    def __init__(self, themes: Themes, parent: QWidget | None = None, *, alone: bool = False) -> None:
        super().__init__(parent)
        self._themes = themes
        self._alone = alone
        self._lit = False
        self._hovered = False
        self.setText("fx")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        # The keyboard reaches it with Ctrl+Shift+E from within the field: a stop at every tab would double the way through a form.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def set_lit(self, lit: bool, text: str = "fx") -> None:
        """Shows whether there is an expression in the field."""
        if lit != self._lit or text != self.text():
            self._lit = lit
            self.setText(text)
            self.update()

    @property
    def lit(self) -> bool:
        """Whether there is an expression in the field."""
        return self._lit

    def sizeHint(self) -> QSize:
        return QSize(TAB_WIDTH, HEIGHT)

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hovered = True
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = False
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._themes.current
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        outline = QPainterPath()
        outline.setFillRule(Qt.FillRule.WindingFill)
        box = QRectF(self.rect())
        outline.addRoundedRect(box.adjusted(1, 1, -1, -1) if self._alone else box, RADIUS - 1, RADIUS - 1)
        if not self._alone:
            outline.addRect(box.adjusted(box.width() / 2, 0, 0, 0))
        if self._lit:
            ground = theme.color("sel") if self._hovered else theme.color("accentSoft")
        else:
            ground = theme.color("hover") if self._hovered else theme.color("raised")
        painter.fillPath(outline.simplified(), ground)
        if self._alone:
            painter.setPen(QPen(theme.color("fieldLine"), 1))
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), RADIUS - 0.5, RADIUS - 0.5)
        elif not self._lit:
            painter.setPen(QPen(theme.color("line"), 1))
            painter.drawLine(QPointF(box.right() - 0.5, box.top()), QPointF(box.right() - 0.5, box.bottom()))
        plain = self.text() != "fx"
        painter.setFont(theme.font("ui", 10.5, 500) if plain else theme.font("mono", 12, 600))
        painter.setPen(theme.color("accent" if self._lit else "text3"))
        line = min(box.height(), HEIGHT * theme.text_scale)
        painter.drawText(QRectF(0, box.top(), box.width(), line), Qt.AlignmentFlag.AlignCenter, self.text())
        painter.end()


class Frame(QWidget):
    """A frame around one input; its ring follows the input's focus."""

    def __init__(self, themes: Themes, content: QWidget, *, tab: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._content = content
        self._invalid = False
        self._focused = False
        self.tab: Final = Tab(themes, self) if tab else None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusProxy(content)
        self.setCursor(Qt.CursorShape.IBeamCursor)
        self._inside = QHBoxLayout(self)
        self._inside.setContentsMargins((TAB_WIDTH if tab else 0) + 10, 2, 4, 2)
        self._inside.setSpacing(4)
        self._inside.addWidget(content, 1)
        content.installEventFilter(self)

    def add_tool(self, tool: QWidget) -> None:
        """Puts a small button at the right end."""
        tool.setCursor(Qt.CursorShape.ArrowCursor)
        self._inside.addWidget(tool, 0, Qt.AlignmentFlag.AlignVCenter)

    def make_room(self, left: int) -> None:
        """Sets how far the input stands from the border, or from the tab."""
        self._inside.setContentsMargins((TAB_WIDTH if self.tab is not None else 0) + left, 2, 4, 2)

    def set_invalid(self, invalid: bool) -> None:
        """Draws the border in the colour of errors."""
        if invalid != self._invalid:
            self._invalid = invalid
            self.update()

    @property
    def invalid(self) -> bool:
        """Whether the border has the colour of errors."""
        return self._invalid

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        return QSize(hint.width(), max(hint.height(), round(HEIGHT * self._themes.current.text_scale)))

    def minimumSizeHint(self) -> QSize:
        return QSize(64, self.sizeHint().height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self._focused = event.type() == QEvent.Type.FocusIn
            self._place_tab()
            self.update()
        elif event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize):
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_tab()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        # The whole frame is the target, not only the line of text in it.
        self._content.setFocus(Qt.FocusReason.MouseFocusReason)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._themes.current
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = 2.0 if self._focused else 1.0
        color = "err" if self._invalid else "accent" if self._focused else "fieldLine"
        if not self.isEnabled():
            color = "line2"
        box = QRectF(self.rect()).adjusted(width / 2, width / 2, -width / 2, -width / 2)
        painter.setPen(QPen(theme.color(color), width))
        painter.setBrush(theme.color("field" if self.isEnabled() else "panel"))
        painter.drawRoundedRect(box, RADIUS - width / 2, RADIUS - width / 2)
        painter.end()

    def _place_tab(self) -> None:
        if self.tab is not None:
            border = 2 if self._focused else 1
            self.tab.setGeometry(border, border, TAB_WIDTH + 1 - border, self.height() - 2 * border)
