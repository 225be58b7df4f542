"""What belongs to working on a flow but not to the flow: selection, view, marks, test values, the chosen sample."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeVar

from PySide6.QtCore import QObject, QTimer, Signal

from flowstudio.errors import SecretStoreError, StoreError
from flowstudio.flow.files import sample_path, sample_paths
from flowstudio.flow.jsonvalue import same
from flowstudio.flow.model import ABSENT, Flow, Json, Wire

T = TypeVar("T")

KEPT_REQUESTS: Final = 20
"""How many captured requests are remembered, the newest first."""

_WRITE_AFTER_MS: Final = 600
_LARGEST_KEPT_PAYLOAD: Final = 1_000_000

_log = logging.getLogger(__name__)


class Views(Protocol):
    """Where view state lies, by a flow file's absolute path (see stores/views)."""

    def read(self, path: Path) -> dict[str, Any]:
        """What was written last; empty if nothing was."""

    def write(self, path: Path, state: dict[str, Any]) -> None:
        """Keeps the state in the place of the one before."""


class Secrets(Protocol):
    """Where test logins lie (see stores/secrets)."""

    def get(self, name: str) -> str | None: ...
    def set(self, name: str, value: str) -> None: ...
    def delete(self, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """A payload to run a flow on.

    `file` lies beside the flow (`path`; the payload is read when it is needed), `captured` is a request that was caught,
    `edited` was typed, `none` is null. `trigger` is the step that it starts, None where there is only one; `meta` is what
    `$meta` shows of it.
    """

    kind: Literal["none", "file", "captured", "edited"] = "none"
    title: str = "No sample"
    payload: Json = None
    meta: Mapping[str, Json] | None = None
    trigger: str | None = None
    path: Path | None = None

    def to_json(self) -> dict[str, Json]:
        """The sample as view state holds it."""
        return {
            "kind": self.kind,
            "title": self.title,
            "payload": self.payload,
            "meta": dict(self.meta) if self.meta is not None else None,
            "trigger": self.trigger,
            "path": str(self.path) if self.path is not None else None,
        }

    @classmethod
    def from_json(cls, document: Any) -> Sample | None:
        """What `to_json` wrote; None for anything else."""
        if not isinstance(document, dict) or document.get("kind") not in ("none", "file", "captured", "edited"):
            return None
        path, meta = document.get("path"), document.get("meta")
        return cls(
            kind=document["kind"],
            title=str(document.get("title", "")),
            payload=document.get("payload"),
            meta=meta if isinstance(meta, dict) else None,
            trigger=document.get("trigger"),
            path=Path(path) if isinstance(path, str) else None,
        )


NO_SAMPLE: Final = Sample()


def samples_beside(flow_path: Path | None, trigger: str | None = None, steps: Collection[str] = ()) -> list[Sample]:
    """The samples that lie beside a flow's file, the plain one first; `trigger` is given where the flow has several."""
    if flow_path is None:
        return []
    stem = sample_path(flow_path).name.removesuffix(".sample.json")
    found = []
    for path in sample_paths(flow_path, trigger, steps):
        name = path.name.removesuffix("sample.json").removesuffix(".")
        label = name.removeprefix(stem).removeprefix(".")
        if trigger is not None:
            label = label.removeprefix(trigger).removeprefix(".")
        found.append(Sample("file", label or stem, trigger=trigger, path=path))
    return found


@dataclass(frozen=True, slots=True)
class Selection:
    """What is selected: steps, wires, notes and groups together, each in the order they were chosen."""

    steps: tuple[str, ...] = ()
    wires: tuple[Wire, ...] = ()
    notes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.steps or self.wires or self.notes or self.groups)

    @property
    def wire(self) -> Wire | None:
        """The one wire, where nothing else is selected."""
        return self.wires[0] if len(self.wires) == 1 and not (self.steps or self.notes or self.groups) else None

    @property
    def note(self) -> str | None:
        """The note chosen last, where no step is selected."""
        return self.notes[-1] if self.notes and not self.steps else None

    @property
    def group(self) -> str | None:
        """The group chosen last, where neither step nor note is selected."""
        return self.groups[-1] if self.groups and not (self.steps or self.notes) else None


@dataclass(frozen=True, slots=True)
class View:
    """Where the canvas looks; None until it was looked at."""

    zoom: float | None = None
    centre: tuple[float, float] | None = None


