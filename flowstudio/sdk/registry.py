"""The registry: finds components and logins by their names, each loaded when it is first asked for."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from flowstudio.errors import InvalidInputError, Problem
from flowstudio.sdk.component import Category, Component
from flowstudio.sdk.connection import Connection
from flowstudio.sdk.spec import ConnectionSpec, Spec, derive, derive_connection

COMPONENTS = "flowstudio.components"
CONNECTIONS = "flowstudio.connections"


class UnknownComponentError(InvalidInputError):
    """No such component, or not in that version, or it cannot be loaded."""


class Registry:
    """Components and logins by name. Made in one place and passed; not shared between threads while it loads."""

    def __init__(self) -> None:
        self._loaders: dict[str, Callable[[], Any]] = {}
        self._specs: dict[str, Spec] = {}
        self._connection_loaders: dict[str, Callable[[], Any]] = {}
        self._connections: dict[str, ConnectionSpec] = {}
        self._failures: dict[str, str] = {}

    @classmethod
    def from_entry_points(cls) -> Registry:
        """All that is installed: the built-in library and every third party's."""
        registry = cls()
        for point in entry_points(group=COMPONENTS):
            registry._loaders[point.name] = _loader(point)
        for point in entry_points(group=CONNECTIONS):
            registry._connection_loaders[point.name] = _loader(point)
        return registry

    def add(self, component: type[Component]) -> Spec:
        """Registers a component without an entry point: in tests, in a notebook."""
        spec = derive(component)
        self._specs[spec.name] = spec
        return spec

    def add_connection(self, connection: type[Connection]) -> ConnectionSpec:
        """Registers a kind of login without an entry point."""
        spec = derive_connection(connection)
        self._connections[spec.key] = spec
        return spec

    def spec(self, name: str) -> Spec:
        """The spec of `key@version`; UnknownComponentError names the nearest ones."""
        found = self._specs.get(name)
        if found is not None:
            return found
        key = name.partition("@")[0]
        for candidate in (name, key):
            if candidate in self._loaders and candidate not in self._failures:
                self._load(candidate)
        found = self._specs.get(name)
        if found is None:
            raise UnknownComponentError(self._unknown(name))
        return found

    def knows(self, name: str) -> bool:
        """Whether `spec(name)` would find it."""
        try:
            self.spec(name)
        except UnknownComponentError:
            return False
        return True

    def specs(self) -> list[Spec]:
        """All components that can be loaded, by category, then title; `failures` tells of the others."""
        for name in list(self._loaders):
            if name not in self._failures:
                self._load(name)
        order = list(Category)
        return sorted(
            self._specs.values(), key=lambda spec: (order.index(spec.component.category), spec.title, spec.version)
        )

    @property
    def failures(self) -> dict[str, str]:
        """Entry points that could not be loaded, with the reason."""
        return dict(self._failures)

    def connection(self, key: str) -> ConnectionSpec:
        """The spec of a kind of login; UnknownComponentError names the nearest ones."""
        found = self._connections.get(key)
        if found is not None:
            return found
        loader = self._connection_loaders.get(key)
        if loader is None:
            known = sorted({*self._connections, *self._connection_loaders})
            near = difflib.get_close_matches(key, known, 3) or known
            raise UnknownComponentError(
                Problem(f"there is no connection type {key!r}", remedy=f"use one of {', '.join(near)}")
            )
        return self.add_connection(loader())

    def connections(self) -> list[ConnectionSpec]:
        """All kinds of login, by title."""
        for key in self._connection_loaders:
            self.connection(key)
        return sorted(self._connections.values(), key=lambda spec: spec.title)

    def _load(self, name: str) -> None:
        key, _, version = name.partition("@")
        if any(spec.key == key and (not version or str(spec.version) == version) for spec in self._specs.values()):
            return
        try:
            component = self._loaders[name]()
            spec = derive(component)
        except Exception as error:  # a third party's module may fail in any way; the others must still work
            self._failures[name] = f"{type(error).__name__}: {error}"
            return
        self._specs[spec.name] = spec

    def _unknown(self, name: str) -> Problem:
        key, _, version = name.partition("@")
        failure = self._failures.get(name) or self._failures.get(key)
        if failure is not None:
            return Problem(
                f"the component {name} cannot be loaded",
                why=failure,
                remedy="repair or reinstall the package that brings it",
            )
        if not version:
            return Problem(f"{name!r} names no version", remedy=f"write {key}@1")
        versions = [spec.name for spec in self._specs.values() if spec.key == key]
        if versions:
            return Problem(
                f"there is no {name}",
                why=f"installed is {', '.join(sorted(versions))}",
                remedy="use an installed version, or update FlowStudio",
            )
        near = difflib.get_close_matches(key, self._keys(), 3)
        remedy = f"did you mean {' or '.join(near)}?" if near else "install the package that brings it"
        return Problem(f"there is no component {name}", remedy=remedy)

    def _keys(self) -> Iterable[str]:
        return sorted({name.partition("@")[0] for name in (*self._loaders, *self._specs)})


def _loader(point: EntryPoint) -> Callable[[], Any]:
    return point.load
