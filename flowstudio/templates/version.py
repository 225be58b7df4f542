"""A template version: a flow published under a number, which never changes again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from flowstudio.errors import FileError, InvalidInputError, PathKey, Problem
from flowstudio.flow.diff import Change, Changes, diff
from flowstudio.flow.faults import Faults, Part, required
from flowstudio.flow.files import check_format, flow_from_document, read_json, write_atomically
from flowstudio.flow.jsonvalue import describe
from flowstudio.flow.leaks import leaks
from flowstudio.flow.model import ABSENT, Flow, Json, canonical_bytes
from flowstudio.flow.values import check_value

TEMPLATE_FORMAT: Final = "flowstudio/template@1"

_WHOLE: Final = r"(?:0|[1-9][0-9]{0,8})"
_SEMVER: Final = re.compile(
    rf"(?P<numbers>{_WHOLE}\.{_WHOLE}\.{_WHOLE})"
    r"(?:-(?P<before>(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_KEYS: Final = ("format", "id", "version", "notes", "hash", "flow", "flows", "pages", "locked", "open", "signature")
_OUTSIDE: Final = ("hash", "signature")
"""What the hash does not cover: itself, and what is made of it."""

Point = str | list[str]
"""A place of the flow for `locked` and `open`: `steps.push.config.url`, or its keys as a list where one holds a dot."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a template: the document as its file holds it, and the flows in it read."""

    document: Mapping[str, Json]
    flow: Flow
    flows: Mapping[str, Flow] = field(default_factory=dict)
    """The called flows, by id."""

    @property
    def id(self) -> str:
        """The template's id, which is the flow's."""
        return str(self.document["id"])

    @property
    def version(self) -> str:
        """Its number, such as 1.2.0."""
        return str(self.document["version"])

    @property
    def notes(self) -> str:
        """What is new in it, for the people who deploy it."""
        return str(self.document.get("notes", ""))

    @property
    def hash(self) -> str:
        """SHA-256 over all of the document but the hash and the signature, in hexadecimal."""
        return str(self.document["hash"])

    @property
    def pages(self) -> Sequence[Mapping[str, Json]]:
        """The setup pages over variables and connections, in order."""
        return tuple(self.document.get("pages") or ())

    @property
    def locked(self) -> tuple[tuple[str, ...], ...]:
        """The places that no override may touch."""
        return tuple(map(_keys, self.document.get("locked") or ()))

    @property
    def open(self) -> tuple[tuple[str, ...], ...] | None:
        """The only places that overrides may touch; None: all but the locked ones."""
        return None if (points := self.document.get("open")) is None else tuple(map(_keys, points))

    def to_document(self) -> dict[str, Json]:
        """The version as its file holds it."""
        return dict(self.document)


def publish(
    flow: Flow,
    version: str,
    notes: str = "",
    flows: Mapping[str, Flow] | None = None,
    *,
    pages: Sequence[Mapping[str, Json]] = (),
    locked: Sequence[Point] = (),
    opened: Sequence[Point] | None = None,
) -> Version:
    """A flow as the version of that number, with the flows that it calls; InvalidInputError with all that forbids it.

    Samples and the layout stay behind. What looks like a secret is refused, and a default that is not of its
    variable's type.
    """
    called = {key: _exported(each) for key, each in (flows or {}).items()}
    document: dict[str, Json] = {
        "format": TEMPLATE_FORMAT,
        "id": flow.id,
        "version": version,
        "notes": notes,
        "hash": "",
        "flow": _exported(flow),
    }
    parts: dict[str, Json] = {"flows": called, "pages": [dict(page) for page in pages], "locked": list(locked)}
    document |= {key: part for key, part in parts.items() if part}
    if opened is not None:
        document["open"] = list(opened)
    document["hash"] = _hash(document)
    made = _read(document, None)
    if problems := [*_forbidden(made.flow), *(p for each in made.flows.values() for p in _forbidden(each, each.id))]:
        raise InvalidInputError(problems)
    return made


def _exported(flow: Flow) -> dict[str, Json]:
    """A flow's document without sample data."""
    document = flow.to_document()
    for key, step in document["steps"].items():
        if step["component"].partition("@")[0] == "manual" and "sample" in step.get("config", ()):
            config = {name: value for name, value in step["config"].items() if name != "sample"}
            document["steps"][key] = {name: value for name, value in step.items() if name != "config" or config}
            if config:
                document["steps"][key]["config"] = config
    return document


def _hash(document: Mapping[str, Json]) -> str:
    covered = {key: value for key, value in document.items() if key not in _OUTSIDE}
    return hashlib.sha256(canonical_bytes(covered)).hexdigest()


