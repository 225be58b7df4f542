"""The bar between tabs and canvas that tells what happened outside, with what can be done about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QWidget

from flowstudio.editor.panels.controls import IconButton, TextButton, text_label
from flowstudio.editor.theme import Themes

Answer = tuple[str, Callable[[], object]]


class NoticeBar(QFrame):
    """One sentence and buttons that carry the answers. It stays until one is given."""

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self.setProperty("banner", "bar")
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 6, 6, 6)
        row.setSpacing(8)
        self._icon = QLabel(self)
        row.addWidget(self._icon)
        self.words = text_label("", parent=self)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        row.addWidget(self.words, 1)
        self._answers = QHBoxLayout()
        self._answers.setSpacing(6)
        row.addLayout(self._answers)
        self.close_button = IconButton(themes, "x", "Dismiss", size=14, side=26, parent=self)
        row.addWidget(self.close_button)
        self.buttons: dict[str, TextButton] = {}
        self._dismissed: Callable[[], object] = lambda: None
        self.close_button.clicked.connect(self._dismiss)
        themes.changed.connect(self._dress)
        self._shown_icon = "info"
        self.hide()

    def tell(
        self,
        words: str,
        answers: Sequence[Answer] = (),
        *,
        icon: str = "info",
        dismissed: Callable[[], object] = lambda: None,
    ) -> None:
        """Shows a sentence with its answers, in the place of the one before; each answer closes the bar."""
        for button in self.buttons.values():
            self._answers.removeWidget(button)
            button.deleteLater()
        self.buttons = {}
        for name, do in answers:
            button = TextButton(self._themes, name, parent=self)
            button.clicked.connect(lambda _=False, do=do: self._answer(do))
            self._answers.addWidget(button)
            self.buttons[name] = button
        self.words.setText(words)
        self.words.setToolTip(words)
        self.setAccessibleName(words)
        self._shown_icon, self._dismissed = icon, dismissed
        self._dress()
        self.show()

    def clear(self) -> None:
        """Nothing is to be told any more."""
        self.hide()

    def _answer(self, do: Callable[[], object]) -> None:
        self.hide()
        do()

    def _dismiss(self) -> None:
        self.hide()
        self._dismissed()

    def _dress(self) -> None:
        theme = self._themes.current
        self._icon.setPixmap(theme.pixmap(self._shown_icon, "accent", 16, self.devicePixelRatioF()))
