"""What happens when a field of the data panel is dropped into a form: which expression is meant, and why not."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QMenu, QToolTip, QWidget

from flowstudio.editor.forms.picking import Unreachable, write_for
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.editor.picked import Picked


def take_dropped(around: Surroundings, field: object, target: QWidget, use: Callable[[str], None]) -> None:
    """Calls `use` with the expression of a dropped field; where there are two, a menu asks which is meant."""
    if not isinstance(field, Picked):
        return
    found = write_for(around.flow, around.step, field)
    if isinstance(found, Unreachable):
        QToolTip.showText(QCursor.pos(), found.reason, target)
        return
    if found.only is None or found.only == found.whole:
        _one_step(around, use, found.whole)
        return
    menu = QMenu(target)
    menu.addAction(f"All of them    {found.whole}".replace("&", "&&"), lambda: _one_step(around, use, found.whole))
    only = found.only
    menu.addAction(f"Only this one    {only}".replace("&", "&&"), lambda: _one_step(around, use, only))
    menu.setActiveAction(menu.actions()[0])
    menu.aboutToHide.connect(menu.deleteLater)
    menu.popup(QCursor.pos())


def _one_step(around: Surroundings, use: Callable[[str], None], source: str) -> None:
    around.end_series()
    use(source)
    around.end_series()
