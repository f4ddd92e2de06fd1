"""TLS is always verified, and a client certificate goes only where its credential may."""

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dragoman_server.egress import InvalidRequestError, RedirectRefusedError, UpstreamUnreachableError
from tests.egress.servers import client, serving


@dataclass(frozen=True)
class Issued:
    certificate: str
    key: str


class Authority:
    """Issues certificates for one test."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority")])
        self.certificate = self._sign(self.name, self.key.public_key(), ca=True)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, name: str) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(subject, key.public_key(), ca=False)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Issued(certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode())

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, ca: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if not ca:
            names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
            builder = builder.add_extension(names, critical=False)
        else:
            usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        return builder.sign(self.key, hashes.SHA256())


@dataclass(frozen=True)
class Secure:
    port: int
    authority: Authority
    ca_file: Path


@asynccontextmanager
async def secure(tmp_path: Path, handler: object, *, wants_client: bool = False) -> AsyncGenerator[Secure]:
    authority = Authority()
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text(authority.pem)
    own = authority.issue("server")
    (tmp_path / "server.pem").write_text(own.certificate + own.key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca_file))
    context.load_cert_chain(tmp_path / "server.pem")
    context.verify_mode = ssl.CERT_REQUIRED if wants_client else ssl.CERT_OPTIONAL
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)  # type: ignore[arg-type]
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield Secure(runner.addresses[0][1], authority, ca_file)
    finally:
        await runner.cleanup()


async def who(request: web.Request) -> web.Response:
    assert request.transport is not None
    peer = request.transport.get_extra_info("peercert")
    return web.Response(text=peer["subject"][0][0][1] if peer else "nobody")


async def test_a_certificate_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    async with secure(tmp_path, who) as server, client() as egress:
        with pytest.raises(UpstreamUnreachableError) as error:
            async with egress.request("GET", f"https://127.0.0.1:{server.port}/"):
                pass

    assert "certificate" in error.value.message
    assert error.value.sent is False


async def test_an_operators_own_authority_is_trusted_but_only_for_the_right_name(tmp_path: Path) -> None:
    async def resolve(host: str) -> list[str]:
        return ["127.0.0.1"]

    async with secure(tmp_path, who) as server, client(ca_file=server.ca_file, resolve=resolve) as egress:
        async with egress.request("GET", f"https://127.0.0.1:{server.port}/") as answer:
            assert await answer.read() == b"nobody"
        with pytest.raises(UpstreamUnreachableError):
            async with egress.request("GET", f"https://other.example:{server.port}/"):
                pass


async def test_client_certificates_are_shown_and_connections_are_not_shared_between_them(tmp_path: Path) -> None:
    async with secure(tmp_path, who, wants_client=True) as server, client(ca_file=server.ca_file) as egress:
        seen: list[bytes] = []
        for name in ("alice", "bob", "alice"):
            issued = server.authority.issue(name)
            async with egress.request(
                "GET", f"https://127.0.0.1:{server.port}/", client_certificate=(issued.certificate, issued.key)
            ) as answer:
                seen.append(await answer.read())
        with pytest.raises(UpstreamUnreachableError):
            async with egress.request("GET", f"https://127.0.0.1:{server.port}/"):
                pass

    assert seen == [b"alice", b"bob", b"alice"]


async def test_a_broken_client_certificate_is_named_as_such(tmp_path: Path) -> None:
    authority = Authority()
    alice, bob = authority.issue("alice"), authority.issue("bob")

    async with client() as egress:
        for pair in (("nonsense", "nonsense"), (alice.certificate, bob.key), (alice.certificate, "")):
            with pytest.raises(InvalidRequestError) as error:
                async with egress.request("GET", "https://127.0.0.1:1/", client_certificate=pair):
                    pass
            assert error.value.public_code == "invalid_certificate_or_key_format"


async def test_from_https_to_http_go_no_credentials_and_no_body(tmp_path: Path) -> None:
    seen: list[bool] = []

    async def plain(request: web.Request) -> web.Response:
        seen.append("Authorization" in request.headers)
        return web.Response()

    async with serving(plain) as target:

        async def away(request: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": target + "/x"})

        async with secure(tmp_path, away) as server, client(ca_file=server.ca_file) as egress:
            url = f"https://127.0.0.1:{server.port}/"
            headers = [("Authorization", "Bearer t")]
            async with egress.request(
                "GET", url, headers=headers, follow_redirects=5, keep_headers_on_redirect=True,
                credential_origins=frozenset({target, url.rstrip("/")}),
            ) as answer:  # fmt: skip
                assert answer.status == 200
            with pytest.raises(RedirectRefusedError):
                async with egress.request("POST", url, headers=headers, body=b"secret", follow_redirects=5):
                    pass

    assert seen == [False]


async def test_a_client_certificate_does_not_follow_a_redirect_to_another_origin(tmp_path: Path) -> None:
    async with secure(tmp_path, who) as elsewhere:

        async def away(request: web.Request) -> web.Response:
            return web.Response(status=302, headers={"Location": f"https://127.0.0.1:{elsewhere.port}/"})

        (tmp_path / "first").mkdir()
        async with secure(tmp_path / "first", away, wants_client=True) as first:
            both = tmp_path / "both.pem"
            both.write_text(elsewhere.authority.pem + first.authority.pem)
            alice = first.authority.issue("alice")
            async with (
                client(ca_file=both) as egress,
                egress.request(
                    "GET",
                    f"https://127.0.0.1:{first.port}/",
                    follow_redirects=1,
                    client_certificate=(alice.certificate, alice.key),
                ) as answer,
            ):
                assert await answer.read() == b"nobody"