@dataclass(slots=True)
class _State:
    view: View = field(default_factory=View)
    collapsed: frozenset[str] = frozenset()
    breakpoints: dict[str, dict[str, Json]] = field(default_factory=dict)
    muted: bool = False
    errors_stop: bool = False
    pins: dict[str, Json] = field(default_factory=dict)
    values: dict[str, Json] = field(default_factory=dict)
    sample: Sample | None = None
    captured: tuple[Sample, ...] = ()
    extra: dict[str, Json] = field(default_factory=dict)


class Workspace(QObject):
    """The state of working on one document. All but the selection is kept between sessions once the flow has a file."""

    selection_changed = Signal()
    values_changed = Signal(str)
    """A variable's test value changed (its name)."""
    logins_changed = Signal(str)
    """A connection's test login changed (the slot's name)."""
    sample_changed = Signal()
    marks_changed = Signal(object)
    """Breakpoints or pins changed on these steps (a frozenset of ids)."""
    breakpoints_changed = Signal()
    """What a run shall stop at changed: a breakpoint, whether they are muted, whether any error stops."""
    folded = Signal(object)
    """These groups were folded or unfolded (a frozenset of ids)."""
    restored = Signal()
    """State was read for another file: everything may have changed."""

    def __init__(
        self,
        views: Views | None = None,
        secrets: Callable[[], Secrets] | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._views = views
        self._open_secrets = secrets
        self._secrets: Secrets | None = None
        self._secrets_note: str | None = None
        self._logins: dict[str, dict[str, str]] = {}
        self._path: Path | None = None
        self._selected = Selection()
        self._state = _State()
        self._timer = QTimer(self, singleShot=True, interval=_WRITE_AFTER_MS)
        self._timer.timeout.connect(self.write)

    @property
    def selection(self) -> tuple[str, ...]:
        """The selected steps, in the order they were chosen."""
        return self._selected.steps

    @property
    def selected(self) -> Selection:
        """The whole selection: steps, wires, notes and groups."""
        return self._selected

    @property
    def current_step(self) -> str | None:
        """The step that inspector and data panel show: the one chosen last."""
        return self._selected.steps[-1] if self._selected.steps else None

    def select(
        self,
        steps: Iterable[str] = (),
        *,
        wires: Iterable[Wire] = (),
        notes: Iterable[str] = (),
        groups: Iterable[str] = (),
    ) -> None:
        """Selects these and nothing else."""
        selected = Selection(_once(steps), _once(wires), _once(notes), _once(groups))
        if selected != self._selected:
            self._selected = selected
            self.selection_changed.emit()

    def follow(self, flow: Flow, renamed: Mapping[str, str] | None = None) -> None:
        """Keeps the state to what the flow still has, after it changed; `renamed` is old id to new id of steps."""
        names = renamed or {}
        was = self._selected
        self.select(
            (names.get(step, step) for step in was.steps if names.get(step, step) in flow.steps),
            wires=_still(was.wires, flow, names),
            notes=(note for note in was.notes if note in flow.notes),
            groups=(group for group in was.groups if group in flow.groups),
        )
        for old, new in names.items():
            if old in self._state.breakpoints:
                self._state.breakpoints[new] = self._state.breakpoints.pop(old)
            if old in self._state.pins:
                self._state.pins[new] = self._state.pins.pop(old)
        if names:
            self._touch()

    @property
    def view(self) -> View:
        """Where the canvas looked last."""
        return self._state.view

    def set_view(self, zoom: float, centre: tuple[float, float]) -> None:
        """Remembers where the canvas looks."""
        view = View(zoom, centre)
        if view != self._state.view:
            self._state.view = view
            self._touch()

    @property
    def collapsed(self) -> frozenset[str]:
        """The groups that are folded."""
        return self._state.collapsed

    def set_collapsed(self, groups: Iterable[str], collapsed: bool) -> None:
        """Folds or unfolds groups."""
        before, asked = self._state.collapsed, frozenset(groups)
        after = before | asked if collapsed else before - asked
        if after != before:
            self._state.collapsed = after
            self._touch()
            self.folded.emit(before ^ after)

    def remembered(self, key: str, default: Json = None) -> Json:
        """A panel's own state of this flow (which view of a payload was open, say)."""
        return self._state.extra.get(key, default)

    def remember(self, key: str, value: Json) -> None:
        """Keeps a panel's own state of this flow."""
        if self._state.extra.get(key, ABSENT) != value:
            self._state.extra[key] = value
            self._touch()

    @property
    def breakpoints(self) -> Mapping[str, Mapping[str, Json]]:
        """Step to breakpoint, as the session's `breakpoints` takes them."""
        return self._state.breakpoints

    def set_breakpoint(self, step: str, breakpoint: Mapping[str, Json] | None) -> None:  # noqa: A002 - its name
        """Sets or (None) removes the breakpoint of a step."""
        if breakpoint is None:
            self._state.breakpoints.pop(step, None)
        else:
            self._state.breakpoints[step] = dict(breakpoint)
        self._touch()
        self.marks_changed.emit(frozenset({step}))
        self.breakpoints_changed.emit()

    @property
    def muted(self) -> bool:
        """Whether no breakpoint stops a run for now."""
        return self._state.muted

    def set_muted(self, muted: bool) -> None:
        """Lets the breakpoints rest, or be in force again."""
        if muted != self._state.muted:
            self._state.muted = muted
            self._touch()
            self.marks_changed.emit(frozenset(self._state.breakpoints))
            self.breakpoints_changed.emit()

    @property
    def errors_stop(self) -> bool:
        """Whether a run stops where any step fails."""
        return self._state.errors_stop

    def set_errors_stop(self, stop: bool) -> None:
        """Says whether a run stops where any step fails."""
        if stop != self._state.errors_stop:
            self._state.errors_stop = stop
            self._touch()
            self.breakpoints_changed.emit()

    def stops(self, steps: Collection[str]) -> list[dict[str, Json]]:
        """The breakpoints of these steps as the session takes them; one that stays as it is keeps its id and its count."""
        told: list[dict[str, Json]] = [
            {**mark, "id": step, "step": step} for step, mark in self._state.breakpoints.items() if step in steps
        ]
        if self._state.errors_stop:
            told.append({"id": "any error", "step": None, "when": "error"})
        return told

    @property
    def pins(self) -> Mapping[str, Json]:
        """Step to what stands in for it, as the session's `run` takes pins: `{payload, port}` or `{error}`."""
        return self._state.pins

    def set_pin(self, step: str, pin: Json) -> None:
        """Pins an output to a step; ABSENT removes it."""
        if pin is ABSENT:
            self._state.pins.pop(step, None)
        else:
            self._state.pins[step] = pin
        self._touch()
        self.marks_changed.emit(frozenset({step}))

    @property
    def values(self) -> Mapping[str, Json]:
        """Variable to its test value; one that is not here has its default. Secret ones are logins, never here."""
        return self._state.values

    def set_value(self, name: str, value: Json) -> None:
        """Gives a variable a test value; ABSENT takes it away."""
        values = self._state.values
        before = values.get(name, ABSENT)
        if value is before or (value is not ABSENT and before is not ABSENT and same(before, value)):
            return
        if value is ABSENT:
            del values[name]
        else:
            values[name] = value
        self._touch()
        self.values_changed.emit(name)

    @property
    def logins_note(self) -> str | None:
        """Why logins are kept for this session only, one sentence; None where they are kept for good."""
        self._secret_store()
        return self._secrets_note

    def login(self, slot: str, fields: Iterable[str]) -> dict[str, str]:
        """The test login of a connection slot: those of its fields that were given."""
        given = self._logins.setdefault(slot, {})
        store = self._secret_store()
        if store is not None:
            for name in fields:
                if name not in given and (kept := self._kept_secret(store, slot, name)) is not None:
                    given[name] = kept
        return {name: given[name] for name in fields if name in given}

    def set_login(self, slot: str, name: str, value: str | None) -> None:
        """Sets one field of a slot's test login; None or nothing takes it away."""
        given = self._logins.setdefault(slot, {})
        if value:
            given[name] = value
        else:
            given.pop(name, None)
        self._keep_secret(slot, name, value)
        self.logins_changed.emit(slot)

    @property
    def sample(self) -> Sample | None:
        """The chosen sample; None while nobody has chosen, which takes the one beside the flow."""
        return self._state.sample

    def choose_sample(self, sample: Sample | None) -> None:
        """Chooses what Run starts with."""
        if sample != self._state.sample:
            self._state.sample = sample
            self._touch()
            self.sample_changed.emit()

    @property
    def captured(self) -> tuple[Sample, ...]:
        """The requests that were captured, the newest first."""
        return self._state.captured

    def add_captured(self, sample: Sample, *, choose: bool = True) -> None:
        """Remembers a captured request, and chooses it for the next run."""
        self._state.captured = (sample, *self._state.captured)[:KEPT_REQUESTS]
        if choose:
            self.choose_sample(sample)
        else:
            self.sample_changed.emit()
        self._touch()

    def attach(self, path: Path | None) -> None:
        """Goes on with the state kept for this file, or, where none is kept, with what there is."""
        self.write()
        self._path = path
        if path is None or self._views is None:
            return
        kept = self._views.read(path)
        if kept:
            self._state = _state_from(kept)
            self._logins.clear()
            self.restored.emit()
        else:
            self._touch()
            self._keep_secrets()

    def write(self) -> None:
        """Writes the state now."""
        self._timer.stop()
        if self._path is None or self._views is None:
            return
        try:
            self._views.write(self._path, _state_document(self._state))
        except (OSError, StoreError) as error:
            _log.warning("The view of %s could not be kept: %s", self._path.name, error)

    def _touch(self) -> None:
        if self._path is not None and self._views is not None:
            self._timer.start()

    def _secret_store(self) -> Secrets | None:
        if self._secrets is None and self._secrets_note is None:
            if self._open_secrets is None:
                self._secrets_note = "Logins are kept for this session only."
            else:
                try:
                    self._secrets = self._open_secrets()
                except SecretStoreError as error:
                    self._secrets_note = _session_only(error)
        return self._secrets if self._path is not None else None

    def _keep_secret(self, place: str, name: str, value: str | None) -> None:
        store = self._secret_store()
        if store is None:
            return
        try:
            if value:
                store.set(self._secret_name(place, name), value)
            else:
                store.delete(self._secret_name(place, name))
        except (SecretStoreError, StoreError) as error:
            self._secrets, self._secrets_note = None, _session_only(error)

    def _keep_secrets(self) -> None:
        """Puts what was given before the flow had a file where it is kept for good."""
        for slot, fields in self._logins.items():
            for name, value in fields.items():
                self._keep_secret(slot, name, value)

    def _kept_secret(self, store: Secrets, slot: str, name: str) -> str | None:
        with contextlib.suppress(SecretStoreError, StoreError):
            return store.get(self._secret_name(slot, name))
        return None

    def _secret_name(self, slot: str, name: str) -> str:
        where = hashlib.sha256(str(self._path).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return f"test/{where}/{slot}/{name}"


def _once(entries: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(entries))


def _still(wires: Iterable[Wire], flow: Flow, names: Mapping[str, str]) -> Iterator[Wire]:
    """Those of the wires that the flow has, under the new ids of their steps."""
    known: set[Wire] | None = None
    for wire in wires:
        if known is None:
            known = set(flow.wires)
        now = replace(wire, source=names.get(wire.source, wire.source), target=names.get(wire.target, wire.target))
        if now in known:
            yield now


def _session_only(error: Exception) -> str:
    return f"Logins are kept for this session only. {error}"


def _state_document(state: _State) -> dict[str, Json]:
    return {
        "zoom": state.view.zoom,
        "centre": list(state.view.centre) if state.view.centre is not None else None,
        "collapsed": sorted(state.collapsed),
        "breakpoints": state.breakpoints,
        "muted": state.muted,
        "errors_stop": state.errors_stop,
        "pins": state.pins,
        "values": state.values,
        "sample": _small(state.sample).to_json() if state.sample is not None else None,
        "captured": [sample.to_json() for sample in state.captured if sample == _small(sample)],
        "panels": state.extra,
    }


def _small(sample: Sample) -> Sample:
    """View state is read whole at each start: a large payload stays in its file, or in this session."""
    if sample.kind == "file":
        return replace(sample, payload=None)
    return sample if len(repr(sample.payload)) <= _LARGEST_KEPT_PAYLOAD else NO_SAMPLE


def _state_from(document: Mapping[str, Any]) -> _State:
    def mapping(key: str) -> dict[str, Any]:
        value = document.get(key)
        return dict(value) if isinstance(value, dict) else {}

    def listed(key: str) -> list[Any]:
        value = document.get(key)
        return value if isinstance(value, list) else []

    zoom, centre = document.get("zoom"), listed("centre")
    looked = all(isinstance(value, int | float) for value in (zoom, *centre)) and len(centre) == 2
    samples = (Sample.from_json(item) for item in listed("captured"))
    return _State(
        view=View(float(document["zoom"]), (float(centre[0]), float(centre[1]))) if looked else View(),
        collapsed=frozenset(str(group) for group in listed("collapsed")),
        breakpoints={step: dict(mark) for step, mark in mapping("breakpoints").items() if isinstance(mark, dict)},
        muted=document.get("muted") is True,
        errors_stop=document.get("errors_stop") is True,
        pins=mapping("pins"),
        values=mapping("values"),
        sample=Sample.from_json(document.get("sample")),
        captured=tuple(sample for sample in samples if sample is not None),
        extra=mapping("panels"),
    )
