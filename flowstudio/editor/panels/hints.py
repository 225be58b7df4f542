"""The hints of the first minute: what to click and what to change once an example has run. Each appears once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from flowstudio.editor.panels.controls import TextButton, text_label
from flowstudio.editor.playback import Playback
from flowstudio.editor.preferences import Preferences
from flowstudio.editor.theme import Themes
from flowstudio.editor.workspace import Workspace

_SEEN: Final = "hints_seen"
_ABOVE: Final = 56
"""How far over the canvas's lower edge: above zoom bar and minimap's foot."""


class HintBubble(QFrame):
    """One sentence over the lower edge of a widget; it takes no room from anything and goes when it is answered."""

    def __init__(self, themes: Themes, over: QWidget) -> None:
        super().__init__(over)
        self._themes, self._over = themes, over
        self.setProperty("banner", "accent")
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 8, 8, 8)
        row.setSpacing(10)
        self._icon = QLabel(self)
        self.words = text_label("", parent=self)
        self.answer = TextButton(themes, "Got it", kind="ghost", parent=self)
        self.answer.clicked.connect(self.hide)
        for widget in (self._icon, self.words, self.answer):
            row.addWidget(widget)
        over.installEventFilter(self)
        themes.changed.connect(self._dress)
        self._dress()
        self.hide()

    def tell(self, words: str) -> None:
        """Shows a sentence."""
        self.words.setText(words)
        self.setAccessibleName(words)
        self.show()
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._over and event.type() == QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)

    def _place(self) -> None:
        self.adjustSize()
        over = self._over.rect()
        self.move((over.width() - self.width()) // 2, over.height() - self.height() - _ABOVE)
        self.raise_()

    def _dress(self) -> None:
        self._icon.setPixmap(self._themes.current.pixmap("lightbulb", "accent", 18, self.devicePixelRatioF()))
        self._icon.setAlignment(Qt.AlignmentFlag.AlignVCenter)


class Hints(QObject):
    """Follows a flow through its first minute and tells what comes next, what this person was not told before."""

    def __init__(
        self,
        bubble: HintBubble,
        preferences: Preferences,
        run_key: str,
        announce: Callable[[str], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.bubble: Final = bubble
        self._preferences, self._run_key, self._announce = preferences, run_key, announce
        self._playback: Playback | None = None
        self._workspace: Workspace | None = None

    def follow(self, playback: Playback, workspace: Workspace) -> None:
        """An example was opened to be tried."""
        if {"data", "change"} <= set(self._preferences.texts(_SEEN)):
            return
        self.leave()
        self._playback, self._workspace = playback, workspace
        playback.status_changed.connect(self._fared)
        workspace.selection_changed.connect(self._selected)

    def leave(self) -> None:
        """Another flow is in front, or none."""
        if self._playback is not None and self._workspace is not None:
            self._playback.status_changed.disconnect(self._fared)
            self._workspace.selection_changed.disconnect(self._selected)
        self._playback = self._workspace = None
        self.bubble.hide()

    def _fared(self, status: str) -> None:
        if status in ("starting", "running"):
            self.bubble.hide()
        elif status == "succeeded" and self._playback is not None:
            several = any(self._playback.state_of(step).visits > 1 for step in self._playback.steps())
            self._once("data", f"Click a {'number on a wire' if several else 'step'} to see its data")

    def _selected(self) -> None:
        ran = self._playback is not None and self._playback.status == "succeeded"
        if ran and self._workspace is not None and self._workspace.current_step is not None:
            self.bubble.hide()
            self._once("change", f"Change a field, then press {self._run_key}: the new run shows what it does")

    def _once(self, name: str, words: str) -> None:
        seen = self._preferences.texts(_SEEN)
        if name in seen:
            return
        self._preferences.set(_SEEN, [*seen, name])
        self._preferences.write()
        self.bubble.tell(words)
        self._announce(words)
