"""Two recorded runs side by side: their visits aligned by address, and what differs between each pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowstudio.stores.runs import RunStore

Json = Any
Visit = Mapping[str, Json]


def aligned(history: RunStore, a: str, b: str) -> list[dict[str, Json]]:
    """The visits of both runs by address, in the order of the first and then of the second; KeyError for no run.

    Each is `{address, step, a, b, differs}`: the visits (null where a run has none there), and what is not the same of
    `input`, `output`, `status` and `error`. An address means the same place in every run of a flow, whatever came first.
    """
    history.run(a), history.run(b)
    left, right = _by_address(history.course(a)), _by_address(history.course(b))
    found: list[dict[str, Json]] = []
    for address in _merged(list(left), list(right)):
        before, after = left.get(address), right.get(address)
        one = before or after
        assert one is not None
        told = {"address": address, "step": one["step"], "a": before, "b": after}
        found.append({**told, "differs": _differs(before, after)})
    return found


def _by_address(visits: Sequence[Visit]) -> dict[str, Visit]:
    return {str(visit["address"]): visit for visit in visits}


def _merged(left: Sequence[str], right: Sequence[str]) -> list[str]:
    """The addresses of both; one that only the right has stands behind the one before it there."""
    known = set(left)
    behind: dict[str, list[str]] = {}
    last = ""
    for address in right:
        if address in known:
            last = address
        else:
            behind.setdefault(last, []).append(address)
    merged = behind.get("", [])[:]
    for address in left:
        merged.append(address)
        merged += behind.get(address, ())
    return merged


def _differs(a: Visit | None, b: Visit | None) -> list[str]:
    if a is None or b is None:
        return ["visit"]
    differs = [side for side in ("input", "output") if _name(a.get(side)) != _name(b.get(side))]
    if a["status"] != b["status"]:
        differs.append("status")
    if _said(a) != _said(b):
        differs.append("error")
    return differs


def _name(ref: Any) -> str | None:
    return None if ref is None else str(ref["hash"])


def _said(visit: Visit) -> str:
    error = visit.get("error") or {}
    return str(error.get("message") or "")


__all__ = ["aligned"]
