"""Which commands can be done now, as the flow in front stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flowstudio.editor.desk import Desk

_WITH_A_FLOW: Final = (
    "save",
    "save_as",
    "export",
    "close_tab",
    "rename_flow",
    "compare_saved",
    "find",
    "where_used",
    "edit_sample",
    "listen",
    "mute",
    "errors_stop",
    "palette",
    "outline",
    "data",
    "inspector",
    "problems",
    "log",
    "ledger",
    "frame_all",
    "reset_layout",
)
"""What can be done whenever a flow is on show."""


def possible(desk: Desk | None) -> Mapping[str, bool]:
    """By command whether it can be done; `desk` is the flow on show, None while no flow is."""
    stack = desk.document.undo_stack if desk is not None else None
    live = desk is not None and desk.playback.is_live
    stands = desk is not None and desk.playback.paused is not None
    looking = desk is not None and desk.playback.is_looking
    chosen = desk is not None and desk.workspace.current_step is not None
    visited = desk is not None and bool(desk.playback.visits)
    can = {
        "undo": stack is not None and stack.canUndo(),
        "redo": stack is not None and stack.canRedo(),
        "run": desk is not None and desk.playback.status != "starting",
        "run_free": desk is not None and (not live or stands),
        "pause": live and not stands,
        "back": visited,
        "on": looking,
        "find_payload": visited,
        "filter_payload": visited,
        "compare_payload": visited,
        "over": stands,
        "into": stands,
        "out": stands,
        "until": chosen and (not live or stands),
        "run_from": chosen and not live,
        "run_step": chosen and not live,
        "to_now": looking,
        "fork": looking,
        "retry": chosen and visited and (not live or stands),
        "focus": chosen,
        "breakpoint": chosen,
        "condition": chosen,
        "edit_pin": desk is not None and desk.workspace.current_step in desk.workspace.pins,
        "restart": desk is not None and desk.playback.status != "idle",
        "stop": live,
        "capture": desk is not None and not live,
        "keep_sample": desk is not None
        and desk.workspace.sample is not None
        and desk.workspace.sample.kind in ("captured", "edited"),
    }
    can |= dict.fromkeys(_WITH_A_FLOW, desk is not None)
    has_file = desk is not None and desk.document.path is not None
    can |= {"reload": has_file, "compare_commit": has_file}
    return can