def _forbidden(flow: Flow, called: str | None = None) -> Iterator[Problem]:
    """Why a flow may not leave the house."""
    at: tuple[PathKey, ...] = ("flow",) if called is None else ("flows", called)
    for problem in leaks(flow):
        yield replace(
            problem, severity="error", path=(*at, *problem.path), why="a template is read by everybody who gets it"
        )
    for name, variable in flow.variables.items():
        if variable.default is ABSENT:
            continue
        path = (*at, "variables", name, "default")
        if variable.type == "secret" and variable.default is not None:
            what, why = f"the secret variable {name} has a default", "no secret is ever part of a template"
            yield Problem(what, why, "take the default out: each customer gives its own", field=name, path=path)
        elif problem_of := check_value(name, variable, variable.default, f"the default of {name}"):
            yield replace(problem_of, path=path)


def _read(document: Json, file: str | None) -> Version:
    faults = Faults(file)
    whole = Part(document, faults)
    check_format(whole, TEMPLATE_FORMAT)
    parts, _ = whole.keys(_KEYS)
    identity, number = required(parts, "id", whole), required(parts, "version", whole)
    if identity:
        identity.matching(
            _ID, "it is in web addresses and file names", "use letters, digits, - and _, such as customer-sync"
        )
    if number:
        number.matching(_SEMVER, "a version is three numbers", "write such as 1.0.0 or 1.1.0-rc.1")
    if "notes" in parts:
        parts["notes"].text()
    flow = _flow_in(required(parts, "flow", whole), faults)
    flows: dict[str, Flow] = {}
    for key, part in parts["flows"].entries() if "flows" in parts else ():
        flows[key] = called = _flow_in(part, faults)
        if called.steps and called.id != key:
            part.fault(f"its flow's id is {describe(called.id)}", "put it under its id")
    if identity and flow.steps and flow.id != identity.value:
        identity.fault(f"its flow's id is {describe(flow.id)}", "a template has the id of its flow")
    _check_pages(parts.get("pages"), flow)
    for key in ("locked", "open"):
        for point in parts[key].elements() if key in parts else ():
            if not (isinstance(point.value, str) and point.value) and not _is_keys(point.value):
                point.fault("it is a place in the flow", "write such as steps.push.config.url")
    faults.raise_any()
    return Version(document, flow, flows)


def _flow_in(part: Part | None, faults: Faults) -> Flow:
    """The flow in a part; what is wrong with it is noted with the rest."""
    nothing = Flow("", "")
    if part is None:
        return nothing
    try:
        return flow_from_document(part.value, faults.file, part.path)
    except FileError as error:
        faults.problems.extend(error.problems)
        return nothing


def _check_pages(pages: Part | None, flow: Flow) -> None:
    for page in (
        pages.elements('list pages, such as {"title": "Shop", "fields": [{"variable": "shop_url"}]}') if pages else ()
    ):
        parts, _ = page.keys(("title", "hint", "fields"))
        if title := required(parts, "title", page):
            title.text()
        for shown in parts["fields"].elements() if "fields" in parts else ():
            names, _ = shown.keys(("variable", "connection"))
            if len(names) != 1:
                shown.fault("a field shows a variable or a connection", 'write {"variable": "shop_url"}')
            for kind, known in (("variable", flow.variables), ("connection", flow.connections)):
                if kind in names and names[kind].text() not in known:
                    names[kind].fault(f"the flow has no such {kind}", f"choose one of {', '.join(known) or 'none'}")


def _is_keys(point: Json) -> bool:
    return isinstance(point, list) and bool(point) and all(isinstance(key, str) for key in point)


def _keys(point: Point) -> tuple[str, ...]:
    return tuple(point.split(".")) if isinstance(point, str) else tuple(point)


def read_template(path: str | Path) -> Version:
    """The version in a file; FileError when it is none, or was changed after it was published."""
    return version_from_document(read_json(path), str(path))


def version_from_document(document: Json, file: str | None = None) -> Version:
    """The version that a document is; FileError when it is none, or was changed after it was published."""
    check_format(Part(document, Faults(file)), TEMPLATE_FORMAT)
    said, found = document.get("hash"), _hash(document)
    if said == found:
        return _read(document, file)
    if isinstance(said, str):
        what = "the template was changed after it was published"
        why = f"its content gives the hash {found[:12]}…, but it names {said[:12]}{'…' if len(said) > 12 else ''}"
    else:
        what, why = "the template cannot be trusted", "it names no hash of its content"
    remedy = "use the file as it was exported, or export a new version of the flow"
    raise FileError(Problem(what, why, remedy, path=("hash",), file=file))


def write_template(path: str | Path, version: Version) -> None:
    """Writes a version; InvalidInputError when another one lies there, for a version never changes."""
    path = Path(path)
    if path.exists():
        if _holds(path, version):
            return
        what, why = f"{path.name} is there already and is another one", "a published version never changes"
        remedy = "give this one the next number, or write it elsewhere"
        raise InvalidInputError(Problem(what, why, remedy, file=str(path)))
    write_atomically(path, canonical_bytes(version.to_document()))


