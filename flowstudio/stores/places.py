"""Where things are kept on this machine: the data directory, settings, and what may be thrown away."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path, user_config_path, user_data_path

APPLICATION: Final = "flowstudio"


def data_dir(given: str | os.PathLike[str] | None = None) -> Path:
    """The data directory: the one given, else `FLOWSTUDIO_DATA`, else the user's."""
    named = given or os.environ.get("FLOWSTUDIO_DATA")
    return Path(named) if named else user_data_path(APPLICATION, appauthor=False)


def config_dir() -> Path:
    """Where the editor's own settings lie: in `FLOWSTUDIO_DATA` where that is set, else where the user's settings are."""
    named = os.environ.get("FLOWSTUDIO_DATA")
    return Path(named) / "settings" if named else user_config_path(APPLICATION, appauthor=False)


def cache_dir() -> Path:
    """What may be thrown away: in `FLOWSTUDIO_DATA` where that is set, else the user's cache."""
    named = os.environ.get("FLOWSTUDIO_DATA")
    return Path(named) / "cache" if named else user_cache_path(APPLICATION, appauthor=False)
