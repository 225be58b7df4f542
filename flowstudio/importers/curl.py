"""A cURL command as a request of the `http` component, and a request as a cURL command.

Credentials are told apart from all else: they belong into a connection or a secret variable, never into a flow.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

from flowstudio.errors import InvalidInputError, Problem
from flowstudio.expressions.names import written as written_name
from flowstudio.expressions.syntax import MAX_TEXT
from flowstudio.importers.shell import CLOSE, OPEN, UnclosedQuoteError, quoted, words_of

Json = Any

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")

_FLAGS: Final = frozenset(
    """
    compressed silent show-error verbose include fail fail-with-body insecure location location-trusted get head globoff
    http1.0 http1.1 http2 http2-prior-knowledge http3 ipv4 ipv6 no-buffer progress-bar remote-name remote-time
    remote-header-name create-dirs anyauth basic digest ntlm negotiate netrc netrc-optional tlsv1 tlsv1.0 tlsv1.1
    tlsv1.2 tlsv1.3 sslv3 ssl ssl-reqd tcp-nodelay tcp-fastopen path-as-is raw parallel no-keepalive keepalive
    retry-all-errors retry-connrefused junk-session-cookies proxytunnel post301 post302 post303 no-progress-meter
    styled-output fail-early no-alpn no-npn disable ftp-pasv crlf xattr tr-encoding proxy-insecure ca-native
    """.split()
)
_VALUES: Final = frozenset(
    """
    request header data data-ascii data-binary data-raw data-urlencode json form form-string user user-agent referer
    cookie cookie-jar url url-query output write-out max-time connect-timeout retry retry-delay retry-max-time proxy
    proxy-user cert cert-type key key-type cacert capath ciphers resolve connect-to interface dns-servers limit-rate
    range upload-file oauth2-bearer aws-sigv4 config netrc-file pass trace trace-ascii stderr unix-socket max-redirs
    max-filesize speed-limit speed-time time-cond continue-at noproxy socks5 socks5-hostname socks4 pinnedpubkey
    proxy-header keepalive-time expect100-timeout happy-eyeballs-timeout-ms tls-max rate variable doh-url request-target
    """.split()
)
_SHORT: Final = {
    "X": "request",
    "H": "header",
    "d": "data",
    "F": "form",
    "u": "user",
    "A": "user-agent",
    "e": "referer",
    "b": "cookie",
    "c": "cookie-jar",
    "o": "output",
    "w": "write-out",
    "m": "max-time",
    "x": "proxy",
    "U": "proxy-user",
    "E": "cert",
    "T": "upload-file",
    "K": "config",
    "r": "range",
    "C": "continue-at",
    "Y": "speed-limit",
    "y": "speed-time",
    "z": "time-cond",
    "G": "get",
    "I": "head",
    "s": "silent",
    "S": "show-error",
    "v": "verbose",
    "i": "include",
    "f": "fail",
    "k": "insecure",
    "L": "location",
    "g": "globoff",
    "0": "http1.0",
    "4": "ipv4",
    "6": "ipv6",
    "N": "no-buffer",
    "#": "progress-bar",
    "O": "remote-name",
    "R": "remote-time",
    "J": "remote-header-name",
    "n": "netrc",
    "Z": "parallel",
    "j": "junk-session-cookies",
    "p": "proxytunnel",
    "q": "disable",
}
_REMARKS: Final = {
    "insecure": "-k is left out: certificates are always checked.",
    "location": "-L is left out: a redirect is an answer like any other here.",
    "location-trusted": "--location-trusted is left out: a redirect is an answer like any other here.",
    "proxy": "The proxy is left out: it is set for the whole host.",
    "cert": "The client certificate is left out: there is no such connection yet.",
    "key": "The private key is left out: there is no such connection yet.",
    "digest": "Digest is not known: the login is sent as Basic.",
    "ntlm": "NTLM is not known: the login is sent as Basic.",
    "negotiate": "Negotiate is not known: the login is sent as Basic.",
    "aws-sigv4": "Signing for AWS is not known: the request is sent unsigned.",
    "netrc": "The login in .netrc is not read: choose a connection.",
    "netrc-file": "The login in .netrc is not read: choose a connection.",
    "config": "The configuration file is not read.",
    "unix-socket": "The socket is left out: the address is called over the network.",
    "range": "The range is left out: add a header Range if it is needed.",
}
_OF_BROWSERS: Final = re.compile(
    r"(?i)sec-.*|accept-encoding|accept-language|priority|authority|upgrade-insecure-requests|connection|content-length|dnt|"
    r"pragma|cache-control|te|:.*|if-none-match|origin|referer|user-agent"
)
_SECRET: Final = re.compile(
    r"(?i)(?:.*[-_.])?(?:api[-_]?key|apikey|token|secret|password|passwd|pwd|authorization|credentials?|session[-_]?id|"
    r"access[-_]?key|private[-_]?key|auth|key|sig|signature)"
)
_SECRET_IN_BODY: Final = re.compile(
    r"(?i)(?:.*[-_.])?(?:api[-_]?key|apikey|(?:access|refresh|auth|id)?[-_]?token|secret|password|passwd|pwd|assertion)"
)
_NO_SECRET: Final = re.compile(
    r"(?i)idempotency-key|.*(?:public|primary|foreign|sort|partition|cache)[-_]?key|page_?token"
)
_VARIABLE: Final = re.compile(f"{OPEN}(\\w+){CLOSE}")


class CurlError(InvalidInputError):
    """A text that is no cURL command, or one that cannot become a request."""


@dataclass(frozen=True, slots=True)
class Login:
    """What a connection must know: the key of its kind, and its fields. An empty field is one that nobody told."""

    kind: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CurlRequest:
    """What a command sends, as the settings of the `http` component.

    `config` has no credentials: `login` belongs into a connection, `secrets` (by name) into variables of the type secret
    that the settings read as `$vars.NAME`. `variables` are names of the shell's variables that they read in the same way.
    `remarks` are sentences about what was left out.
    """

    config: Mapping[str, Json]
    login: Login | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)
    variables: tuple[str, ...] = ()
    timeout: float | None = None
    attempts: int | None = None
    remarks: tuple[str, ...] = ()


def is_curl(text: str) -> bool:
    """Whether a text looks like a cURL command."""
    return re.match(r"\s*(?:[$>#%]\s+)?(?:sudo\s+|time\s+|\w+=\S+\s+)*curl(?:\.exe)?[\s^]", text) is not None


def read_curl(command: str) -> CurlRequest:
    """The request that a command sends; CurlError says why there is none."""
    if not is_curl(command + " "):
        raise _refused("this is no cURL command", "it does not begin with curl", "copy the whole command")
    try:
        words, here = words_of(command)
    except UnclosedQuoteError:
        raise _refused(
            "the command is not complete", "a quotation mark is not closed", "copy the whole command"
        ) from None
    while words and not re.fullmatch(r"(?:.*/)?curl(?:\.exe)?", words[0]):
        words.pop(0)
    return _Reader(here).read(words[1:])


def _refused(what: str, why: str, remedy: str) -> CurlError:
    return CurlError([Problem(what, why=why, remedy=remedy)])


class _Reader:
    """Takes in one option after the other, and makes the request of them."""

    def __init__(self, here: str | None) -> None:
        self._here = here
        self._urls: list[str] = []
        self._method = ""
        self._headers: list[tuple[str, str]] = []
        self._data: list[str] = []
        self._json = False
        self._from_file = False
        self._form: list[tuple[str, str, bool]] = []
        self._query: list[str] = []
        self._login: Login | None = None
        self._flags: set[str] = set()
        self._timeout: float | None = None
        self._attempts: int | None = None
        self._remarks: list[str] = []
        self._secrets: dict[str, str] = {}
        self._variables: dict[str, None] = {}

    def read(self, words: Sequence[str]) -> CurlRequest:
        """The request of the words after `curl`."""
        place = 0
        while place < len(words):
            word = words[place]
            place += 1
            if word == "--next" or word == "-:":
                self._remark("Only the first of the requests is taken.")
                break
            if word.startswith("--") and len(word) > 2:
                name, given, value = word[2:].partition("=")
                name = _full_name(name)
                if name in _VALUES:
                    if not given:
                        value, place = self._argument(words, place, word)
                    self._option(name, value)
                elif name in _FLAGS or name.removeprefix("no-") in _FLAGS:
                    self._flag(name)
                else:
                    self._remark(f"--{name} is not known here and is left out.")
            elif word.startswith("-") and len(word) > 1:
                place = self._short(word, words, place)
            else:
                self._urls.append(word)
        return self._made()

    def _short(self, word: str, words: Sequence[str], place: int) -> int:
        letters = word[1:]
        for number, letter in enumerate(letters):
            name = _SHORT.get(letter)
            if name is None:
                self._remark(f"-{letter} is not known here and is left out.")
            elif name in _VALUES:
                value = letters[number + 1 :]
                if not value:
                    value, place = self._argument(words, place, f"-{letter}")
                self._option(name, value)
                return place
            else:
                self._flag(name)
        return place

    def _argument(self, words: Sequence[str], place: int, option: str) -> tuple[str, int]:
        if place >= len(words):
            raise _refused("the command is not complete", f"nothing follows {option}", "copy the whole command")
        return words[place], place + 1

    def _flag(self, name: str) -> None:
        self._flags.add(name)
        if name in _REMARKS:
            self._remark(_REMARKS[name])

    def _remark(self, text: str) -> None:
        if text not in self._remarks:
            self._remarks.append(text)

    def _option(self, name: str, value: str) -> None:
        match name:
            case "request":
                self._method = value.upper()
            case "header":
                self._header(value)
            case "data" | "data-ascii" | "data-binary":
                self._add_data(value, files=True)
            case "data-raw":
                self._add_data(value, files=False)
            case "data-urlencode":
                self._add_encoded(value)
            case "json":
                self._json = True
                self._add_data(value, files=True)
            case "form" | "form-string":
                name_, _, content = value.partition("=")
                self._form.append((name_, content, name == "form"))
            case "user":
                username, _, password = value.partition(":")
                self._login = Login("basic", {"username": username, "password": password})
            case "oauth2-bearer":
                self._login = Login("bearer", {"token": value})
            case "user-agent":
                self._headers.append(("User-Agent", value))
            case "referer":
                self._headers.append(("Referer", value.removesuffix(";auto")))
            case "cookie":
                if "=" in value:
                    self._headers.append(("Cookie", value))
                else:
                    self._remark("The cookies in a file are not read.")
            case "url":
                self._urls.append(value)
            case "url-query":
                self._query.append(value.removeprefix("+") if value.startswith("+") else _encoded(value))
            case "upload-file":
                self._method = self._method or "PUT"
                self._file(value)
            case "max-time":
                self._timeout = _number(value)
            case "retry":
                count = _number(value)
                self._attempts = int(count) + 1 if count is not None else None
            case _:
                if name in _REMARKS:
                    self._remark(_REMARKS[name])

    def _header(self, value: str) -> None:
        if value.startswith("@"):
            self._remark(f"The headers in the file {value[1:]} are not read.")
            return
        name, colon, content = value.partition(":")
        if not colon:
            name, _, content = value.partition(";")
            self._headers.append((name.strip(), ""))
        elif content.strip():
            self._headers.append((name.strip() if not value.startswith(":") else value, content.strip()))

    def _add_data(self, value: str, *, files: bool) -> None:
        if files and value.startswith("@"):
            if value == "@-" and self._here is not None:
                self._data.append(self._here)
            else:
                self._file(value[1:])
        else:
            self._data.append(value)

    def _add_encoded(self, value: str) -> None:
        if "@" in value and ("=" not in value or value.index("@") < value.index("=")):
            self._file(value.partition("@")[2])
        else:
            self._data.append(_encoded(value))

    def _file(self, name: str) -> None:
        self._from_file = True
        named = "standard input" if name in ("-", ".") else f"the file {name}"
        self._remark(f"What is sent stands in {named}: read it in a step before, and its output is the body.")

    def _made(self) -> CurlRequest:
        if not self._urls:
            raise _refused("the command names no address", "curl would not know whom to call", "copy the whole command")
        if len(self._urls) > 1:
            self._remark("Only the first of the addresses is called.")
        # What follows an option that is not known may be its value.
        url = next((each for each in self._urls if "://" in each or OPEN in each or "." in each), self._urls[0])
        if "://" not in url and not url.startswith(OPEN):
            url = f"http://{url}"
        if not re.match(r"(?i)https?://", url) and not url.startswith(OPEN):
            scheme = url.partition(":")[0]
            raise _refused(
                f"{scheme} cannot be called", "an HTTP request knows http and https alone", "use another component"
            )
        if "globoff" not in self._flags and re.search(r"\{[^{}]*,[^{}]*\}|\[\w+-\w+\]", url):
            self._remark("The address stands for several: curl would call each of them.")
        sends_data = bool(self._data) and not self._flags & {"get"}
        method = self._method or (
            "HEAD"
            if "head" in self._flags
            else "GET"
            if "get" in self._flags
            else "POST"
            if sends_data or self._form
            else "GET"
        )
        if method not in METHODS:
            raise _refused(f"the method {method} is not known", f"known are {', '.join(METHODS)}", "use one of them")
        if self._data and not sends_data:
            self._query += ["&".join(self._data)]
        config: dict[str, Json] = {}
        if method != "GET":
            config["method"] = method
        address, query = self._address(url)
        config["url"] = address
        body = self._body() if sends_data or self._form or self._json else {}
        headers = self._kept_headers(str(body.get("body_type", "json")) if body else "")
        if query:
            config["query"] = query
        if headers:
            config["headers"] = headers
        config.update(body)
        if not body and not self._from_file and method in ("POST", "PUT", "PATCH"):
            config.update({"body": '""', "body_type": "text"})
            self._remark("The command sends nothing, and so does the step: take the body out to send the payload.")
        return CurlRequest(
            config,
            _told(self._login),
            self._secrets,
            tuple(self._variables),
            self._timeout,
            self._attempts,
            tuple(self._remarks),
        )

    def _address(self, url: str) -> tuple[str, dict[str, str]]:
        parts = urlsplit(url)
        netloc = parts.netloc
        if "@" in netloc:
            user, _, netloc = netloc.rpartition("@")
            name, _, password = user.partition(":")
            self._login = self._login or Login("basic", {"username": unquote(name), "password": unquote(password)})
        pairs = "&".join(part for part in (parts.query, *self._query) if part)
        found = parse_qsl(pairs, keep_blank_values=True)
        apart = len({name for name, _ in found}) == len(found) and all(value for _, value in found) and bool(found)
        kept: dict[str, str] = {}
        for name, value in found if apart else []:
            if self._is_secret(name, value) and self._login is None:
                self._login = Login("api-key", {"name": name, "in": "query", "value": value})
            else:
                kept[name] = self._text(value, name)
        query = "" if apart else self._text(pairs)
        fragmentless = urlunsplit((parts.scheme, netloc, parts.path, "", ""))
        address = self._text(fragmentless) + (f"?{query}" if query else "")
        if not apart and any(self._is_secret(name, value) for name, value in found):
            self._remark("The address may hold a secret: move it into a connection.")
        return address, kept

    def _kept_headers(self, body_type: str) -> dict[str, str]:
        kept: dict[str, str] = {}
        left_out = 0
        from_browser = any(re.match(r"(?i)sec-", name) for name, _ in self._headers)
        written_by_http = {"json": "application/json", "form": "application/x-www-form-urlencoded"}
        for name, value in self._headers:
            low = name.lower()
            media = value.partition(";")[0].strip().lower()
            told_anyway = low == "content-type" and (
                body_type == "multipart" or media == written_by_http.get(body_type)
            )
            if low == "content-length" or (from_browser and _OF_BROWSERS.fullmatch(low)) or low == "accept-encoding":
                left_out += 1
            elif told_anyway or (low == "accept" and value in ("*/*", "application/json, text/plain, */*")):
                continue  # it is sent without being told
            elif low == "authorization":
                if not self._authorized(value):
                    kept[name] = "{{ $vars." + self._secret(name, value) + " }}"
            elif low == "proxy-authorization":
                self._remark(_REMARKS["proxy"])
            elif low == "cookie" or self._is_secret(name, value):
                if self._login is None:
                    self._login = Login("api-key", {"name": name, "in": "header", "value": value})
                else:
                    kept[name] = "{{ $vars." + self._secret(name, value) + " }}"
            else:
                kept[name] = self._text(value, name)
        if left_out and from_browser:
            self._remark("Headers that a browser adds of its own are left out.")
        return kept

    def _authorized(self, value: str) -> bool:
        """Takes a login out of an Authorization header; False where there is another one already."""
        if self._login is not None:
            return False
        scheme, _, rest = value.partition(" ")
        rest = rest.strip()
        if scheme.lower() == "bearer" and rest:
            self._login = Login("bearer", {"token": rest})
        elif scheme.lower() == "basic" and (pair := _pair_of(rest)) is not None:
            self._login = Login("basic", {"username": pair[0], "password": pair[1]})
        else:
            self._login = Login("api-key", {"name": "Authorization", "in": "header", "value": value})
        return True

    def _body(self) -> dict[str, Json]:
        if self._form:
            return self._multipart()
        content = "&".join(self._data) if not self._json else "".join(self._data)
        declared = next((value for name, value in self._headers if name.lower() == "content-type"), "")
        kind = declared.partition(";")[0].strip().lower()
        as_json = self._json or kind == "application/json" or kind.endswith("+json")
        if not content:
            return {}
        if as_json or (not kind and content.lstrip()[:1] in ("{", "[")):
            value = _json_of(_VARIABLE.sub(lambda found: f'"{OPEN}{found[1]}{CLOSE}"', content))
            value = _json_of(content) if _json_of(content) is not None else value
            if value is not None:
                if not as_json:
                    self._remark("curl would call the body a form; it is JSON, and is sent as that.")
                return self._as_expression(self._source(value), "json")
        if not kind or kind == "application/x-www-form-urlencoded":
            pairs = parse_qsl(content, keep_blank_values=True)
            if pairs and "=" in content:
                fields: dict[str, Json] = {}
                for name, text in pairs:
                    fields[name] = text if name not in fields else [*_listed(fields[name]), text]
                return self._as_expression(self._source(fields), "form")
        return self._as_expression(self._source(content), "text")

    def _multipart(self) -> dict[str, Json]:
        fields: dict[str, Json] = {}
        for name, content, files in self._form:
            if files and content[:1] in ("@", "<"):
                path = content[1:].partition(";")[0].strip('"')
                self._remark(f"{name} is the file {path}: read it in a step before, and put its output here.")
                fields[name] = None
            else:
                text = content.partition(";type=")[0] if files else content
                fields[name] = text if name not in fields else [*_listed(fields[name]), text]
        return self._as_expression(self._source(fields), "multipart")

    def _as_expression(self, source: str, kind: str) -> dict[str, Json]:
        if len(source.encode(errors="surrogatepass")) > MAX_TEXT:
            self._remark(
                f"The body is longer than an expression may be ({MAX_TEXT:,} bytes): make it in a step before, and take "
                "this field out."
            )
        return {"body": source, **({"body_type": kind} if kind != "json" else {})}

    def _source(self, value: Json, depth: int = 0) -> str:
        """A value as an expression, secrets and the shell's variables as variables of the flow."""
        if isinstance(value, Mapping):
            if not value:
                return "{}"
            lead = "  " * (depth + 1)
            parts = []
            for name, part in value.items():
                if (
                    isinstance(part, str)
                    and part
                    and _SECRET_IN_BODY.fullmatch(name)
                    and not _NO_SECRET.fullmatch(name)
                ):
                    inner = f"$vars.{self._secret(name, part)}"
                else:
                    inner = self._source(part, depth + 1)
                parts.append(f"{lead}{json.dumps(name, ensure_ascii=False)}: {inner}")
            return "{\n" + ",\n".join(parts) + "\n" + "  " * depth + "}"
        if isinstance(value, list):
            return "[" + ", ".join(self._source(part, depth) for part in value) + "]"
        if isinstance(value, str) and OPEN in value:
            pieces = _VARIABLE.split(value)
            sources = [
                f"$vars.{self._variable(piece)}" if number % 2 else json.dumps(piece, ensure_ascii=False)
                for number, piece in enumerate(pieces)
                if number % 2 or piece
            ]
            return " & ".join(sources)
        return json.dumps(value, ensure_ascii=False)

    def _text(self, text: str, name: str = "") -> str:
        """A text as a field of the kind text holds it."""
        if name and self._is_secret(name, text):
            return "{{ $vars." + self._secret(name, text) + " }}"
        pieces = _VARIABLE.split(text)
        return "".join(
            "{{ $vars." + self._variable(piece) + " }}" if number % 2 else piece.replace("{{", r"\{{")
            for number, piece in enumerate(pieces)
        )

    def _is_secret(self, name: str, value: str) -> bool:
        return bool(value) and _SECRET.fullmatch(name) is not None and _NO_SECRET.fullmatch(name) is None

    def _secret(self, name: str, value: str) -> str:
        wanted = _identifier(name)
        key, number = wanted, 2
        while key in self._secrets and self._secrets[key] != value:
            key, number = f"{wanted}_{number}", number + 1
        self._secrets[key] = "" if OPEN in value else value
        return written_name(key)

    def _variable(self, name: str) -> str:
        key = _identifier(name)
        self._variables[key] = None
        return written_name(key)


