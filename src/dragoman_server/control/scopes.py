"""What an API key may do: the scopes as data, and when one implies another. Pure."""

from collections.abc import Collection

_FAMILIES: dict[str, tuple[str, ...]] = {
    "integrations": (
        "list", "list_credentials", "read", "read_credentials", "create", "update", "delete", "list_functions",
    ),
    "connections": ("list", "list_credentials", "read", "read_credentials", "create", "update", "delete"),
    "functions": ("compile", "dryrun", "list", "read", "delete", "invocations"),
    "actions": ("execute",),
    "syncs": ("read", "execute", "update", "variant:create", "variant:delete"),
    "records": ("read", "write"),
}  # fmt: skip
_SINGLE = (
    "deploy", "mcp", "proxy", "logs:read", "variables:read", "webhook_signing_key:rotate", "connect_sessions:write",
)  # fmt: skip

EVERYTHING = "environment:*"
ENVIRONMENT_SCOPES: tuple[str, ...] = (
    EVERYTHING,
    *(f"environment:{name}" for name in _SINGLE),
    *(f"environment:{family}:{verb}" for family, verbs in _FAMILIES.items() for verb in ("*", *verbs)),
)
ACCOUNT_SCOPES: tuple[str, ...] = (
    "account:*",
    "account:environments:create",
    "account:environments:delete",
    "account:environments:set_production",
    "account:environments:api_keys:create",
    "account:environments:api_keys:delete",
)
ALL_SCOPES = frozenset(ENVIRONMENT_SCOPES + ACCOUNT_SCOPES)
_CREDENTIALS = "_credentials"


def implies(granted: Collection[str], wanted: str) -> bool:
    """Return True if a key with the scopes `granted` may do what `wanted` names.

    A wildcard covers all below it; a `…_credentials` scope covers the plain one, never the other way round.
    """
    if wanted in granted:
        return True
    if not wanted.endswith((_CREDENTIALS, "*")) and f"{wanted}{_CREDENTIALS}" in granted:
        return True
    family = wanted.removesuffix(":*")
    while ":" in family:
        family = family.rpartition(":")[0]
        if f"{family}:*" in granted:
            return True
    return False


def unknown(scopes: Collection[str], kind: str) -> list[str]:
    """Return those of `scopes` that a key of this kind (`environment` or `account`) cannot have, sorted."""
    return sorted(set(scopes) - set(ACCOUNT_SCOPES if kind == "account" else ENVIRONMENT_SCOPES))
