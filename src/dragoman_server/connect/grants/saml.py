"""SAML 2.0 bearer assertions (RFC 7522), signed RSA-SHA256 with an enveloped signature.

The document is written in exclusive canonical form from the start (attributes sorted, no short tags), so that what is
digested is exactly what is sent.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from dragoman_server.connect.errors import InvalidCredentialsError
from dragoman_server.connect.grants.keys import pem_text
from dragoman_server.connect.grants.token_response import mapping
from dragoman_server.providers.templating import render, render_tree

NS = "urn:oasis:names:tc:SAML:2.0:assertion"
DS = "http://www.w3.org/2000/09/xmldsig#"
C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
LIFE = timedelta(minutes=10)
BACK = timedelta(minutes=2)


def assertion(spec: Mapping[str, Any], scope: Mapping[str, Any], now: datetime) -> str:
    """Return the signed assertion, base64 (`encoding: base64url` for RFC 7522's own).

    `spec`: issuer, subject, audience, recipient, key; perhaps certificate, name_id_format, attributes, life_seconds.
    """
    get = {k: render(str(v), scope) for k, v in spec.items() if k not in {"attributes", "life_seconds"}}
    life = timedelta(seconds=float(spec.get("life_seconds") or LIFE.total_seconds()))
    identifier = f"_{secrets.token_hex(16)}"
    issued, since, until = (_time(t) for t in (now, now - BACK, now + life))
    name_format = get.get("name_id_format") or "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
    head = (
        f'<saml2:Assertion xmlns:saml2="{NS}" ID="{identifier}" IssueInstant="{issued}" Version="2.0">'
        f"<saml2:Issuer>{_text(get['issuer'])}</saml2:Issuer>"
    )
    rest = (
        f'<saml2:Subject><saml2:NameID Format="{_quoted(name_format)}">{_text(get["subject"])}</saml2:NameID>'
        '<saml2:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
        f'<saml2:SubjectConfirmationData NotOnOrAfter="{until}" Recipient="{_quoted(get["recipient"])}">'
        "</saml2:SubjectConfirmationData></saml2:SubjectConfirmation></saml2:Subject>"
        f'<saml2:Conditions NotBefore="{since}" NotOnOrAfter="{until}"><saml2:AudienceRestriction>'
        f"<saml2:Audience>{_text(get['audience'])}</saml2:Audience></saml2:AudienceRestriction></saml2:Conditions>"
        f'<saml2:AuthnStatement AuthnInstant="{issued}" SessionIndex="{identifier}"><saml2:AuthnContext>'
        "<saml2:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:X509</saml2:AuthnContextClassRef>"
        "</saml2:AuthnContext></saml2:AuthnStatement>"
        f"{_attributes(mapping(render_tree(spec.get('attributes') or {}, scope)))}</saml2:Assertion>"
    )
    digest = base64.b64encode(hashlib.sha256((head + rest).encode()).digest()).decode()
    document = head + _signature(identifier, digest, get["key"], get.get("certificate")) + rest
    encoded = base64.urlsafe_b64encode if get.get("encoding") == "base64url" else base64.b64encode
    return encoded(document.encode()).decode()


def _signature(identifier: str, digest: str, key: str, certificate: str | None) -> str:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    inner = (
        f'<ds:CanonicalizationMethod Algorithm="{C14N}"></ds:CanonicalizationMethod>'
        '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"></ds:SignatureMethod>'
        f'<ds:Reference URI="#{identifier}"><ds:Transforms>'
        f'<ds:Transform Algorithm="{DS}enveloped-signature"></ds:Transform>'
        f'<ds:Transform Algorithm="{C14N}"></ds:Transform></ds:Transforms>'
        '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod>'
        f"<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    )
    try:
        loaded = load_pem_private_key(pem_text(key).encode(), password=None)
    except Exception as error:  # foreign code: every way a key can be malformed
        raise InvalidCredentialsError("The assertion's key is no PEM private key.") from error
    if not isinstance(loaded, rsa.RSAPrivateKey):
        raise InvalidCredentialsError("The assertion's key must be an RSA private key.")
    signed_info = f'<ds:SignedInfo xmlns:ds="{DS}">{inner}'
    value = base64.b64encode(loaded.sign(signed_info.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    body = "".join(line for line in (certificate or "").splitlines() if "-----" not in line).strip()
    info = f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{_text(body)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
    return (
        f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo>{inner}<ds:SignatureValue>{value}</ds:SignatureValue>'
        f"{info if body else ''}</ds:Signature>"
    )


def _attributes(values: Mapping[str, Any]) -> str:
    if not values:
        return ""
    inner = "".join(
        f'<saml2:Attribute Name="{_quoted(name)}"><saml2:AttributeValue>{_text(str(value))}</saml2:AttributeValue>'
        "</saml2:Attribute>"
        for name, value in values.items()
    )
    return f"<saml2:AttributeStatement>{inner}</saml2:AttributeStatement>"


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")


def _quoted(text: str) -> str:
    clean = text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return clean.replace("\t", "&#x9;").replace("\n", "&#xA;").replace("\r", "&#xD;")
