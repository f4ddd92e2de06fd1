"""Nothing secret is stored: by the name it travels under (headers, query, JSON keys) and by its value (also encoded).

Pure. `Redactor` knows the values of one operation; the functions below know names only.
"""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast
from urllib.parse import parse_qsl, quote, quote_plus, unquote, unquote_plus, urlsplit, urlunsplit

import msgspec

MASK = "***"
CUT_MARK = " … [cut]"
SHORTEST_SECRET = 4
"""Values shorter than this are hidden by name only: masking every `ab` in a text would hide the text."""

SCAN_LIMIT = 128_000
"""Characters of one text that are looked at (more than a message may hold, and each costs up to 0.1 us); the rest is
cut off, and never in the middle of a secret."""

_DEPTH = 12
_PIECES = re.compile(r"([/?&=#\s\"'<>]+)")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_NOT_NAME = re.compile(r"[^a-z0-9]")
_SENSITIVE_ENDS = (
    "authorization", "cookie", "password", "passwd", "passphrase", "secret", "token", "apikey", "privatekey",
    "accesskey", "signingkey", "encryptionkey", "signature", "credential", "credentials", "assertion", "codeverifier",
    "jwt", "hmac", "sessionid", "clientkey", "authkey", "subscriptionkey",
)  # fmt: skip
_SENSITIVE_NAMES = frozenset({"pwd", "pass", "auth", "sig", "xamzsecuritytoken", "otp", "pin", "csrf", "xsrf"})
_SENSITIVE_IN_URL = frozenset({"code", "key", "state", "ticket", "hapikey"})


@lru_cache(maxsize=8192)
def is_sensitive_name(name: str) -> bool:
    """Return True if a header, key or parameter of this name carries a secret."""
    plain = _NOT_NAME.sub("", name.lower())
    return plain in _SENSITIVE_NAMES or plain.endswith(_SENSITIVE_ENDS)


