"""Texts found in stored payloads: chunk by chunk, the same as in the whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowstudio.stores.payloads import PayloadStore
from flowstudio.trace import payloads as naming
from flowstudio.trace.search import search
from tests.stores.test_chunked_payloads import TREES, fine_chunks


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=settings.default.max_examples // 2)
@given(TREES, st.sampled_from(["a", "0", "00", "null", "true", '"', "\\", "é", "zz"]))
def test_a_text_is_found_in_chunks_as_in_the_whole(tmp_path: Path, payload: Any, text: str) -> None:
    with fine_chunks(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(naming, "WHOLE_UP_TO", 60)
        store = PayloadStore(tmp_path / "payloads")
        name = store.put(payload).hash
        store.close()
        store = PayloadStore(tmp_path / "payloads")
        found = store.found(name, text)
        found.grow()
        assert [tuple(path) for path in found.paths(0, 10_000)] == search(payload, text)
        store.close()


def test_a_text_is_found_over_the_border_of_two_pieces_of_a_long_one(tmp_path: Path) -> None:
    store = PayloadStore(tmp_path)
    long = "".join(f"{n:07d}" for n in range(300_000))
    name = store.put({"text": long, "rest": [1]}).hash
    store.close()
    store = PayloadStore(tmp_path)
    for wanted in ("01500000150001", long[65_000:67_000], long[-9:]):
        found = store.found(name, wanted)
        found.grow()
        assert found.paths(0, 2) == [["text"]], wanted
    store.close()


def test_hits_come_as_far_as_somebody_asks(tmp_path: Path) -> None:
    store = PayloadStore(tmp_path)
    name = store.put([{"name": f"Customer {n}", "note": "x" * 100} for n in range(30_000)]).hash
    store.close()
    store = PayloadStore(tmp_path)
    found = store.found(name, "customer 1")
    found.grow(0.0)
    assert not found.complete
    found.grow()
    assert len(found) == 11_111
    assert found.paths(11_110, 5) == [[19_999, "name"]]
    store.close()


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200), st.integers(1, 40))
@pytest.mark.slow
def test_a_value_is_given_out_in_pieces(tmp_path_factory: pytest.TempPathFactory, text: str, size: int) -> None:
    store = PayloadStore(tmp_path_factory.mktemp("pieces"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flowstudio.stores.pieces.PIECE", size)
        pieces = store.pieces(store.put([text]).hash, [0])
        read, last = "", False
        while not last:
            piece, last = pieces.piece(len(read))
            read += piece
        assert read == text
        assert pieces.piece(0)[0] == text[:size], "from the beginning again"
    store.close()