def _told(login: Login | None) -> Login | None:
    """A login without what only the shell knew."""
    if login is None:
        return None
    return Login(login.kind, {name: "" if OPEN in value else value for name, value in login.fields.items()})


def _identifier(name: str) -> str:
    stem = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_") or "value"
    return f"v_{stem}" if stem[0].isdigit() else stem


def _full_name(name: str) -> str:
    """A long option that may be abbreviated, as far as it is clear which is meant."""
    if name in _VALUES or name in _FLAGS:
        return name
    fitting = [each for each in (*_VALUES, *_FLAGS) if each.startswith(name)]
    return min(fitting, key=len, default=name)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number > 0 else None


def _encoded(value: str) -> str:
    """What `--data-urlencode` makes of its argument."""
    name, equals, content = value.partition("=")
    if not equals:
        return quote(value, safe=OPEN + CLOSE)
    return f"{name}={quote(content, safe=OPEN + CLOSE)}" if name else quote(content, safe=OPEN + CLOSE)


def _pair_of(encoded: str) -> tuple[str, str] | None:
    if OPEN in encoded:
        return ("", "")
    try:
        name, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if colon else None


def _json_of(text: str) -> Json:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def write_curl(request: Mapping[str, Json], secrets: Iterable[str] = (), mask: str | None = None) -> str:
    """A recorded request as a cURL command; what is secret stands there as `$NAME`.

    `request` has `method`, `url`, `headers` and `body`. Secret are headers and query parameters that are called so, what
    is masked, and the values in `secrets`.
    """
    known = [text for text in secrets if text]
    headers = request.get("headers")
    body = request.get("body")
    method = str(request.get("method") or "GET").upper()

    def hidden(name: str, value: str) -> str:
        variable = f"{OPEN}{_identifier(name).upper()}{CLOSE}"
        if name.lower() == "authorization":
            scheme, blank, rest = value.partition(" ")
            return f"{scheme} {OPEN}TOKEN{CLOSE}" if blank and rest and scheme.isalpha() else f"{OPEN}TOKEN{CLOSE}"
        if (_SECRET.fullmatch(name) and not _NO_SECRET.fullmatch(name)) or name.lower() == "cookie":
            return variable
        return cover(value, _identifier(name).upper())

    def cover(text: str, name: str) -> str:
        for secret in known:
            text = text.replace(secret, f"{OPEN}{name}{CLOSE}")
        return text.replace(mask, f"{OPEN}{name}{CLOSE}") if mask else text

    parts = urlsplit(str(request.get("url") or ""))
    pairs = [
        f"{name}{equals}{hidden(unquote(name), value)}"
        for name, equals, value in (pair.partition("=") for pair in parts.query.split("&") if pair)
    ]
    netloc = parts.netloc
    if "@" in netloc:
        netloc = f"{OPEN}LOGIN{CLOSE}@{netloc.rpartition('@')[2]}"
    url = urlunsplit((parts.scheme, netloc, cover(parts.path, "SECRET"), "&".join(pairs), ""))
    lines = ["curl"]
    plain = "POST" if body is not None else "GET"
    if method == "HEAD":
        lines[0] += " --head"
    elif method != plain:
        lines[0] += f" -X {method}"
    lines[0] += f" {quoted(url)}"
    names = set()
    for name, value in headers.items() if isinstance(headers, Mapping) else ():
        names.add(str(name).lower())
        if str(name).lower() not in ("content-length", "host", "accept-encoding", "connection"):
            lines.append(f"-H {quoted(f'{name}: {hidden(str(name), str(value))}')}")
    if body is not None:
        text = body if isinstance(body, str) else json.dumps(_covered(body, hidden), ensure_ascii=False)
        if not isinstance(body, str) and "content-type" not in names:
            lines.append("-H 'Content-Type: application/json'")
        lines.append(f"--data-raw {quoted(cover(text, 'SECRET'))}")
    return " \\\n  ".join(lines)


def _covered(value: Json, hidden: Any) -> Json:
    if isinstance(value, Mapping):
        return {
            name: hidden(str(name), part) if isinstance(part, str) else _covered(part, hidden)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [_covered(part, hidden) for part in value]
    return value
