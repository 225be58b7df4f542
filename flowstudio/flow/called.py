"""Finds the flows that a flow calls: files beside it, or flows that a template brings along."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flowstudio.errors import FileError, Problem
from flowstudio.flow.files import read_flow, read_json
from flowstudio.flow.model import Flow


@dataclass(frozen=True)
class CalledFlow:
    """A flow that was found: the key tells it from all others, `called` finds what it calls itself.

    `folder` is that of its file, empty where it lies in none.
    """

    key: str
    flow: Flow
    called: Called
    folder: str = ""


Called = Callable[[str], CalledFlow]
"""Finds a flow by what a call names; FileError says why there is none."""


def beside(path: Path) -> Called:
    """Finds flows by a path relative to the calling file `path`, or by the id of a flow in the same folder."""

    def find(name: str) -> CalledFlow:
        found = _file(path.parent, name)
        return CalledFlow(str(found.resolve()), read_flow(found).flow, beside(found), str(found.parent))

    return find


def _file(folder: Path, name: str) -> Path:
    named = folder / name
    if named.is_file():
        return named
    for found in sorted(folder.glob("*.flow.json")):
        if found.name == f"{name}.flow.json":
            return found
    for found in sorted(folder.glob("*.flow.json")):
        try:
            document = read_json(found)
        except FileError:
            continue  # a broken file beside it is no flow of that id
        if isinstance(document, Mapping) and document.get("id") == name:
            return found
    raise FileError(
        [
            Problem(
                f"there is no flow {name}",
                why=f"neither a file {name} nor a flow of that id lies in {folder}",
                remedy="name a file relative to the calling flow, or the id of a flow in the same folder",
            )
        ]
    )


def among(flows: Mapping[str, Flow]) -> Called:
    """Finds flows by id among those that a template brings along."""

    def find(name: str) -> CalledFlow:
        if name not in flows:
            raise FileError([Problem(f"the template does not bring the flow {name}", remedy="export it again")])
        return CalledFlow(name, flows[name], find)

    return find


def nowhere(name: str) -> CalledFlow:
    """Finds nothing: for a flow that lies in no file."""
    raise FileError(
        [
            Problem(
                f"there is no flow {name}",
                why="the calling flow lies in no file, so that nothing lies beside it",
                remedy="save it first",
            )
        ]
    )


__all__ = ["Called", "CalledFlow", "among", "beside", "nowhere"]
