"""Finding entries: our own beside this module, the operator's in a folder of theirs; aliases merged deeply.

Our own entries are parsed when first asked for (tests check each of them); the operator's are read, checked and refused
with file, line and keys at start. One provider per file, named by the file.
"""

import difflib
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dragoman_server.providers.checks import check_entry
from dragoman_server.providers.entries import Entry, read_entry, slug_of
from dragoman_server.providers.errors import CatalogueError, UnknownProviderError
from dragoman_server.providers.model import Provider

OWN_ENTRIES = Path(__file__).parent / "catalogue"
_NO_MATCH = 9


class Catalogue:
    """Every provider we know, by name. Read-only and safe to share between threads."""

    def __init__(self, files: Mapping[str, Path], *, operators: frozenset[str] = frozenset()) -> None:
        self._files = dict(files)
        self._operators = operators
        self._entries: dict[str, Entry] = {}
        self._providers: dict[str, Provider] = {}
        self._lock = threading.RLock()

    def names(self) -> list[str]:
        return sorted(self._files)

    def get(self, name: str) -> Provider | None:
        """Return the provider of that name, parsing its entry at the first call."""
        found = self._providers.get(name)
        if found is None and name in self._files:
            with self._lock:
                found = self._providers[name] = self._read(name)
        return found

    def require(self, name: str) -> Provider:
        """Return the provider of that name; raise `UnknownProviderError` with the nearest one we know."""
        found = self.get(name)
        if found is None:
            near = difflib.get_close_matches(name[:100], self._files, n=1)
            raise UnknownProviderError(name, near[0] if near else None)
        return found

    def all(self) -> list[Provider]:
        return [self.require(name) for name in self.names()]

    def search(self, text: str | None) -> list[Provider]:
        """Return the providers with `text` in their name, title or categories; exact and leading matches first."""
        wanted = (text or "").strip().lower()
        if not wanted:
            return self.all()
        ranked = [(_rank(provider, wanted), provider.name, provider) for provider in self.all()]
        return [provider for rank, _, provider in sorted(ranked, key=lambda r: r[:2]) if rank < _NO_MATCH]

    def _read(self, name: str) -> Provider:
        return Provider.read(name, self._merged(name, ()))

    def _merged(self, name: str, seen: tuple[str, ...]) -> dict[str, Any]:
        """Return the entry with its alias's keys below its own, whatever order the files were read in."""
        entry = self._entry(name)
        alias = entry.data.get("alias")
        own = {key: value for key, value in entry.data.items() if key != "alias"}
        if alias is None:
            return without_nulls(own)
        chain = (*seen, name)
        if alias in chain:
            raise entry.error(f"the aliases go round in a circle: {' -> '.join((*chain, alias))}", ("alias",))
        if alias not in self._files:
            near = difflib.get_close_matches(str(alias), self._files, n=1)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            raise entry.error(f"`{alias}` is no provider{hint}", ("alias",))
        return merge(self._merged(alias, chain), own)

    def _entry(self, name: str) -> Entry:
        if name not in self._entries:
            self._entries[name] = read_entry(self._files[name])
        return self._entries[name]

    def check(self, names: Sequence[str]) -> None:
        """Raise `CatalogueError` for the first of these entries that cannot be used."""
        for name in names:
            entry = self._entry(name)
            check_entry(entry, without_nulls(entry.data), whole="alias" not in entry.data)
            if "alias" in entry.data:
                check_entry(entry, self._merged(name, ()), whole=True)


def _rank(provider: Provider, wanted: str) -> int:
    title = provider.display_name.lower()
    if wanted in {provider.name, title}:
        return 0
    if provider.name.startswith(wanted) or title.startswith(wanted):
        return 1
    if wanted in provider.name or wanted in title:
        return 2
    return 3 if any(wanted in category for category in provider.categories) else _NO_MATCH


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return `below` with `above` laid over it: mappings key by key, anything else replaced; null removes a key."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(under, Mapping):
            merged[key] = merge(under, value)  # pyright: ignore[reportUnknownArgumentType]
        else:
            merged[key] = without_nulls(value) if isinstance(value, Mapping) else value  # pyright: ignore[reportUnknownArgumentType]
    return merged


def without_nulls(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mapping without keys that hold null: such a key is one left out."""
    return merge({}, tree)


def load_catalogue(extra_dir: Path | None = None) -> Catalogue:
    """Return our entries and those in `extra_dir`, which win; raise `CatalogueError` for one that cannot be used."""
    files = {path.stem: path for path in OWN_ENTRIES.glob("*.yaml")}
    extra = _operators_files(extra_dir) if extra_dir is not None else {}
    catalogue = Catalogue({**files, **extra}, operators=frozenset(extra))
    catalogue.check(sorted(extra))
    return catalogue


def _operators_files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise CatalogueError(folder, "the folder of providers does not exist")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix not in {".yaml", ".yml"} or path.name.startswith("."):
            continue
        slug = slug_of(path)
        if slug in found:
            raise CatalogueError(path, f"`{slug}` is described twice, also by {found[slug].name}")
        found[slug] = path
    return found
