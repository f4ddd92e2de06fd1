"""Keys people paste: PEM with its line ends mangled by a form, or a JWK. Named after what is wrong, never shown."""

from typing import Any

from dragoman_server.connect.errors import InvalidCredentialsError

ALGORITHMS = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA", "oct": "HS256"}


def pem_text(text: str) -> str:
    """Undo forms that turn the line ends of a pasted key into a backslash and an n."""
    return text.replace("\\r", "").replace("\\n", "\n").strip() + "\n"


def signing_key(text: str, field: str) -> Any:
    """Return a private key of joserfc from PEM or JWK text; raise InvalidCredentialsError naming `field`."""
    import msgspec
    from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

    plain = text.strip()
    try:
        if plain.startswith("{"):
            key: Any = JWKRegistry.import_key(msgspec.json.decode(plain.encode()))
        else:
            from cryptography.hazmat.primitives.asymmetric import ec, rsa
            from cryptography.hazmat.primitives.serialization import load_pem_private_key

            loaded = load_pem_private_key(pem_text(plain).encode(), password=None)
            kind = RSAKey if isinstance(loaded, rsa.RSAPrivateKey) else OKPKey
            kind = ECKey if isinstance(loaded, ec.EllipticCurvePrivateKey) else kind
            key = kind.import_key(pem_text(plain))
        if not key.is_private:
            raise ValueError("public")
    except Exception as error:  # foreign code: every way a key can be malformed
        raise InvalidCredentialsError(f"`{field}` is no private key: paste the whole PEM text or JWK.") from error
    return key


def algorithm_of(key: Any) -> str:
    """Return the usual algorithm of a key's kind; a curve asks for its own."""
    kind = str(key.key_type)
    if kind == "EC":
        return {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}.get(str(key.curve_name), "ES256")
    return ALGORITHMS.get(kind, "RS256")
