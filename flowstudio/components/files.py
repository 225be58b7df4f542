"""Files on disk, for the steps that read and write them: where they lie, and why they cannot be had."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import BinaryIO, Final

from flowstudio.sdk import StepError

PIECE: Final = 256 * 1024
"""Bytes that are read at once."""


def located(path: str, folder: Path) -> Path:
    """Where a path leads: a relative one begins in `folder`."""
    if not path.strip():
        raise StepError("The path is empty; give the name of a file", type="Path", retryable=False)
    if "\0" in path:
        raise StepError(
            f"The path {path!r} has a NUL character in it, which no file has; correct it", type="Path", retryable=False
        )
    return folder / path


def refused(path: str, deed: str, error: OSError | ValueError) -> StepError:
    """Why a file cannot be read or written (`deed`), in one sentence."""
    if isinstance(error, FileNotFoundError):
        kind, told = "NoSuchFile", "there is no such file; check the path, relative ones begin in the flow's folder"
        if deed == "written":
            kind, told = "NoSuchFolder", "its folder does not exist; make it, or switch on Make folders"
    elif isinstance(error, FileExistsError):
        kind, told = "FileExists", "it is there already; choose another name, or another mode"
    elif isinstance(error, IsADirectoryError):
        kind, told = "IsAFolder", "it is a folder; name a file in it"
    elif isinstance(error, NotADirectoryError):
        kind, told = "NoSuchFolder", "a part of its path is a file, not a folder; correct the path"
    elif isinstance(error, PermissionError):
        kind, told = "NoPermission", "permissions forbid it; change them, or choose another place"
    else:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        kind, told = "File", f"{reason[:1].lower()}{reason[1:]}; check the path and the disk"
    # A full disk or a share that is away may be well again at the next try; what is not there will not come by itself.
    return StepError(f"{path} cannot be {deed}: {told}", type=kind, retryable=None if kind == "File" else False)


def opened(place: Path, path: str) -> BinaryIO:
    """A file to be read; StepError when it is none. Pipes and devices are not opened: they may never end."""
    try:
        found = place.stat()
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError
        if not stat.S_ISREG(found.st_mode):
            raise StepError(
                f"{path} cannot be read: it is a pipe or a device, not a file; copy what it gives into a file",
                type="NotAFile",
                retryable=False,
            )
        return place.open("rb", buffering=0)
    except (OSError, ValueError) as error:
        raise refused(path, "read", error) from error


def pieces(place: Path, path: str, size: int, modified: int) -> Generator[bytes, None, None]:
    """The bytes of a file, in pieces; StepError when it is no longer the one of this size and time (nanoseconds)."""
    with opened(place, path) as file:
        try:
            now = os.fstat(file.fileno())
            if (now.st_size, now.st_mtime_ns) != (size, modified):
                raise _changed(path)
            taken = 0
            while piece := file.read(PIECE):
                taken += len(piece)
                yield piece
            after = os.fstat(file.fileno())
            if (after.st_size, after.st_mtime_ns) != (size, modified) or (size and taken != size):
                raise _changed(path)
        except OSError as error:
            raise refused(path, "read", error) from error


def _changed(path: str) -> StepError:
    return StepError(
        f"{path} was changed since this run opened it, so its rows may not belong together; run the flow again",
        type="FileChanged",
        retryable=False,
    )


def has_content(place: Path) -> bool:
    """Whether there is a file with anything in it; what cannot be looked at is said when it is written."""
    try:
        return place.stat().st_size > 0
    except (OSError, ValueError):
        return False


def write(place: Path, path: str, content: Iterable[bytes], mode: str, *, folders: bool) -> int:
    """Writes a file, and gives the number of bytes written. `mode` is replace, append or create.

    `replace` is all or nothing: whoever reads sees the old bytes or the new ones, and what fails leaves the old file.
    `create` leaves nothing behind when it fails, `append` cuts off what it had added.
    """
    try:
        if folders:
            place.parent.mkdir(parents=True, exist_ok=True)
        if mode == "append":
            return _append(place, content)
        if mode == "create":
            return _create(place, content)
        return _replace(place, path, content)
    except (OSError, ValueError) as error:
        if isinstance(error, FileExistsError) and folders and not place.parent.is_dir():
            error = NotADirectoryError()
        raise refused(path, "written", error) from error


def _put(file: BinaryIO, content: Iterable[bytes]) -> int:
    size = 0
    for piece in content:
        file.write(piece)
        size += len(piece)
    file.flush()
    os.fsync(file.fileno())
    return size


def _append(place: Path, content: Iterable[bytes]) -> int:
    _regular(place)
    with place.open("ab") as file:
        before = file.tell()
        try:
            return _put(file, content)
        except BaseException:
            with contextlib.suppress(OSError, ValueError):
                file.flush()
            file.truncate(before)
            raise


def _create(place: Path, content: Iterable[bytes]) -> int:
    with place.open("xb") as file:
        try:
            return _put(file, content)
        except BaseException:
            _gone(place)
            raise


def _replace(place: Path, path: str, content: Iterable[bytes]) -> int:
    # A link stays a link: what it leads to is replaced.
    target = Path(os.path.realpath(place))
    before = _regular(target)
    if before is not None and not os.access(target, os.W_OK):
        raise PermissionError
    beside = target.parent / f".flowstudio-{secrets.token_hex(8)}.tmp"
    # Not tempfile: that makes files for the owner alone, a new file here has the usual permissions.
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            size = _put(file, content)
        if before is not None:
            beside.chmod(stat.S_IMODE(before.st_mode))
        os.replace(beside, target)
    except BaseException:
        _gone(beside)
        raise
    _sync_folder(target.parent)
    return size


def _regular(place: Path) -> os.stat_result | None:
    """What is there before writing; None where nothing is."""
    try:
        found = place.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is a pipe or a device, not a file")
    return found


def _gone(place: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        place.unlink()


def _sync_folder(folder: Path) -> None:
    """Makes the renaming last through a power cut, where the system can do that to a folder."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