def redact_headers(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers (names in lower case, repeated ones joined) with the secret ones masked."""
    pairs = cast("Mapping[str, str]", headers).items() if isinstance(headers, Mapping) else headers
    clean: dict[str, str] = {}
    for name, value in pairs:
        lower = name.lower()
        shown = MASK if is_sensitive_name(lower) else redact_url(value) if "://" in value else value
        clean[lower] = f"{clean[lower]}, {shown}" if lower in clean else shown
    return clean


def redact_url(url: str) -> str:
    """Return the URL without user info and with the values of secret-looking parameters masked; the rest untouched."""
    if "@" not in url and "?" not in url and "#" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    query = "&".join(_parameter(piece) for piece in parts.query.split("&"))
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, query, MASK if "=" in parts.fragment else parts.fragment))


def _parameter(piece: str) -> str:
    name, equals, value = piece.partition("=")
    decoded = unquote_plus(name)
    secret = value and (is_sensitive_name(decoded) or _NOT_NAME.sub("", decoded.lower()) in _SENSITIVE_IN_URL)
    return f"{name}{equals}{MASK if secret else value}"


def redact_body(body: Any, content_type: str = "") -> Any:
    """Return a body as JSON where it is JSON or a form, so that its secret-named keys are masked; else as it is."""
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    if not isinstance(body, str):
        return body
    text = body.lstrip()
    if text[:1] in {"{", "["} and len(text) <= SCAN_LIMIT:
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return body
    if "form-urlencoded" in content_type:
        try:
            pairs = parse_qsl(body, keep_blank_values=True)
        except ValueError:
            return MASK
        return {k: MASK if _NOT_NAME.sub("", k.lower()) in _SENSITIVE_IN_URL else v for k, v in pairs}
    return body


def redact(text: str, secrets: Sequence[str]) -> str:
    """Return `text` without any of `secrets`, in whatever form `forms_of` knows."""
    return Redactor(secrets).text(text)


@lru_cache(maxsize=1024)  # a connection's secret comes with each of its calls
def forms_of(secret: str) -> frozenset[str]:
    """Return how a value may appear: as it is, URL-encoded, inside JSON, in base64 at any offset, in hex."""
    raw = secret.encode("utf-8", "replace")
    forms = {secret, quote(secret, safe="", errors="replace"), quote(secret, errors="replace")}
    forms |= {secret.replace(" ", "+"), quote_plus(secret, errors="replace"), raw.hex(), raw.hex().upper()}
    forms |= {msgspec.json.encode(raw.decode())[1:-1].decode(), secret.encode("ascii", "backslashreplace").decode()}
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        # Characters that also hold bits of the neighbours differ with them: only the core is the secret's own.
        core = encoded[(0, 2, 3)[shift] : (len(raw) + shift) * 8 // 6]
        if len(core) >= SHORTEST_SECRET:
            forms |= {core, core.replace("+", "-").replace("/", "_"), quote(core, safe="")}
    return frozenset(form for form in forms if len(form) >= SHORTEST_SECRET)


@lru_cache(maxsize=1024)
def _forms_of_all(secrets: frozenset[str]) -> tuple[str, ...]:
    """Return the forms of all of them, the longest first: a part never uncovers the rest."""
    forms = frozenset[str]().union(*(forms_of(secret) for secret in secrets))
    return tuple(sorted(forms, key=lambda form: (-len(form), form)))


class Redactor:
    """Masks the values it was told of in texts and JSON structures, and secret-named keys in structures."""

    __slots__ = ("_forms", "_known", "_shortest", "longest")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._forms: tuple[str, ...] = ()
        self._shortest = 1 << 60
        self.longest = 0
        self.hide(secrets)

    def hide(self, secrets: Iterable[str]) -> None:
        """Mask these too from now on."""
        new = {s for s in secrets if s and len(s) >= SHORTEST_SECRET} - self._known
        if not new:
            return
        self._known |= new
        self._forms = _forms_of_all(frozenset(self._known))
        self.longest = len(self._forms[0])
        self._shortest = len(self._forms[-1])

    def text(self, text: str) -> str:
        """Return `text` with every known value masked; what is longer than `SCAN_LIMIT` is cut."""
        if len(text) > SCAN_LIMIT:
            return self._masked(text[:SCAN_LIMIT])[: -self.longest or None] + CUT_MARK
        return self._masked(text)

    def _masked(self, text: str) -> str:
        for _ in range(3):  # masking may push two halves together
            if not self.shows(text):
                return text
            for form in self._forms:
                if form in text:
                    text = text.replace(form, MASK)
        if self.shows(text):  # percent-encoded in a way of its own: mask the whole piece of the URL or text
            text = "".join(MASK if self.shows(piece) else piece for piece in _PIECES.split(text))
        return MASK if self.shows(text) else text

    def shows(self, text: str) -> bool:
        """Return True if a known value is still visible, also percent-encoded or escaped, up to thrice, in any way."""
        if len(text) < self._shortest:
            return False
        for form in self._forms:  # any() with a generator costs thrice as much, and this is the hottest line of logging
            if form in text:
                return True
        if "%" not in text and "\\" not in text.replace('\\"', ""):
            return False  # only quotes that JSON escapes, as every ETag has: a secret's JSON form was among the forms
        for _ in range(3):
            if "%" not in text and "\\" not in text:
                return False
            for decode in (unquote, _unescaped):
                text = decode(text)
                if any(form in text for form in self._forms):
                    return True
                if "+" in text and any(form in spaced for spaced in [text.replace("+", " ")] for form in self._forms):
                    return True
        return False

    def json(self, value: Mapping[Any, Any]) -> str:
        """Return `value` as JSON text with secret-named keys and known values masked."""
        encoded = _encode(self._value(value, values=False))
        if self.shows(encoded):  # rare, so only now is each value looked at; a secret's JSON form is among its forms
            encoded = _encode(self._value(value, values=True))
        return '{"redacted":true}' if self.shows(encoded) else encoded  # formed by the punctuation between two values

    def clean_json(self, value: Mapping[str, Any]) -> str:
        """As `json`, for plain values whose secret-named keys are masked already (`redact_headers`, `redact_url`)."""
        encoded = _encode(value)
        return self.json(value) if len(encoded) > SCAN_LIMIT or self.shows(encoded) else encoded

    def _value(self, value: Any, *, values: bool, depth: int = 0) -> Any:
        """Return a JSON-ready copy: odd types as text, bounded depth; known values are masked if `values`."""
        match value:
            case None | bool():
                return value
            case str():
                return self.text(value) if values or len(value) > SCAN_LIMIT else value
            case int() | float():
                plain = value if isinstance(value, float) or -(2**63) <= value < 2**63 else str(value)
                return MASK if values and self.shows(str(value)) else plain
            case bytes():
                return self._value(value[: SCAN_LIMIT + 1].decode("utf-8", "replace"), values=values)
            case _ if depth >= _DEPTH:
                return "…"
            case Mapping():
                shown: dict[str, Any] = {}
                for key, inner in cast("Mapping[Any, Any]", value).items():
                    name = str(key)
                    clean = (
                        MASK
                        if inner and is_sensitive_name(name)
                        else self._value(inner, values=values, depth=depth + 1)
                    )
                    shown[self.text(name) if values else name] = clean
                return shown
            case list() | tuple() | set() | frozenset():
                return [self._value(v, values=values, depth=depth + 1) for v in cast("Iterable[Any]", value)]
            case _:
                return self.text(str(value))


def _unescaped(text: str) -> str:
    """Undo the escapes of JSON and its kin."""
    if "\\" not in text:
        return text
    text = _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _LETTERS.get(m[2], m[2]), text)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _encode(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (UnicodeEncodeError, ValueError, TypeError, RecursionError):
        return '{"unreadable":true}'
