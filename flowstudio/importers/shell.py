"""The words of a command line as it was copied from a shell, a manual or a browser."""

from __future__ import annotations

import re
from typing import Final

OPEN: Final = "\ue000"
CLOSE: Final = "\ue001"
"""A variable of the shell stands in a word between these two; letters that no text has."""

_VARIABLE: Final = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Z_][A-Z0-9_]*))")
_ENDS: Final = frozenset("|;&<>\n")
_ANSI: Final = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "e": "\x1b",
    "E": "\x1b",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "?": "?",
}
_CODE: Final = re.compile(r"x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})")
_HERE: Final = re.compile(r"<<-?\s*(['\"]?)(\w+)\1[^\n]*\n(.*?)\n\s*\2\s*(?:\n|$)", re.DOTALL)


class UnclosedQuoteError(ValueError):
    """A quotation mark that nothing closes."""


def words_of(command: str) -> tuple[list[str], str | None]:
    """The words of the first command in a text, and what a here-document gives it to read.

    Line ends are continued as in a POSIX shell (`\\`), in cmd (`^`) or in PowerShell (a back-tick). What follows a pipe,
    a semicolon or a redirection belongs to other commands.
    """
    here = _HERE.search(command)
    read = None
    if here is not None:
        read = here[3]
        command = command[: here.start()]
    command = command.replace("\r\n", "\n").strip()
    command = re.sub(r"^(?:[$>#%]|PS [^>]*>)\s+", "", command)
    if _is_cmd(command):
        command = _from_cmd(command)
    command = re.sub(r"[\\`^][ \t]*\n", " ", command)
    return _split(command), read


def _is_cmd(command: str) -> bool:
    return '^"' in command or re.search(r"\^[ \t]*\n", command) is not None


def _from_cmd(command: str) -> str:
    """A command line of cmd, in which `^` takes the meaning of the next character, as one of a POSIX shell."""
    command = re.sub(r"\^[ \t]*\n[ \t]*(\n)?", lambda found: "\n" if found[1] else " ", command)
    return re.sub(r"\^(.)", r"\1", command, flags=re.DOTALL)


def _split(command: str) -> list[str]:
    words: list[str] = []
    word: list[str] = []
    begun = False
    place = 0
    while place < len(command):
        character = command[place]
        if command.startswith("$'", place):
            text, place = _ansi(command, place + 2)
            word.append(text)
            begun = True
        elif character == "'":
            close = command.find("'", place + 1)
            if close < 0:
                raise UnclosedQuoteError
            word.append(command[place + 1 : close])
            begun, place = True, close + 1
        elif character == '"':
            text, place = _double(command, place + 1)
            word.append(text)
            begun = True
        elif character == "\\" and place + 1 < len(command):
            word.append(command[place + 1])
            begun, place = True, place + 2
        elif (found := _VARIABLE.match(command, place)) is not None:
            word.append(f"{OPEN}{found[1] or found[2]}{CLOSE}")
            begun, place = True, found.end()
        elif character.isspace() or character in _ENDS:
            if begun:
                words.append("".join(word))
            word, begun = [], False
            if character in _ENDS and not (character == "&" and _inside_address(command, place)):
                if words:
                    return words
            elif character == "&":
                # An address that nobody quoted: the shell would cut it here, whoever copied it meant all of it.
                word = [words.pop(), "&"] if words else ["&"]
                begun = True
            place += 1
        else:
            word.append(character)
            begun, place = True, place + 1
    if begun:
        words.append("".join(word))
    return words


def _inside_address(command: str, place: int) -> bool:
    before = re.search(r"\S*$", command[:place])
    return before is not None and "?" in before[0] and re.match(r"&[\w.%-]+=", command[place:]) is not None


def _double(command: str, place: int) -> tuple[str, int]:
    """The text of a double-quoted part that begins at a place, and the place after it."""
    text: list[str] = []
    while place < len(command):
        character = command[place]
        if character == '"':
            return "".join(text), place + 1
        if character == "\\" and place + 1 < len(command):
            following = command[place + 1]
            text.append(following if following in '"\\$`' else "" if following == "\n" else f"\\{following}")
            place += 2
        elif (found := _VARIABLE.match(command, place)) is not None:
            text.append(f"{OPEN}{found[1] or found[2]}{CLOSE}")
            place = found.end()
        else:
            text.append(character)
            place += 1
    raise UnclosedQuoteError


def _ansi(command: str, place: int) -> tuple[str, int]:
    """The text of a `$'…'` part that begins at a place, and the place after it."""
    text: list[str] = []
    while place < len(command):
        character = command[place]
        if character == "'":
            joined = "".join(text)
            # Two halves of one character may have been written one after the other.
            return joined.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), place + 1
        if character != "\\" or place + 1 >= len(command):
            text.append(character)
            place += 1
            continue
        code = _CODE.match(command, place + 1)
        if code is not None:
            digits = code[1] or code[2] or code[3]
            number = int(digits, 16) if digits else int(code[4], 8)
            text.append(chr(number) if number < 0x110000 else "\ufffd")
            place = code.end()
        else:
            text.append(_ANSI.get(command[place + 1], f"\\{command[place + 1]}"))
            place += 2
    raise UnclosedQuoteError


def quoted(text: str) -> str:
    """A text as one word of a POSIX shell; variables between OPEN and CLOSE stay variables."""
    if OPEN in text:
        parts = re.split(f"{OPEN}(\\w+){CLOSE}", text)
        written = ""
        for number, part in enumerate(parts):
            written += f"${{{part}}}" if number % 2 else re.sub(r'(["\\$`])', r"\\\1", part)
        written = re.sub(r"\$\{(\w+)\}(?!\w)", r"$\1", written)
        return f'"{written}"'
    if text and re.fullmatch(r"[\w@%+=:,./-]+", text, re.ASCII):
        return text
    return "'" + text.replace("'", "'\\''") + "'"