def _holds(path: Path, version: Version) -> bool:
    try:
        return read_template(path).hash == version.hash
    except FileError:
        return False  # whatever it is, it is not this version


def template_path(folder: str | Path, version: Version) -> Path:
    """Where a version lies in a folder."""
    return Path(folder) / f"{version.id}-{version.version}.template.json"


def versions_in(folder: str | Path, template: str) -> list[str]:
    """The numbers of a template's versions in a folder, oldest first."""
    begin, end = f"{template}-", ".template.json"
    folder = Path(folder or ".")
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    found = [name[len(begin) : -len(end)] for name in names if name.startswith(begin) and name.endswith(end)]
    return sorted(filter(is_version, found), key=precedence)


def is_version(text: str) -> bool:
    """Whether a text is a version number: three numbers, and what Semantic Versioning 2.0 allows behind them."""
    return _SEMVER.fullmatch(text) is not None


def precedence(version: str) -> tuple[Any, ...]:
    """A key that sorts version numbers as Semantic Versioning does: 1.0.0-rc.1 before 1.0.0 before 1.0.1."""
    found = _SEMVER.fullmatch(version)
    if found is None:
        raise ValueError(f"{version!r} is no version number")
    numbers = tuple(map(int, found["numbers"].split(".")))
    before = tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in (found["before"] or "").split(".")
    )
    return (numbers, (1, ()) if found["before"] is None else (0, before))


def next_version(folder: str | Path, template: str, flow: Flow | None = None) -> str:
    """The number to propose after the newest one in a folder; 1.0.0 for the first.

    With the flow that is to be published, by what it changes (see `raised`); else the next minor one.
    """
    known = versions_in(folder, template)
    if not known:
        return "1.0.0"
    if flow is None:
        return _up(known[-1], "minor")
    try:
        newest = read_template(Path(folder or ".") / f"{template}-{known[-1]}.template.json")
    except FileError:
        return _up(known[-1], "minor")
    return raised(newest, flow)


def raised(newest: Version, flow: Flow) -> str:
    """The number after `newest` for this flow: major where customers must answer again, minor where runs can differ.

    Else only texts changed, and it is a patch. Before 1.0.0 a major change raises the minor number. After a version
    such as 1.2.0-rc.1 comes 1.2.0.
    """
    changes = changes_since(newest, flow)
    if breaking(changes):
        return _up(newest.version, "major")
    return _up(newest.version, "minor" if _runs_differ(changes) else "patch")


def changes_since(newest: Version, flow: Flow) -> Changes:
    """What publishing the flow would change against a version."""
    return diff(newest.flow, flow_from_document(_exported(flow)))


def breaking(changes: Changes) -> list[str]:
    """Why customers must answer again, or what they answered is lost: one sentence for each variable and connection."""
    return [
        *_broken("variable", changes.variables),
        *_broken("connection", changes.connections),
    ]


def _broken(noun: str, entries: Mapping[str, Change]) -> Iterable[str]:
    for name, change in entries.items():
        if change.kind == "removed":
            yield f"the {noun} {name} is gone"
            continue
        asked = bool(change.after.get("required")) and change.after.get("default") is None
        before = {} if change.kind == "added" else change.before
        if change.kind == "changed" and before.get("type") != change.after.get("type"):
            yield f"the {noun} {name} is of another type"
        elif asked and not (bool(before.get("required")) and before.get("default") is None):
            yield f"the {noun} {name} must be given"
        elif change.kind == "changed" and _options(before) - _options(change.after):
            yield f"the {noun} {name} offers less"


def _options(document: Mapping[str, Json]) -> set[str]:
    options = document.get("options")
    return {repr(option) for option in options} if isinstance(options, list) else set()


def _runs_differ(changes: Changes) -> bool:
    """Whether more than texts for people changed."""
    texts = {"title", "hint", "name", "note"}
    if changes.wires_added or changes.wires_removed or {"steps", "wires"} & set(changes.reordered):
        return True
    for entries in (changes.steps, changes.variables, changes.connections):
        for change in entries.values():
            if change.kind != "changed" or any(part.path[:1] and part.path[0] not in texts for part in change.fields):
                return True
    return any(change.path[:1] == ("redact",) for change in changes.fields)


def _up(version: str, part: str) -> str:
    numbers, (is_release, _) = precedence(version)
    major, minor, patch = numbers
    if not is_release:
        return f"{major}.{minor}.{patch}"
    if part == "major" and major > 0:
        return f"{major + 1}.0.0"
    return f"{major}.{minor}.{patch + 1}" if part == "patch" else f"{major}.{minor + 1}.0"
