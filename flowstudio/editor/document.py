"""The open flow with its file, its undo stack and its copy for recovery: the only writer of a flow."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from flowstudio.errors import EditRefusedError, FileError, StoreError
from flowstudio.flow.diff import Changes, diff
from flowstudio.flow.edits import ClearConfig, Edit, SetConfig, touches
from flowstudio.flow.files import FlowFile, read_flow, sample_path, sample_paths, save_flow, write_atomically
from flowstudio.flow.model import Flow

MERGE_WITHIN: Final = 1.0
"""Seconds within which the next edit of the same field joins the one before it."""

RECOVERY_AFTER_MS: Final = 1500
"""How long an unsaved change stays in memory alone."""

_TYPED: Final = ("Set", "Move")
"""Edits that come in series from one gesture (typing, nudging); the others are one step each."""

_NO_ID: Final = "untitled"
_NO_NAME: Final = "Untitled flow"
"""What a new flow is called until somebody says otherwise."""

_log = logging.getLogger(__name__)


class Recovery(Protocol):
    """Where copies of unsaved documents lie (see stores/recovery)."""

    def keep(
        self, document_key: str, path: Path | None, flow_document: Mapping[str, Any], layout_document: Mapping[str, Any]
    ) -> None:
        """Keeps a copy of what is not saved, in the place of the one before."""

    def drop(self, document_key: str) -> None:
        """Forgets the copy, if there is one."""


class EditCommand(QUndoCommand):
    """The flow before and after one edit; consecutive edits of one field become one command."""

    def __init__(
        self,
        document: Document,
        before: Flow,
        after: Flow,
        changes: Changes,
        title: str,
        key: tuple[object, ...] | None,
        at: float,
    ) -> None:
        super().__init__(title)
        self.before = before
        self.after = after
        self.key = key
        self.at = at
        self._document = document
        self._changes: Changes | None = changes

    def id(self) -> int:
        return -1 if self.key is None else 1

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, EditCommand) or other.key != self.key or other.at - self.at > MERGE_WITHIN:
            return False
        self.after = other.after
        self.at = other.at
        self.setText(other.text())
        if not diff(self.before, self.after):
            self.setObsolete(True)
        return True

    def redo(self) -> None:
        changes, self._changes = self._changes, None
        self._document._become(self.after, changes)

    def undo(self) -> None:
        self._document._become(self.before, None)


class Document(QObject):
    """A flow being edited. Whoever wants it changed calls `apply` with an edit; whoever shows it listens to `changed`."""

    changed = Signal(object, object)
    """The flow as it is now, and its Changes from what it was."""
    refused = Signal(object, object)
    """An edit that did not apply, and the Problem that says why."""
    saved = Signal()
    path_changed = Signal()
    modified_changed = Signal(bool)

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        recovery: Recovery | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self.key: Final = uuid.uuid4().hex
        """Names this document among the copies for recovery."""
        self.undo_stack: Final = QUndoStack(self)
        self.saved_at: float | None = None
        """When it was last saved in this session, seconds since the epoch."""
        self._flow = _empty_flow()
        self._saved_flow = self._flow
        self._file: FlowFile | None = None
        self._example: Path | None = None
        self._clock = clock
        self._series = 0
        self._telling = False
        self._recovery = recovery
        self._recovery_timer = QTimer(self, singleShot=True, interval=RECOVERY_AFTER_MS)
        self._recovery_timer.timeout.connect(self.keep_for_recovery)
        self.undo_stack.cleanChanged.connect(self._clean_changed)

    @property
    def flow(self) -> Flow:
        """The flow as it is now."""
        return self._flow

    @property
    def path(self) -> Path | None:
        """The flow's file; None before it is saved for the first time."""
        return self._file.path if self._file is not None else None

    @property
    def samples_path(self) -> Path | None:
        """The flow file beside which the samples lie: its own, or the example's that it was copied from."""
        return self.path or self._example

    @property
    def is_modified(self) -> bool:
        """Whether there are edits since it was opened or saved."""
        return not self.undo_stack.isClean()

    @property
    def would_lose(self) -> bool:
        """Whether closing it would lose something: edits that undo each other lose nothing."""
        return self.is_modified and bool(diff(self._saved_flow, self._flow))

    @property
    def is_telling(self) -> bool:
        """Whether an edit is being told to those who listen: until they all know, no other can be made."""
        return self._telling

    def new(self, flow: Flow | None = None, *, example: Path | None = None) -> None:
        """Starts an unsaved document, empty or from `flow`; `example` is the file whose samples it uses until saved."""
        self._example = example
        self._begin(flow or _empty_flow(), None)

    def open(self, path: Path) -> None:
        """Reads a flow's file; FileError says what is wrong with it, and the document stays as it was."""
        file = read_flow(path)
        self._example = None
        self._begin(file.flow, file)

    @property
    def saved_flow(self) -> Flow:
        """The flow as it was opened or saved last."""
        return self._saved_flow

    def reload(self) -> None:
        """Takes the file as it is now, one step of undo; FileError says what is wrong with it, and nothing changes."""
        if self._file is None:
            return
        file = read_flow(self._file.path)
        self.end_series()
        before = self._flow
        self._file, self._saved_flow = file, file.flow
        changes = diff(before, file.flow)
        if changes:
            self.undo_stack.push(EditCommand(self, before, file.flow, changes, "reload from disk", None, self._clock()))
        self.undo_stack.setClean()
        self.drop_recovery()

    def recover(self, flow: Flow, path: Path | None) -> None:
        """Takes over the unsaved copy that an earlier editor left; it stays modified until it is saved."""
        try:
            if path is None:
                self.new()
            else:
                self.open(path)
        except FileError:
            # The file was lost or broken meanwhile; the copy is whole, and saving it asks for a place.
            self.new()
        self.undo_stack.resetClean()
        self._become(flow, None)

    def save(self, path: Path | None = None) -> None:
        """Writes the flow to its file, or to `path`, which becomes its file; StoreError when it cannot.

        A flow that nobody has given an id takes it, and its name too, from the file.
        """
        if path is None and self.path is None:
            raise ValueError("a document that was never saved needs a path")
        self.end_series()
        before = self.path
        named = _named_after(self._flow, path or self.path)
        if named is not self._flow:
            self._become(named, None)
        self._file = save_flow(self._file, self._flow, path)
        self._saved_flow = self._flow
        self.saved_at = time.time()
        self.undo_stack.setClean()
        self.drop_recovery()
        if self.path != before:
            self.path_changed.emit()
        self.saved.emit()

    def changed_on_disk(self) -> bool:
        """Whether somebody else has written the flow's file since it was read or saved here."""
        if self._file is None:
            return False
        try:
            return self._file.path.read_bytes() != self._file.flow_bytes
        except FileNotFoundError:
            return False
        except OSError as error:
            _log.debug("Whether %s was changed cannot be told: %s", self._file.path, error)
            return False

    def bring_samples(self, origin: Path) -> None:
        """Copies the samples that lie beside `origin` beside this flow's file; those that are there already stay."""
        if self.path is None:
            return
        plain = sample_path(origin).name.removesuffix("sample.json")
        mine = sample_path(self.path).name.removesuffix("sample.json")
        for sample in sample_paths(origin):
            target = self.path.with_name(mine + sample.name.removeprefix(plain))
            if not target.exists():
                write_atomically(target, sample.read_bytes())

    def apply(self, edit: Edit) -> bool:
        """Makes an edit, as one step of undo; False when it was refused. An edit that changes nothing leaves no step."""
        if self._telling:
            raise RuntimeError("an edit came from within the news of another; apply it when that has been told")
        before = self._flow
        try:
            after = edit.apply(before)
        except EditRefusedError as error:
            self.refused.emit(edit, error.problem)
            return False
        changes = diff(before, after)
        if not changes:
            return True
        key = self._series_key(edit, before)
        self.undo_stack.push(EditCommand(self, before, after, changes, edit.title, key, self._clock()))
        return True

    def end_series(self) -> None:
        """The next edit begins a step of undo of its own: called when a field loses the focus."""
        self._series += 1

    def keep_for_recovery(self) -> None:
        """Writes the copy for recovery now, if there is something to lose."""
        self._recovery_timer.stop()
        if self._recovery is None:
            return
        try:
            if self.would_lose:
                self._recovery.keep(self.key, self.path, self._flow.to_document(), self._flow.layout.to_document())
            else:
                self._recovery.drop(self.key)
        except (OSError, StoreError) as error:
            _log.warning("The copy for recovery could not be written: %s", error)

    def drop_recovery(self) -> None:
        """Forgets the copy for recovery: the document was saved, or closed on purpose."""
        self._recovery_timer.stop()
        if self._recovery is None:
            return
        try:
            self._recovery.drop(self.key)
        except (OSError, StoreError) as error:
            _log.warning("The copy for recovery could not be removed: %s", error)

    def _begin(self, flow: Flow, file: FlowFile | None) -> None:
        before = self.path
        self._file = file
        self._saved_flow = flow
        self.end_series()
        self.undo_stack.clear()
        self.undo_stack.setClean()
        self._become(flow, None)
        self.drop_recovery()
        if self.path != before:
            self.path_changed.emit()

    def _become(self, flow: Flow, changes: Changes | None) -> None:
        before, self._flow = self._flow, flow
        told = diff(before, flow) if changes is None else changes
        if self._recovery is not None and not self._recovery_timer.isActive():
            self._recovery_timer.start()
        self._telling = True
        try:
            self.changed.emit(flow, told)
        finally:
            self._telling = False

    def _series_key(self, edit: Edit, flow: Flow) -> tuple[object, ...] | None:
        if isinstance(edit, SetConfig | ClearConfig):
            # A field that is emptied while it is typed in is cleared, and its object may first have to be made: one series.
            return ("config", edit.step, edit.path[:1], self._series)
        name = type(edit).__name__
        if not name.startswith(_TYPED):
            return None
        return (name, touches(edit, flow), self._series)

    def _clean_changed(self, clean: bool) -> None:
        self.modified_changed.emit(not clean)


def _empty_flow() -> Flow:
    return Flow(id=_NO_ID, name=_NO_NAME)


def _named_after(flow: Flow, path: Path | None) -> Flow:
    if flow.id != _NO_ID or path is None:
        return flow
    stem = path.name.removesuffix(".json").removesuffix(".flow")
    words = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")
    name = " ".join(re.split(r"[-_ ]+", stem)).strip()
    return replace(
        flow,
        id=words if words[:1].isalpha() else f"flow-{words}".rstrip("-"),
        name=name[:1].upper() + name[1:] if flow.name == _NO_NAME and name else flow.name,
    )
