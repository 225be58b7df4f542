"""A template version: a flow published under a number, which never changes again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from flowstudio.errors import FileError, InvalidInputError, Problem
from flowstudio.flow.files import flow_from_document, read_json, write_atomically
from flowstudio.flow.model import Flow, canonical_bytes

Json = Any

TEMPLATE_FORMAT: Final = "flowstudio/template@1"
_NUMBER: Final = re.compile(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})")
_KEYS: Final = ("format", "id", "version", "notes", "hash", "flow", "flows", "pages", "locked", "open", "signature")


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a template. `hash` is over all that decides what it does: flow, called flows, pages, points."""

    id: str
    version: str
    notes: str
    hash: str
    flow: Flow
    flows: Mapping[str, Flow] = field(default_factory=dict)
    pages: Json = None
    locked: Json = None
    open: Json = None
    extra: Mapping[str, Json] = field(default_factory=dict)

    def to_document(self) -> dict[str, Json]:
        """The version as its file holds it."""
        document: dict[str, Json] = {
            "format": TEMPLATE_FORMAT,
            "id": self.id,
            "version": self.version,
            "notes": self.notes,
            "hash": self.hash,
            **_content(self.flow, self.flows, self.pages, self.locked, self.open),
        }
        document.update(self.extra)
        return document


def _content(flow: Flow, flows: Mapping[str, Flow], pages: Json, locked: Json, opened: Json) -> dict[str, Json]:
    content: dict[str, Json] = {"flow": _exported(flow)}
    if flows:
        content["flows"] = {key: _exported(called) for key, called in flows.items()}
    rest = {"pages": pages, "locked": locked, "open": opened}
    return {**content, **{name: told for name, told in rest.items() if told is not None}}


def _exported(flow: Flow) -> dict[str, Json]:
    """A flow's document without sample data."""
    document = flow.to_document()
    for key, step in document["steps"].items():
        if step["component"].partition("@")[0] == "manual" and "sample" in step.get("config", ()):
            config = {name: value for name, value in step["config"].items() if name != "sample"}
            document["steps"][key] = {**step, "config": config}
            if not config:
                del document["steps"][key]["config"]
    return document


def _hash(version: str, content: Mapping[str, Json]) -> str:
    return hashlib.sha256(canonical_bytes({"version": version, **content})).hexdigest()


def publish(flow: Flow, version: str, notes: str = "", flows: Mapping[str, Flow] | None = None) -> Version:
    """A flow as the version of that number; InvalidInputError when it is none. The flow's layout is not part of it."""
    if not _NUMBER.fullmatch(version):
        raise InvalidInputError(
            Problem(f"{version!r} is no version number", why="a version is three numbers", remedy="write such as 1.0.0")
        )
    content = _content(flow, flows or {}, None, None, None)
    made = flow_from_document(content["flow"])
    return Version(flow.id, version, notes, _hash(version, content), made, dict(flows or {}))


def read_template(path: str | Path) -> Version:
    """The version in a file; FileError when it is none, or was changed after it was published."""
    document = read_json(path)
    file = str(path)
    if not isinstance(document, dict) or document.get("format") != TEMPLATE_FORMAT:
        told = document.get("format") if isinstance(document, dict) else None
        newer = isinstance(told, str) and told.startswith("flowstudio/template@")
        what = f"the template was written by a newer FlowStudio ({told})" if newer else "the file is not a template"
        remedy = "update FlowStudio" if newer else "export one: flowstudio export FLOW"
        raise FileError(Problem(what, remedy=remedy, path=("format",), file=file))
    for name in ("id", "version", "hash"):
        if not isinstance(document.get(name), str):
            raise FileError(Problem(f"the template has no {name}", remedy="export it again", path=(name,), file=file))
    if not isinstance(document.get("flow"), dict):
        raise FileError(Problem("the template has no flow", remedy="export it again", path=("flow",), file=file))
    content = {name: document[name] for name in ("flow", "flows", "pages", "locked", "open") if name in document}
    if _hash(document["version"], content) != document["hash"]:
        raise FileError(
            Problem(
                "the template was changed after it was published",
                why="its content does not have the hash that it names",
                remedy="use the file as it was exported, or export a new version of the flow",
                path=("hash",),
                file=file,
            )
        )
    flow = flow_from_document(document["flow"], file, ("flow",))
    flows = {key: flow_from_document(each, file, ("flows", key)) for key, each in document.get("flows", {}).items()}
    return Version(
        id=document["id"],
        version=document["version"],
        notes=str(document.get("notes", "")),
        hash=document["hash"],
        flow=flow,
        flows=flows,
        pages=document.get("pages"),
        locked=document.get("locked"),
        open=document.get("open"),
        extra={key: value for key, value in document.items() if key not in _KEYS},
    )


def write_template(path: str | Path, version: Version) -> None:
    """Writes a version; InvalidInputError when another one lies there, for a version never changes."""
    path = Path(path)
    if path.exists():
        try:
            same = read_template(path).hash == version.hash
        except InvalidInputError:
            same = False
        if same:
            return
        raise InvalidInputError(
            Problem(
                f"{path.name} is there already and is another one",
                why="a published version never changes",
                remedy="give this one the next number, or write it elsewhere",
                file=str(path),
            )
        )
    write_atomically(path, canonical_bytes(version.to_document()))


def template_path(folder: str | Path, version: Version) -> Path:
    """Where a version lies in a folder."""
    return Path(folder) / f"{version.id}-{version.version}.template.json"


def versions_in(folder: str | Path, template: str) -> list[str]:
    """The numbers of a template's versions in a folder, oldest first."""
    found = []
    for path in Path(folder or ".").glob(f"{template}-*.template.json"):
        number = path.name.removeprefix(f"{template}-").removesuffix(".template.json")
        if _NUMBER.fullmatch(number):
            found.append(number)
    return sorted(found, key=_parts)


def next_version(folder: str | Path, template: str) -> str:
    """The number after the newest one in a folder; 1.0.0 for the first."""
    known = versions_in(folder, template)
    if not known:
        return "1.0.0"
    major, minor, _ = _parts(known[-1])
    return f"{major}.{minor + 1}.0"


def _parts(number: str) -> tuple[int, ...]:
    return tuple(map(int, number.split(".")))
