"""SQL lives in files beside its part; `read_sql` alone makes a `Statement`: no f-string reaches the database."""

from importlib.resources import files
from typing import final


@final
class Statement:
    """One SQL statement read from a file at import."""

    __slots__ = ("name", "text")

    def __init__(self, name: str, text: str, *, _key: object) -> None:
        if _key is not _KEY:
            raise TypeError("only read_sql makes statements")
        self.name = name
        self.text = text

    def __repr__(self) -> str:
        return f"<Statement {self.name}>"


_KEY = object()


def read_sql(package: str, name: str) -> Statement:
    """Return the statement in `<package>/sql/<name>.sql`; raise FileNotFoundError at import when it is missing."""
    text = files(package).joinpath("sql", f"{name}.sql").read_text("utf-8")
    return Statement(f"{package}:{name}", text, _key=_KEY)
