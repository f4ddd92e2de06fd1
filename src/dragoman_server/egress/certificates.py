"""TLS contexts: always verifying; with a client certificate where a grant or provider wants mutual TLS."""

import asyncio
import hashlib
import os
import ssl
import tempfile
from collections import OrderedDict
from pathlib import Path

from dragoman_server.egress.errors import InvalidRequestError

_KEPT = 256


def verifying_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Return a context that checks chain and host name; `ca_file` adds an operator's own authority."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


class ClientCertificates:
    """One context per client certificate, so that pooled connections are never shared between two of them."""

    def __init__(self, ca_file: Path | None = None) -> None:
        self._ca_file = ca_file
        self._contexts: OrderedDict[bytes, ssl.SSLContext] = OrderedDict()

    async def context(self, certificate: str, key: str) -> ssl.SSLContext:
        """Return the context for a PEM certificate (chain) and its unencrypted PEM key; raises InvalidRequestError."""
        name = hashlib.sha256(certificate.encode() + b"\0" + key.encode()).digest()
        context = self._contexts.get(name)
        if context is None:
            # Reading the trust store takes about 10 ms: not on the event loop.
            context = await asyncio.to_thread(self._make, certificate, key)
            self._contexts[name] = context
            if len(self._contexts) > _KEPT:
                self._contexts.popitem(last=False)
        else:
            self._contexts.move_to_end(name)
        return context

    def _make(self, certificate: str, key: str) -> ssl.SSLContext:
        context = verifying_context(self._ca_file)
        # OpenSSL's file interface is the only one `ssl` has: a 0600 file, in memory where the system can.
        descriptor, path = _private_file()
        try:
            os.write(descriptor, f"{certificate.strip()}\n{key.strip()}\n".encode())
            context.load_cert_chain(path, password=_no_password)
        except (ssl.SSLError, ValueError) as error:
            message = "The client certificate or its private key is not valid unencrypted PEM, or they do not match."
            raise InvalidRequestError(message, public_code="invalid_certificate_or_key_format") from error
        finally:
            os.close(descriptor)
            if not path.startswith("/proc/"):
                Path(path).unlink(missing_ok=True)
        return context


def _private_file() -> tuple[int, str]:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("client-certificate")
        return descriptor, f"/proc/self/fd/{descriptor}"
    return tempfile.mkstemp()


def _no_password() -> str:
    raise ValueError("the key is encrypted")
