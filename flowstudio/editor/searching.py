"""What can be searched from anywhere: commands, steps, components, what is written in flows, and who uses what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from PySide6.QtWidgets import QWidget

from flowstudio.editor.actions import Actions, shown_key
from flowstudio.editor.desk import Desk, Surround
from flowstudio.editor.desks import Desks
from flowstudio.editor.panels import finding
from flowstudio.editor.panels.command_palette import ADD, COMMANDS, STEPS, TEXTS, WHERE_USED, CommandPalette, Offer
from flowstudio.editor.panels.project import ProjectPane
from flowstudio.errors import Problem


class Searching:
    """Fills the command palette, and goes where a person chose to go.

    `shown` gives the desk that is on show, None while the welcome page is; `project` the list of the folder's flows.
    """

    def __init__(
        self,
        shared: Surround,
        actions: Actions,
        desks: Desks,
        over: QWidget,
        *,
        shown: Callable[[], Desk | None],
        project: Callable[[], ProjectPane | None],
        add: Callable[[str], None],
        open_file: Callable[[Path], None],
        mention: Callable[[str, str, str], object],
    ) -> None:
        self._shared = shared
        self._actions = actions
        self._desks = desks
        self._over = over
        self._shown = shown
        self._project = project
        self._add = add
        self._open = open_file
        self._mention = mention
        self.palette: CommandPalette | None = None
        """Made when it is first opened."""

    def open(self, text: str = "") -> None:
        """Opens the command palette with what can be done and found now."""
        if self.palette is None:
            self.palette = CommandPalette(self._shared.themes, self._over)
        self.palette.open(self._offers(), text)

    def _offers(self) -> Iterator[Offer]:
        for command, action in self._actions.offered():
            yield Offer(
                action.text(),
                COMMANDS,
                command.icon or "caret-right",
                action.trigger,
                command.hint,
                shown_key(action),
            )
        desk = self._shown()
        if desk is None:
            return
        flow = desk.document.flow
        registry, theme = self._shared.registry, self._shared.themes.current
        for key, step in flow.steps.items():
            known = registry.spec(step.component) if registry.knows(step.component) else None
            yield Offer(
                flow.title_of(key),
                STEPS,
                known.icon if known is not None else "cube",
                lambda key=key: self.go_step(key),  # type: ignore[misc] # mypy cannot tell a lambda's default
                f"{known.title if known is not None else step.component} · {key}",
                color=theme.category(known.category) if known is not None else "text2",
            )
        for spec in registry.specs():
            yield Offer(
                f"Add {spec.title}",
                ADD,
                spec.icon,
                lambda name=spec.name: self._add(name),  # type: ignore[misc]
                " ".join((spec.category, *spec.aliases)),
                color=theme.category(spec.category),
            )

        yield from self._texts(desk)

    def _texts(self, desk: Desk) -> Iterator[Offer]:
        """What find looks through, and the names of which one may ask what uses them."""
        flow = desk.document.flow
        for place in finding.written(flow):
            yield self._to_place(place, TEXTS)
        project = self._project()
        if project is not None:
            yield from self._other_flows(project, desk.document.path)
        kinds: tuple[tuple[finding.Named, str, Mapping[str, object]], ...] = (
            ("variable", "sliders-horizontal", flow.variables),
            ("connection", "link-simple", flow.connections),
            ("step", "arrow-right", flow.steps),
        )
        for kind, icon, names in kinds:
            for name in names:
                title = flow.title_of(name) if kind == "step" else name
                yield Offer(
                    f"Where is {title} used",
                    WHERE_USED,
                    icon,
                    lambda kind=kind, name=name: self.show_uses(kind, name),  # type: ignore[misc]
                    kind,
                )

    def _other_flows(self, project: ProjectPane, front: Path | None) -> Iterator[Offer]:
        """The other flows of the folder, and what is written in them."""
        for entry in project.model.entries:
            if entry.path == front or entry.flow is None:
                continue
            yield Offer(
                entry.name,
                "Flows of the folder",
                "tree-structure",
                lambda path=entry.path: self._open(path),  # type: ignore[misc]
                entry.path.name,
            )
            for place in finding.written(entry.flow):
                offer = self._to_place(place, TEXTS)
                yield replace(
                    offer,
                    more=f"{entry.name} · {offer.more}",
                    do=lambda path=entry.path, place=place: self._go_elsewhere(path, place),  # type: ignore[misc]
                )

    def _go_elsewhere(self, path: Path, place: finding.Place) -> None:
        if self._desks.open_file(path) is not None:
            self._go_place(place)

    def _to_place(self, place: finding.Place, group: str) -> Offer:
        icon = {"note": "note", "group": "selection", "variable": "sliders-horizontal", "connection": "link-simple"}
        return Offer(
            place.shown,
            group,
            icon.get(place.kind, "text-align-left"),
            lambda: self._go_place(place),
            place.where if place.sure else f"{place.where} · perhaps",
        )

    def show_uses(self, kind: finding.Named, name: str) -> None:
        """Lists where a step's output, a variable or a connection is used."""
        desk = self._desks.front
        if desk is None:
            return
        flow = desk.document.flow
        title = flow.title_of(name) if kind == "step" and name in flow.steps else name
        places = finding.used(flow, self._shared.registry, kind, name)
        if not places:
            self._mention(f"Nothing uses {title}", "muted", "info")
            return
        if self.palette is None:
            self.palette = CommandPalette(self._shared.themes, self._over)
        self.palette.open([self._to_place(place, f"{title} is used in") for place in places])

    def where_used(self) -> None:
        """What reads the selected step; without one, the names to choose from."""
        step = desk.workspace.current_step if (desk := self._desks.front) is not None else None
        if step is not None:
            self.show_uses("step", step)
        else:
            self.open("?")

    def _go_place(self, place: finding.Place) -> None:
        desk = self._desks.front
        if desk is None:
            return
        if place.kind == "step":
            desk.go_to(Problem("", step=place.key, field=place.field or None))
        elif place.kind == "note":
            desk.workspace.select(notes=[place.key])
            desk.canvas.frame_selection()
            desk.canvas.setFocus()
        elif place.kind == "group":
            desk.workspace.select(groups=[place.key])
            desk.canvas.frame_selection()
            desk.canvas.setFocus()
        elif place.kind in ("variable", "connection"):
            desk.inspector.ask_value(place.key)
        else:
            desk.workspace.select()
            desk.inspector.focus_first()

    def go_step(self, step: str) -> None:
        """Shows a step on the canvas."""
        desk = self._desks.front
        if desk is not None:
            desk.workspace.select([step])
            desk.canvas.reveal(step)
            desk.canvas.setFocus()
