"""What happens when a field of the data panel is dropped into a form: which expression is meant, and why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QMenu, QToolTip, QWidget

from flowstudio.editor.forms.picking import Unreachable, write_for
from flowstudio.editor.forms.sample import names_in
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.editor.picked import Picked
from flowstudio.expressions.names import written
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.spec import FieldSpec


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


def matches(around: Surroundings, specs: Iterable[FieldSpec], field: Picked) -> dict[str, str]:
    """The settings whose names are those of fields in a dropped object, with the expressions that read these."""
    found = write_for(around.flow, around.step, field)
    if isinstance(found, Unreachable) or field.kind != "object":
        return {}
    known = around.sample.known
    head = None if field.step == around.step else "steps"
    keys = tuple(str(key) for key in field.path)
    inside = names_in(known.at(head, keys if head is None else (field.step, *keys)))
    by_name = {_plain(name): name for name in inside}
    lead = "" if found.whole == "$" else f"{found.whole}."
    matched: dict[str, str] = {}
    for spec in specs:
        taken = by_name.get(_plain(spec.name)) or by_name.get(_plain(spec.title))
        if taken is not None and spec.kind is not Kind.STATIC and spec.form not in ("list", "dict", "group", "union"):
            source = f"{lead}{written(taken)}"
            matched[spec.name] = source if spec.kind is Kind.EXPRESSION else f"{{{{ {source} }}}}"
    return matched


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
