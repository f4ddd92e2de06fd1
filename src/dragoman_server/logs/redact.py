"""Nothing secret is stored: by the name it travels under (headers, query, JSON keys) and by its value (also encoded).

Pure. `Redactor` knows the values of one operation; the functions below know names only.
"""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit, urlunsplit

import msgspec

MASK = "***"
CUT_MARK = " … [cut]"
SHORTEST_SECRET = 4
"""Values shorter than this are hidden by name only: masking every `ab` in a text would hide the text."""

SCAN_LIMIT = 400_000
"""Characters of one text that are looked at; the rest is cut off, and never in the middle of a secret."""

_DEPTH = 12
_NOT_NAME = re.compile(r"[^a-z0-9]")
_SENSITIVE_ENDS = (
    "authorization", "cookie", "password", "passwd", "passphrase", "secret", "token", "apikey", "privatekey",
    "accesskey", "signingkey", "encryptionkey", "signature", "credential", "credentials", "assertion", "codeverifier",
    "jwt", "hmac", "sessionid", "clientkey", "authkey", "subscriptionkey",
)  # fmt: skip
_SENSITIVE_NAMES = frozenset({"pwd", "pass", "auth", "sig", "xamzsecuritytoken", "otp", "pin", "csrf", "xsrf"})
_SENSITIVE_IN_URL = frozenset({"code", "key", "state", "ticket", "hapikey"})


def is_sensitive_name(name: str) -> bool:
    """Return True if a header, key or parameter of this name carries a secret."""
    plain = _NOT_NAME.sub("", name.lower())
    return plain in _SENSITIVE_NAMES or plain.endswith(_SENSITIVE_ENDS)


def redact_headers(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers (names in lower case, repeated ones joined) with the secret ones masked."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    clean: dict[str, str] = {}
    for name, value in pairs:
        lower = name.lower()
        shown = MASK if is_sensitive_name(lower) else redact_url(value) if "://" in value else value
        clean[lower] = f"{clean[lower]}, {shown}" if lower in clean else shown
    return clean


def redact_url(url: str) -> str:
    """Return the URL without user info and with the values of secret-looking parameters masked."""
    if "@" not in url and "?" not in url and "#" not in url:
        return url
    try:
        parts = urlsplit(url)
        query = [
            (name, MASK if is_sensitive_name(name) or _NOT_NAME.sub("", name.lower()) in _SENSITIVE_IN_URL else value)
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        ]
    except ValueError:
        return MASK
    host = parts.netloc.rpartition("@")[2]
    fragment = MASK if "=" in parts.fragment else parts.fragment
    return urlunsplit((parts.scheme, host, parts.path, urlencode(query, safe="*/:,"), fragment))


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


def forms_of(secret: str) -> set[str]:
    """Return how a value may appear: as it is, URL-encoded, inside JSON, in base64 at any offset, in hex."""
    raw = secret.encode("utf-8", "replace")
    forms = {secret, quote(secret, safe="", errors="replace"), quote(secret, errors="replace")}
    forms |= {quote_plus(secret, errors="replace"), raw.hex(), raw.hex().upper()}
    forms |= {msgspec.json.encode(raw.decode())[1:-1].decode(), secret.encode("ascii", "backslashreplace").decode()}
    forms |= {f.replace("%", "%25") for f in tuple(forms) if "%" in f} | {
        re.sub("%..", _lower, f) for f in tuple(forms)
    }
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        # Characters that also hold bits of the neighbours differ with them: only the core is the secret's own.
        core = encoded[(0, 2, 3)[shift] : (len(raw) + shift) * 8 // 6]
        if len(core) >= SHORTEST_SECRET:
            forms |= {core, core.replace("+", "-").replace("/", "_"), quote(core, safe="")}
    return {form for form in forms if len(form) >= SHORTEST_SECRET}


def _lower(match: "re.Match[str]") -> str:
    return match[0].lower()


class Redactor:
    """Masks the values it was told of in texts and JSON structures, and secret-named keys in structures."""

    __slots__ = ("_forms", "_known", "longest")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._forms: tuple[str, ...] = ()
        self.longest = 0
        self.hide(secrets)

    def hide(self, secrets: Iterable[str]) -> None:
        """Mask these too from now on."""
        new = {s for s in secrets if s and len(s) >= SHORTEST_SECRET} - self._known
        if not new:
            return
        self._known |= new
        forms = set(self._forms).union(*(forms_of(s) for s in new))
        self._forms = tuple(
            sorted(forms, key=lambda f: (-len(f), f))
        )  # the longest first: a part never uncovers the rest
        self.longest = len(self._forms[0])

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
        return MASK if self.shows(text) else text

    def shows(self, text: str) -> bool:
        """Return True if a known value is still visible."""
        return any(form in text for form in self._forms)

    def value(self, value: Any, depth: int = 0) -> Any:
        """Return a JSON-ready copy: values masked, secret-named keys masked, odd types as text, bounded depth."""
        match value:
            case None | bool():
                return value
            case str():
                return self.text(value)
            case int() | float():
                plain = value if isinstance(value, float) or -(2**63) <= value < 2**63 else str(value)
                return MASK if self._forms and self.shows(str(value)) else plain
            case bytes():
                return self.text(value[: SCAN_LIMIT + 1].decode("utf-8", "replace"))
            case _ if depth >= _DEPTH:
                return "…"
            case Mapping():
                items = cast("Mapping[Any, Any]", value).items()
                return {
                    self.text(str(k)): MASK if v and is_sensitive_name(str(k)) else self.value(v, depth + 1)
                    for k, v in items
                }
            case list() | tuple() | set() | frozenset():
                return [self.value(v, depth + 1) for v in cast("Iterable[Any]", value)]
            case _:
                return self.text(str(value))
