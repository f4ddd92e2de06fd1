"""Bundles by content: put, get, unpacked on this machine."""

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from dragoman_server.kit.ids import DeploymentId, EnvironmentId
from dragoman_server.scripts.archive import Limits
from dragoman_server.scripts.blobs import Blobs
from dragoman_server.scripts.cache import UnpackedCache
from dragoman_server.scripts.errors import DamagedBundleError, InvalidArchiveError, UnknownDeploymentError

_SHA256 = re.compile(r"[0-9a-f]{64}")


def deployment_id_of(archive: bytes) -> DeploymentId:
    """Return the name an archive has by its content."""
    return DeploymentId(hashlib.sha256(archive).hexdigest())


class Scripts:
    """Deployed bundles of every environment. One per process; `cache_folder` may be shared on a machine."""

    def __init__(
        self,
        blobs: Blobs,
        *,
        cache_folder: Path,
        limits: Limits | None = None,
        cache_bytes: int = 2_000_000_000,
        idle_seconds: float = 3600.0,
    ) -> None:
        self._blobs = blobs
        self._limits = limits = limits or Limits()
        self._cache = UnpackedCache(cache_folder, limits=limits, max_bytes=cache_bytes, idle_seconds=idle_seconds)
        self._locks: dict[str, asyncio.Lock] = {}
        self._pins: Counter[str] = Counter()

    async def put(self, environment_id: EnvironmentId, deployment_id: DeploymentId, archive: bytes) -> None:
        """Store an archive; safe to repeat. Raises InvalidArchiveError when its name is not its content's."""
        if len(archive) > self._limits.archive_bytes:
            raise InvalidArchiveError(f"it is larger than {self._limits.archive_bytes} bytes")
        if await asyncio.to_thread(deployment_id_of, archive) != deployment_id:
            raise InvalidArchiveError("its sha256 is not the deployment's id")
        await self._blobs.put(_key(environment_id, deployment_id), archive)

    async def get(self, environment_id: EnvironmentId, deployment_id: DeploymentId) -> bytes:
        """Return the archive, checked against its name. Raises UnknownDeploymentError, DamagedBundleError."""
        archive = await self._blobs.get(_key(environment_id, deployment_id))
        if archive is None:
            raise UnknownDeploymentError(deployment_id)
        if await asyncio.to_thread(deployment_id_of, archive) != deployment_id:
            raise DamagedBundleError(deployment_id)
        return archive

    async def fetch_unpacked(self, environment_id: EnvironmentId, deployment_id: DeploymentId) -> Path:
        """Return a read-only folder with the bundle; it stays for an hour after its last use, longer while pinned."""
        name = _name(environment_id, deployment_id)
        found = await asyncio.to_thread(self._cache.find, name)
        if found is not None:
            return found
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            found = await asyncio.to_thread(self._cache.find, name)
            if found is None:
                archive = await self.get(environment_id, deployment_id)
                found = await asyncio.to_thread(self._cache.add, name, archive)
                await asyncio.to_thread(self._cache.evict, {*self._pins, name})
        if not lock.locked():
            self._locks.pop(name, None)
        return found

    @asynccontextmanager
    async def pinned(self, environment_id: EnvironmentId, deployment_id: DeploymentId) -> AsyncGenerator[Path, None]:
        """Like `fetch_unpacked`; this process does not evict it while the block runs."""
        name = _name(environment_id, deployment_id)
        self._pins[name] += 1
        try:
            yield await self.fetch_unpacked(environment_id, deployment_id)
        finally:
            self._pins[name] -= 1
            self._pins = +self._pins

    async def delete(self, environment_id: EnvironmentId, deployment_id: DeploymentId) -> None:
        """Remove a bundle and its unpacked folder; safe to repeat."""
        await self._blobs.delete(_key(environment_id, deployment_id))
        await asyncio.to_thread(self._cache.remove, _name(environment_id, deployment_id))

    async def erase_environment(self, environment_id: EnvironmentId) -> int:
        """Remove everything of an environment; return how many bundles."""
        keys = await self._blobs.keys(f"deployments/{environment_id}/")
        for key in keys:
            await self.delete(environment_id, DeploymentId(key.rpartition("/")[2].removesuffix(".tar.gz")))
        return len(keys)


def _name(environment_id: EnvironmentId, deployment_id: DeploymentId) -> str:
    if not _SHA256.fullmatch(deployment_id):
        raise UnknownDeploymentError(deployment_id)
    return f"{int(environment_id)}/{deployment_id}"


def _key(environment_id: EnvironmentId, deployment_id: DeploymentId) -> str:
    return f"deployments/{_name(environment_id, deployment_id)}.tar.gz"
