"""Flows, layouts and samples in files: read with every fault named, written canonically and all or nothing."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from flowstudio.errors import FileError, PathKey, Problem, StoreError
from flowstudio.flow.arrange import arrange, complete
from flowstudio.flow.faults import Faults, Part, optional_text, raw, required
from flowstudio.flow.jsonvalue import decode, describe, path_text
from flowstudio.flow.model import (
    ABSENT,
    FLOW_FORMAT,
    ID_PATTERN,
    LAYOUT_FORMAT,
    Flow,
    Group,
    Json,
    Layout,
    Note,
    Slot,
    Step,
    Variable,
    Wire,
    canonical_bytes,
)

_FORMAT: Final = re.compile(r"flowstudio/([a-z]+)@([1-9][0-9]{0,8})")
_FLOW_KEYS: Final = (
    "format",
    "id",
    "name",
    "description",
    "label",
    "redact",
    "variables",
    "connections",
    "steps",
    "wires",
    "notes",
    "groups",
)
_STEP_KEYS: Final = ("component", "name", "config", "retry", "timeout", "disabled", "note")
_VARIABLE_KEYS: Final = ("type", "title", "hint", "required", "default", "options")
_SLOT_KEYS: Final = ("type", "title", "hint", "required")
# The longer marks come first: that of UTF-32 begins with that of UTF-16.
_WIDE: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
T = TypeVar("T")

ID_RULE: Final = "an id begins with a small letter, then small letters, digits, - and _"


def check_format(whole: Part, wanted: str) -> None:
    """Raises FileError when a document is of another kind, of a newer version or of no format at all."""
    document, faults = whole.value, whole.faults
    kind, _, version = wanted.removeprefix("flowstudio/").partition("@")
    noun = f"a {kind}" if kind != "customers" else "a customers file"
    remedy = f'{noun} begins with {{"format": "{wanted}"'
    if not isinstance(document, dict):
        why = f"it holds {describe(document)}"
        problem = Problem(f"the file is not {noun}", why, remedy, path=whole.path, file=faults.file)
        raise FileError([problem, *faults.problems])
    path = (*whole.path, "format")
    said = document.get("format")
    if said == wanted:
        return
    found = _FORMAT.fullmatch(said) if isinstance(said, str) else None
    if found and found[1] == kind and int(found[2]) > int(version):
        what = f"the file was written by a newer FlowStudio ({said})"
        why, remedy = f"this one reads {wanted}", "update FlowStudio"
    elif found and found[1] != kind:
        what, why, remedy = f"the file is not {noun}", f"its format is {said}", f"choose {noun}"
    else:
        what = f"the file is not {noun}"
        why = 'it has no "format"' if "format" not in document else f"its format is {describe(said)}"
    raise FileError([Problem(what, why, remedy, path=path, file=faults.file), *faults.problems])


def flow_from_document(document: Json, file: str | None = None, at: tuple[PathKey, ...] = ()) -> Flow:
    """The flow that a JSON document describes, without a layout; FileError names every fault with its path.

    `at` is where the document stands in its file (a template's `flow`). Wires to missing steps, unknown components and
    the like are data: the plan's rules speak of them.
    """
    faults = Faults(file)
    whole = Part(document, faults, at)
    check_format(whole, FLOW_FORMAT)
    parts, extra = whole.keys(_FLOW_KEYS)
    identity = required(parts, "id", whole, 'give it one, such as "customer-sync"')
    name = required(parts, "name", whole, 'give it one, such as "Customer sync"')
    steps = required(parts, "steps", whole, 'a flow without steps has "steps": {}')
    flow = Flow(
        id=identity.text(empty=False) if identity else "",
        name=name.text() if name else "",
        steps=_steps(steps) if steps else {},
        wires=_wires(parts["wires"]) if "wires" in parts else (),
        description=optional_text(parts, "description"),
        label=optional_text(parts, "label"),
        redact=parts["redact"].texts('list payload paths, such as "customer.iban"') if "redact" in parts else (),
        variables=_named(parts, "variables", variable_from_part),
        connections=_named(parts, "connections", slot_from_part),
        notes=_named(parts, "notes", note_from_part),
        groups=_named(parts, "groups", group_from_part),
        extra=extra,
    )
    faults.raise_any()
    return flow


def _steps(whole: Part) -> dict[str, Step]:
    steps: dict[str, Step] = {}
    for key, part in whole.entries('write {"ID": {"component": "KEY@MAJOR"}, …}'):
        if not ID_PATTERN.fullmatch(key):
            what = f"{path_text(whole.path)} holds a step with the id {describe(key).removeprefix('the text ')}"
            part.fault(ID_RULE, "change the id, also in wires and expressions", what)
        steps[key] = step_from_part(part.of_step(key))
    return steps


def step_from_part(part: Part) -> Step:
    """The step that a part of a document describes."""
    parts, extra = part.keys(_STEP_KEYS, 'write {"component": "KEY@MAJOR"}')
    component = required(parts, "component", part, 'write "KEY@MAJOR", such as "http@1"')
    return Step(
        component=component.text('write "KEY@MAJOR", such as "http@1"', empty=False) if component else "",
        config=parts["config"].object() if "config" in parts else {},
        name=optional_text(parts, "name"),
        retry=parts["retry"].object('write {"attempts": 3}') if "retry" in parts else None,
        timeout=parts["timeout"].number("write seconds, such as 30") if "timeout" in parts else None,
        disabled=parts["disabled"].boolean() if "disabled" in parts else False,
        note=optional_text(parts, "note"),
        extra=extra,
    )


def _wires(whole: Part) -> tuple[Wire, ...]:
    wires: list[Wire] = []
    for part in whole.elements('write ["a -> b", "a:error -> c"]'):
        if not isinstance(part.value, str):
            part.fault("a wire is a text", 'write "STEP[:PORT] -> STEP[:PORT]"')
            continue
        try:
            wires.append(Wire.parse(part.value))
        except ValueError:
            part.fault("a wire joins two steps", 'write "STEP[:PORT] -> STEP[:PORT]"')
    return tuple(wires)


def _named(parts: dict[str, Part], key: str, read: Callable[[Part], T]) -> dict[str, T]:
    if key not in parts:
        return {}
    found: dict[str, T] = {}
    for name, part in parts[key].entries():
        if not name.strip():
            part.fault(
                "a name is not empty", "give it one", f"{path_text(parts[key].path)} holds an entry without a name"
            )
        found[name] = read(part)
    return found


def variable_from_part(part: Part) -> Variable:
    """The variable that a part of a document describes."""
    parts, extra = part.keys(_VARIABLE_KEYS, 'write {"type": "text"}')
    kind = required(parts, "type", part, 'write "text", "number", "url" …')
    return Variable(
        type=kind.text(empty=False) if kind else "",
        title=optional_text(parts, "title"),
        hint=optional_text(parts, "hint"),
        default=raw(part, "default"),
        required=parts["required"].boolean() if "required" in parts else None,
        options=parts["options"].value if "options" in parts else None,
        extra=extra,
    )


def slot_from_part(part: Part) -> Slot:
    """The connection slot that a part of a document describes."""
    parts, extra = part.keys(_SLOT_KEYS, 'write {"type": "bearer"}')
    kind = required(parts, "type", part, 'write "basic", "bearer", "api-key" …')
    return Slot(
        type=kind.text(empty=False) if kind else "",
        title=optional_text(parts, "title"),
        hint=optional_text(parts, "hint"),
        required=parts["required"].boolean() if "required" in parts else None,
        extra=extra,
    )


def note_from_part(part: Part) -> Note:
    """The note that a part of a document describes."""
    parts, extra = part.keys(("text",), 'write {"text": "…"}')
    text = required(parts, "text", part)
    return Note(text.text() if text else "", extra)


def group_from_part(part: Part) -> Group:
    """The group that a part of a document describes."""
    parts, extra = part.keys(("title", "steps"), 'write {"title": "…", "steps": ["a", "b"]}')
    title = required(parts, "title", part)
    steps = parts["steps"].texts("list the ids of steps") if "steps" in parts else ()
    return Group(title.text() if title else "", steps, extra)


def layout_from_document(document: Json, file: str | None = None) -> Layout:
    """The layout that a JSON document describes; places of unknown ids are kept. FileError names every fault."""
    faults = Faults(file)
    whole = Part(document, faults)
    check_format(whole, LAYOUT_FORMAT)
    parts, extra = whole.keys(("format", "steps", "notes", "groups"))
    layout = Layout(
        steps=_places(parts, "steps", ("x", "y")),
        notes=_places(parts, "notes", ("x", "y", "width", "height")),
        groups=_places(parts, "groups", ("x", "y", "width", "height")),
        extra=extra,
    )
    faults.raise_any()
    return layout


def _places(parts: dict[str, Part], key: str, names: tuple[str, ...]) -> dict[str, Any]:
    if key not in parts:
        return {}
    return {name: part.numbers(names) for name, part in parts[key].entries()}


@dataclass(frozen=True, slots=True)
class FlowFile:
    """A flow with the bytes that it was read from or written as; `layout_bytes` None: there is no layout file."""

    path: Path
    flow: Flow
    flow_bytes: bytes
    layout_bytes: bytes | None = None


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """A file's bytes; FileError says why they cannot be had."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        problem = Problem("there is no such file", str(path), "check the name", file=str(path))
    except IsADirectoryError:
        problem = Problem("this is a folder, not a file", str(path), "name a file in it", file=str(path))
    except PermissionError:
        problem = Problem("the file may not be read", "its permissions forbid it", "change them", file=str(path))
    except (OSError, ValueError) as error:
        problem = Problem("the file cannot be read", _reason(error), "check the disk and the name", file=str(path))
    raise FileError(problem)


def read_json(path: str | os.PathLike[str]) -> Json:
    """The JSON value in a file of ours, strictly: see `jsonvalue.decode`."""
    return decode(read_bytes(path), str(path))


def read_flow(path: str | os.PathLike[str], *, arranged: bool = True) -> FlowFile:
    """A flow with its layout, which is computed where there is no layout file or where it lacks something.

    `arranged` False leaves the layout out, unread: nobody will look at this flow.
    """
    path = Path(path)
    data = read_bytes(path)
    flow = flow_from_document(_flow_document(data, str(path)), str(path))
    if not arranged:
        return FlowFile(path, flow, data)
    beside = layout_path(path)
    if not os.path.exists(beside):  # Path.exists raises where a folder may not be searched
        return FlowFile(path, flow.with_layout(arrange(flow)), data)
    layout_bytes = read_bytes(beside)
    layout = layout_from_document(decode(layout_bytes, str(beside)), str(beside))
    return FlowFile(path, flow.with_layout(complete(flow.with_layout(layout))), data, layout_bytes)


def _flow_document(data: bytes, file: str) -> Json:
    """The document in a flow file. What is no flow at all is called that, before anything about its keys."""
    try:
        return decode(data, file)
    except FileError as error:
        if all(problem.path for problem in error.problems):
            document = decode(data, file, repeated_keys=True)
            check_format(Part(document, Faults(file, list(error.problems))), FLOW_FORMAT)
        raise


def save_flow(file: FlowFile | None, flow: Flow, path: str | os.PathLike[str] | None = None) -> FlowFile:
    """Writes a flow where it came from or to `path`, and gives what the disk now holds.

    `file` is what was read before, None for a new flow. What was not changed is written with the bytes that it was
    read from. A layout file is written if there was one, if something was moved since, or if what was changed would
    have the steps lie elsewhere when they are next arranged. A file that already holds
    the right bytes is left alone. StoreError says why nothing was saved.
    """
    if path is None and file is None:
        raise ValueError("a new flow is saved to a path")
    target = Path(path) if path is not None else file.path  # type: ignore[union-attr]
    flow_bytes = canonical_bytes(flow.to_document())
    layout_bytes: bytes | None = canonical_bytes(flow.layout.to_document())
    if file is not None:
        if flow_bytes == canonical_bytes(file.flow.to_document()):
            flow_bytes = file.flow_bytes
        moved = layout_bytes != canonical_bytes(file.flow.layout.to_document())
        if not moved and _is_restored(flow, file.layout_bytes):
            layout_bytes = file.layout_bytes
    elif _is_restored(flow, None):
        layout_bytes = None
    _write_if_other(target, flow_bytes)
    if layout_bytes is not None:
        _write_if_other(layout_path(target), layout_bytes)
    return FlowFile(target, flow, flow_bytes, layout_bytes)


def _is_restored(flow: Flow, layout_bytes: bytes | None) -> bool:
    """Whether the flow lies just so when it is next read with such a layout file (None: with none)."""
    if flow.layout == Layout():
        return True
    if layout_bytes is None:
        return flow.layout == arrange(flow)
    return flow.layout == complete(flow.with_layout(layout_from_document(decode(layout_bytes))))


def _write_if_other(path: Path, data: bytes) -> None:
    if not _holds(path, data):
        write_atomically(path, data)


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False  # not there or not readable: writing it will say what is wrong


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Replaces a file whole: whoever reads it, also after a crash, sees the old bytes or the new ones.

    A link is followed, permissions are kept, a file that is write-protected is not replaced. StoreError says why it
    could not be written; then the old file stands untouched.
    """
    named = Path(path)
    try:
        target = Path(os.path.realpath(named))
        before = target.stat() if target.exists() else None
        if before is not None and stat.S_ISDIR(before.st_mode):
            raise StoreError(f"{named} could not be saved: it is a folder; choose another name")
        if before is not None and not os.access(target, os.W_OK):
            raise StoreError(f"{named} could not be saved: it is write-protected; allow writing or save a copy")
        beside = target.parent / f".flowstudio-{secrets.token_hex(8)}.tmp"
        # Not tempfile: that makes files for the owner alone, a new file here has the usual permissions.
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            if before is not None:
                _keep_permissions(beside, before)
            os.replace(beside, target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                beside.unlink()
            raise
        _sync_folder(target.parent)
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{named} could not be saved: {_reason(error)}; put that right or save it elsewhere"
        ) from error


def _keep_permissions(path: Path, before: os.stat_result) -> None:
    if hasattr(os, "chown") and (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
        # Giving a file to another owner is for root alone; whoever may replace it saves it as his own.
        with contextlib.suppress(PermissionError):
            os.chown(path, before.st_uid, before.st_gid)
    path.chmod(stat.S_IMODE(before.st_mode))


def _sync_folder(folder: Path) -> None:
    """Makes the renaming last through a power cut, where the system can do that to a folder."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _reason(error: Exception) -> str:
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return words[:1].lower() + words[1:]


def _stem(flow_path: str | os.PathLike[str]) -> tuple[Path, str]:
    path = Path(flow_path)
    for ending in (".flow.json", ".json"):
        if path.name.endswith(ending) and path.name != ending:
            return path.parent, path.name.removesuffix(ending)
    return path.parent, path.name


def layout_path(flow_path: str | os.PathLike[str]) -> Path:
    """Where the layout of a flow lies."""
    folder, stem = _stem(flow_path)
    return folder / f"{stem}.layout.json"


def sample_path(flow_path: str | os.PathLike[str], trigger: str | None = None, label: str | None = None) -> Path:
    """Where a sample of a flow lies; `trigger` is given where the flow has several."""
    folder, stem = _stem(flow_path)
    return folder / ".".join(part for part in (stem, trigger, label, "sample", "json") if part)


def sample_paths(
    flow_path: str | os.PathLike[str], trigger: str | None = None, steps: Collection[str] = ()
) -> list[Path]:
    """The samples beside a flow, the unlabelled one first, then by label.

    With a trigger, those of that trigger; where it has none of its own, those that name no trigger. `steps` are the
    flow's ids, by which a sample of another trigger is told from one with a label.
    """
    folder, stem = _stem(flow_path)
    begin, end = f"{stem}.", "sample.json"
    try:
        names = [entry.name for entry in folder.iterdir() if entry.name.startswith(begin) and entry.name.endswith(end)]
    except OSError:
        return []  # no folder, no samples
    middles: dict[str, str] = {}
    for name in names:
        middle = name[len(begin) : -len(end)]
        if not middle or middle.endswith("."):
            middles[name] = middle.removesuffix(".")
    if trigger is not None:
        own = {
            name: middle for name, middle in middles.items() if middle == trigger or middle.startswith(f"{trigger}.")
        }
        others = {name: middle for name, middle in middles.items() if middle.partition(".")[0] not in steps}
        middles = own or others
    return [folder / name for name in sorted(middles, key=lambda name: (middles[name].count("."), middles[name]))]


def read_sample(flow_path: str | os.PathLike[str], trigger: str | None = None) -> Json:
    """The payload of the unlabelled sample beside a flow, of a trigger's own first; ABSENT if there is none.

    FileError when it is not JSON. A key that stands twice counts with its last value, as in any payload.
    """
    for path in dict.fromkeys((sample_path(flow_path, trigger), sample_path(flow_path))):
        if path.is_file():
            return read_payload(path)
    return ABSENT


def read_payload(path: str | os.PathLike[str]) -> Json:
    """The payload in a file: as `read_json`, except that of a key that stands twice the last value counts.

    UTF-16 and UTF-32 are read where the file begins with their mark, as the body of a request is.
    """
    data = read_bytes(path)
    for mark, encoding in _WIDE:
        if data.startswith(mark):
            with contextlib.suppress(UnicodeDecodeError):  # then it is no text, which `decode` says
                data = data.decode(encoding).encode()
            break
    return decode(data, str(path), repeated_keys=True)
