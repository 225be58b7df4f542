"""Lines by number: all of them in order, however many lie in memory, in a block or in the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowstudio.errors import StoreError
from flowstudio.stores import lines
from flowstudio.stores.lines import LineLog


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")), max_size=60),
    st.integers(-2, 70),
    st.integers(-2, 70),
)
def test_lines_are_read_as_they_were_written(tmp_path: Path, written: list[bytes], start: int, count: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_BLOCK", 64)
        patch.setattr(lines, "_IN_MEMORY", 100)
        log = LineLog(tmp_path)
        assert [log.append(line) for line in written] == list(range(len(written)))
        assert len(log) == len(written)
        assert log.lines(0, len(written)) == written
        first = max(0, start)
        assert log.lines(start, count) == written[first : first + max(0, count)]
        for number in (0, len(written) // 2, len(written) - 1):
            if 0 <= number < len(written):
                assert log.line(number) == written[number]
        for number in (-1, len(written)):
            with pytest.raises(IndexError):
                log.line(number)


def test_many_lines_leave_memory_and_nothing_in_the_folder(tmp_path: Path) -> None:
    log = LineLog(tmp_path)
    for number in range(50_000):
        log.append(b'{"visit":%d,"hash":"%064x"}' % (number, number * 7919**5))
    assert len(log._packed) == 0
    assert log.line(25_000).startswith(b'{"visit":25000,')
    assert [line[:9] for line in log.lines(49_998, 9)] == [b'{"visit":', b'{"visit":']
    del log
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_BLOCK", 1)
    monkeypatch.setattr(lines, "_IN_MEMORY", 0)
    with pytest.raises(StoreError, match="make room there"):
        LineLog(tmp_path / "nowhere").append(b"x")
