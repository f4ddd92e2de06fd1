"""The interpolation language."""

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given
from hypothesis import strategies as st

from dragoman_server.providers.errors import TemplateError, UnresolvedTemplateError
from dragoman_server.providers.templating import Moment, parse_template, render, render_or_none, render_tree

NOW = datetime(2030, 3, 31, 13, 5, 9, 123000, tzinfo=UTC)
SCOPE: dict[str, Any] = {
    "connectionConfig": {
        "region": "eu",
        "blank": "",
        "port": 8443,
        "flag": True,
        "list": ["a", {"b": "c"}],
        "tree": {},
    },
    "credentials": {"username": "jane", "password": "", "raw": {"team": {"id": "T1"}}},
    "username": "jane",
    "password": "",
    "accessToken": "tok",
    "apiKey": "key",
    "step1": {"token": "s1"},
}


def moment() -> Moment:
    return Moment(lambda: NOW, lambda: "0f3e5b9c-0000-4000-8000-000000000000")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("", ""),
        ("plain $ { text }", "plain $ { text }"),
        ("Bearer ${accessToken}", "Bearer tok"),
        ("${ accessToken }", "tok"),
        ("${credentials.raw.team.id}", "T1"),
        ("${connectionConfig.list.1.b}", "c"),
        ("${connectionConfig.port}/${connectionConfig.flag}", "8443/true"),
        ("${connectionConfig.missing || connectionConfig.region}", "eu"),
        ("${connectionConfig.blank || connectionConfig.region}", "eu"),
        ("${connectionConfig.missing || 'us || eu'}", "us || eu"),
        ("${credentials.password}", ""),
        ("${base64(${username}:${password})}", base64.b64encode(b"jane:").decode()),
        ("${base64(username:password)}", base64.b64encode(b"jane:").decode()),
        ("${base64(apiKey:)}", base64.b64encode(b"key:").decode()),
        ("${base64(apiKey)}", base64.b64encode(b"key").decode()),
        ("${base64('a,b')}", base64.b64encode(b"a,b").decode()),
        ("${sha256Hex(accessToken)}", hashlib.sha256(b"tok").hexdigest()),
        ("${sha256Base64(us-east-1)}", base64.b64encode(hashlib.sha256(b"us-east-1").digest()).decode()),
        ("${base64(sha256Hex(accessToken))}", base64.b64encode(hashlib.sha256(b"tok").hexdigest().encode()).decode()),
        # RFC 2202, test case 2
        ("${hmacSha1Hex('what do ya want for nothing?', 'Jefe')}", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        ("${now}", "2030-03-31T13:05:09.123Z"),
        ("${now:X}", "1901192709"),
        ("${now:x}", "1901192709123"),
        ("${now:YYYYMMDD[T]HHmmss[Z]}", "20300331T130509Z"),
        ("${now:YY-M-D h:m:s a A dddd MMM ZZ SSS}", "30-3-31 1:5:9 pm PM Sunday Mar +0000 123"),
        ("${now+5:minutes:X}", "1901193009"),
        ("${now-1:month:YYYY-MM-DD}", "2030-02-28"),
        ("${now+2:years}", "2032-03-31T13:05:09.123Z"),
        ("${random}", "0f3e5b9c-0000-4000-8000-000000000000"),
        ("${step1.token}", "s1"),
    ],
)
def test_a_template_renders_as_documented(template: str, expected: str) -> None:
    assert render(template, SCOPE, moment=moment()) == expected


@pytest.mark.parametrize(
    "template",
    [
        "${connectionConfig.missing}",
        "${connectionConfig.blank}",
        "${connectionConfig.tree}",
        "${connectionConfig.list}",
        "${connectionConfig.list.9}",
        "${accessToken.deeper}",
        "${nobody || connectionConfig.missing}",
        "x${base64(${connectionConfig.missing}:x)}",
    ],
)
def test_a_missing_value_leaves_a_template_unresolved(template: str) -> None:
    assert render_or_none(template, SCOPE) is None
    with pytest.raises(UnresolvedTemplateError):
        render(template, SCOPE)


@pytest.mark.parametrize(
    "template",
    ["${", "${a", "${}", "${a b}", "${eval(1)}", "${base64(}", "${hmacSha1Hex(a)}", "${now+1:fortnights}", "${__import__('os')}",
     "${a.b[0]}", "${1}", "${'a' + 'b'}", "${base64(" * 20 + "a" + ")}" * 20],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_when_it_is_read(template: str) -> None:
    with pytest.raises(TemplateError):
        parse_template(template)


@pytest.mark.parametrize("template", ["${now}", "${random}", "${awsSigV4(a, b, c, d)}"])
def test_time_and_request_are_given_or_refused(template: str) -> None:
    with pytest.raises(TemplateError):
        render(template, SCOPE)


def test_time_and_random_id_stay_the_same_inside_one_header_set() -> None:
    ticks = iter([NOW, NOW.replace(year=2031)])
    ids = iter(["one", "two"])
    one = Moment(lambda: next(ticks), lambda: next(ids))

    rendered = [render("${now:YYYY} ${random}", {}, moment=one) for _ in range(3)]

    assert rendered == ["2030 one"] * 3


def test_ed25519_signatures_verify() -> None:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()

    signature = render("${ed25519Sign(hello, credentials.pem)}", {"credentials": {"pem": pem.replace("\n", "\\n")}})

    key.public_key().verify(base64.b64decode(signature), b"hello")


def test_a_private_key_and_its_public_key_have_the_same_fingerprint() -> None:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )

    found = {render("${fingerprint(credentials.k)}", {"credentials": {"k": pem}}) for pem in (private, public)}

    assert len(found) == 1
    assert found.pop().startswith("SHA256:")


@pytest.mark.parametrize("template", ["${fingerprint(credentials.k)}", "${ed25519Sign(m, credentials.k)}"])
def test_a_bad_key_is_a_template_error_that_does_not_show_it(template: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(template, {"credentials": {"k": "-----BEGIN PRIVATE KEY-----\nhunter2\n"}})

    assert "hunter2" not in str(caught.value)


def test_trees_lose_only_what_stays_unresolved() -> None:
    tree = {"a": "${accessToken}", "b": {"c": "${nope}", "d": 1}, "e": ["${nope}", "x", None], "f": None}

    assert render_tree(tree, SCOPE) == {"a": "tok", "b": {"d": 1}, "e": ["x", None], "f": None}


@given(st.text())
@example("${credentials.password}")
@example("${now}")
def test_what_a_user_typed_is_never_evaluated(typed: str) -> None:
    scope = {"credentials": {"a": typed}, "secret": "s3cret"}

    assert render("<${credentials.a}>", scope) == f"<{typed}>"


PIECES = st.sampled_from(
    ["${", "}", "||", "(", ")", ",", "'", '"', ".", ":", "now", "+1", "base64", "awsSigV4", "credentials", "minutes", "9" * 12,
     "fingerprint", "ed25519Sign", "a", " ", "random", "\n"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=200))
def test_arbitrary_text_raises_nothing_but_template_errors(text: str) -> None:
    try:
        rendered = render(text, SCOPE, moment=moment())
    except TemplateError:
        return

    assert isinstance(rendered, str)


@given(st.integers(-(10**13), 10**13), st.sampled_from(["seconds", "day", "weeks", "months", "year", "ms"]))
def test_any_shift_of_time_renders_or_is_refused(amount: int, unit: str) -> None:
    try:
        assert render(f"${{now{amount:+d}:{unit}:YYYY}}", {}, moment=moment())
    except TemplateError:
        return
