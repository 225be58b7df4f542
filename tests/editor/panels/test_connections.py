"""The connections page: what is needed is listed, given, tried at a real server, and forgotten; never a secret on show."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QPushButton
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor
from flowstudio.editor.desk import Desk
from flowstudio.editor.panels.connections import ConnectionsPage
from flowstudio.editor.trying import address_of_slot
from flowstudio.flow.model import Flow, Slot, Step, Variable, Wire
from flowstudio.sdk.registry import Registry
from tests.editor.world import written

LEFT = Qt.MouseButton.LeftButton


class Door:
    """A system that opens for one token alone, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.status = 0
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                given = self.headers.get("Authorization") or ""
                door.asked.append((self.command, self.path, given))
                status = door.status or (200 if given == "Bearer open-sesame" else 401)
                body = json.dumps({"ok": status == 200}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing: a test fails for stray words."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    yield made
    made.close()


def needing(address: str) -> Flow:
    """A flow that logs in at an address, by a variable."""
    config = {"method": "POST", "url": "{{ $vars.base }}/orders/{{ id }}", "connection": "crm"}
    return Flow(
        "needing",
        "Needing",
        steps={"start": Step("manual@1"), "push": Step("http@1", config=config, name="Push it")},
        wires=(Wire("start", "push"),),
        variables={"base": Variable("url", default=f"http://{address}")},
        connections={"crm": Slot("bearer", title="CRM account", required=True), "spare": Slot("basic")},
    )


def shown(editor: Editor, tmp_path: Path, flow: Flow) -> tuple[ConnectionsPage, Desk]:
    """The page, by a click on the rail, over an open flow."""
    desk = editor.window.desks.open_file(written(tmp_path, flow))
    assert desk is not None
    editor.window.rail.buttons["connections"].click()
    page = editor.window.side.connections
    assert page is not None
    assert page.isVisible()
    return page, desk


def rows(page: ConnectionsPage) -> list[list[str]]:
    """The list as it reads."""
    items = [page.list.topLevelItem(place) for place in range(page.list.topLevelItemCount())]
    return [[item.text(column) for column in range(5)] for item in items if item is not None]


@pytest.mark.slow
def test_what_the_open_flows_and_the_folder_need_is_listed(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    other = Flow("other", "Other", connections={"shop": Slot("api-key", title="Shop")})
    written(tmp_path, other, "other")
    page, desk = shown(editor, tmp_path, needing("h"))
    assert rows(page) == [
        ["CRM account", "Access token", "Needing", "1 step", "Not given"],
        ["spare", "Name and password", "Needing", "0 steps", "Not given"],
    ]
    editor.window.left.open_folder(tmp_path)
    editor.window.rail.buttons["connections"].click()
    assert rows(page)[2] == ["Shop", "API key", "Other", "0 steps", "Flow not open"]
    page.filter.setText("shop api")
    assert [row[0] for row in rows(page)] == ["Shop"]
    qtbot.mouseClick(page.open, LEFT)
    front = editor.window.desk
    assert front is not None
    assert front.document.flow.name == "Other"
    assert editor.window.panes.isVisible()
    assert desk in editor.window.desks.all


@pytest.mark.slow
def test_a_login_is_given_replaced_tried_and_forgotten(
    qtbot: QtBot, editor: Editor, tmp_path: Path, door: Door
) -> None:
    page, desk = shown(editor, tmp_path, needing(door.host))
    assert page.login is not None
    qtbot.mouseClick(page.test, LEFT)
    assert page.tested.text() == "Token is not given yet."
    secret = next(field for field in page.login.findChildren(QLineEdit))
    secret.setFocus()
    qtbot.keyClicks(secret, "wrong-one")
    qtbot.mouseClick(page.test, LEFT)
    qtbot.waitUntil(lambda: "401" in page.tested.text(), timeout=30_000)
    assert page.tested.text() == (
        f"{door.host} did not accept the login: it answered 401. Correct the login, test again."
    )
    desk.workspace.set_login("crm", "token", "open-sesame")
    qtbot.mouseClick(page.test, LEFT)
    qtbot.waitUntil(lambda: "accepted." in page.tested.text(), timeout=30_000)
    assert [(method, path) for method, path, _ in door.asked] == [("GET", "/orders/")] * 2
    assert "session" in rows(page)[0][4]
    words = [label for label in page.findChildren(QLineEdit) if "sesame" in label.displayText()]
    assert not words
    qtbot.mouseClick(page.forget, LEFT)
    assert desk.workspace.login("crm", ["token"]) == {}
    qtbot.waitUntil(lambda: rows(page)[0][4] == "Not given")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "did not refuse the login, but answered 404"), (503, "answered 503: it has trouble of its own")],
)
def test_what_says_nothing_of_the_login_is_told_so(
    qtbot: QtBot, editor: Editor, tmp_path: Path, door: Door, status: int, words: str
) -> None:
    page, desk = shown(editor, tmp_path, needing(door.host))
    desk.workspace.set_login("crm", "token", "open-sesame")
    door.status = status
    qtbot.mouseClick(page.test, LEFT)
    qtbot.waitUntil(lambda: words in page.tested.text(), timeout=30_000)


@pytest.mark.slow
def test_a_system_that_is_not_there_has_its_own_sentence(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    page, desk = shown(editor, tmp_path, needing("127.0.0.1:9"))
    desk.workspace.set_login("crm", "token", "open-sesame")
    qtbot.mouseClick(page.test, LEFT)
    qtbot.waitUntil(lambda: "refused" in page.tested.text().lower(), timeout=30_000)
    assert "open-sesame" not in page.tested.text()


@pytest.mark.slow
def test_a_login_that_nothing_uses_cannot_be_tried(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    page, desk = shown(editor, tmp_path, needing("h"))
    desk.workspace.set_login("spare", "username", "ana")
    desk.workspace.set_login("spare", "password", "x1")
    qtbot.keyClick(page.list, Qt.Key.Key_Down)
    qtbot.mouseClick(page.test, LEFT)
    assert page.tested.text().startswith("No HTTP step uses it yet")


@pytest.mark.slow
def test_a_step_that_uses_it_is_a_click_away(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    page, desk = shown(editor, tmp_path, needing("h"))
    link = next(button for button in page.findChildren(QPushButton) if button.text() == "Push it")
    qtbot.mouseClick(link, LEFT)
    assert editor.window.panes.isVisible()
    assert desk.workspace.selection == ("push",)


@pytest.mark.slow
def test_enter_goes_into_the_login_and_f6_leaves_the_list(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    page, _ = shown(editor, tmp_path, needing("h"))
    qtbot.waitUntil(page.list.hasFocus)
    qtbot.keyClick(page.list, Qt.Key.Key_Return)
    assert page.login is not None
    assert page.login.isAncestorOf(editor.window.focusWidget())
    qtbot.keyClick(editor.window, Qt.Key.Key_F6)
    assert editor.window.rail.isAncestorOf(editor.window.focusWidget())


def test_the_address_is_that_of_the_first_step_that_has_the_login() -> None:
    registry = Registry.from_entry_points()
    flow = needing("h")
    assert address_of_slot(flow, registry, "crm") == "{{ $vars.base }}/orders/"
    assert address_of_slot(flow, registry, "spare") == ""
