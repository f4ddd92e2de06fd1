"""Bundles come back as they were deployed, or not at all."""

import asyncio
from pathlib import Path

import pytest

from dragoman_server.kit.ids import DeploymentId, EnvironmentId
from dragoman_server.scripts import Limits, Scripts, open_blobs
from dragoman_server.scripts.cache import UnpackedCache
from dragoman_server.scripts.errors import (
    BlobStoreUnavailableError,
    DamagedBundleError,
    InvalidArchiveError,
    UnknownDeploymentError,
)
from tests.scripts.packing import Entry, bundle, pack

ENV, OTHER = EnvironmentId(1), EnvironmentId(2)


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(open_blobs(None, tmp_path / "blobs"), cache_folder=tmp_path / "cache")


async def test_a_bundle_comes_back_byte_for_byte_and_unpacked(scripts: Scripts) -> None:
    name, archive = bundle("print('hi')")

    await scripts.put(ENV, name, archive)
    await scripts.put(ENV, name, archive)

    assert await scripts.get(ENV, name) == archive
    folder = await scripts.fetch_unpacked(ENV, name)
    assert (folder / "main.py").read_text() == "print('hi')"


async def test_another_environment_does_not_see_it(scripts: Scripts) -> None:
    name, archive = bundle("secret sauce")
    await scripts.put(ENV, name, archive)
    await scripts.fetch_unpacked(ENV, name)

    with pytest.raises(UnknownDeploymentError):
        await scripts.get(OTHER, name)
    with pytest.raises(UnknownDeploymentError):
        await scripts.fetch_unpacked(OTHER, name)


async def test_an_archive_under_a_name_not_its_own_is_refused(scripts: Scripts) -> None:
    name, _ = bundle("one")
    _, other = bundle("two")

    with pytest.raises(InvalidArchiveError):
        await scripts.put(ENV, name, other)


async def test_a_damaged_bundle_is_never_handed_out(scripts: Scripts, tmp_path: Path) -> None:
    name, archive = bundle("one")
    await scripts.put(ENV, name, archive)
    [stored] = list((tmp_path / "blobs").rglob("*.tar.gz"))
    stored.write_bytes(archive[:-1] + b"?")

    with pytest.raises(DamagedBundleError):
        await scripts.fetch_unpacked(ENV, name)


@pytest.mark.parametrize("name", ["", "../../x", "A" * 64, "a" * 63])
async def test_a_name_that_is_no_hash_finds_nothing(scripts: Scripts, name: str) -> None:
    with pytest.raises(UnknownDeploymentError):
        await scripts.get(ENV, DeploymentId(name))


async def test_a_hostile_bundle_leaves_nothing_in_the_cache(scripts: Scripts, tmp_path: Path) -> None:
    from dragoman_server.scripts import deployment_id_of

    archive = pack([Entry("fine", b"1"), Entry("../evil", b"2")])
    await scripts.put(ENV, deployment_id_of(archive), archive)

    with pytest.raises(InvalidArchiveError):
        await scripts.fetch_unpacked(ENV, deployment_id_of(archive))
    assert [p for p in (tmp_path / "cache").rglob("*") if p.is_file()] == []


async def test_many_callers_at_once_get_one_complete_folder(tmp_path: Path) -> None:
    blobs = open_blobs(f"file://{tmp_path}/blobs", tmp_path)
    processes = [Scripts(blobs, cache_folder=tmp_path / "cache") for _ in range(3)]
    name, archive = bundle("print('hi')")
    await processes[0].put(ENV, name, archive)

    folders = await asyncio.gather(*(s.fetch_unpacked(ENV, name) for s in processes for _ in range(4)))

    assert len(set(folders)) == 1
    assert sorted(p.name for p in folders[0].iterdir()) == ["filler", "main.py"]
    assert list((tmp_path / "cache").glob(".new-*")) == []


async def test_the_least_recently_used_bundle_leaves_unless_pinned(tmp_path: Path) -> None:
    scripts = Scripts(
        open_blobs(None, tmp_path / "blobs"), cache_folder=tmp_path / "cache", cache_bytes=250, idle_seconds=-1.0
    )
    (a, first), (b, second), (c, third) = (bundle(text, 100) for text in "abc")
    for name, archive in ((a, first), (b, second), (c, third)):
        await scripts.put(ENV, name, archive)

    async with scripts.pinned(ENV, a) as kept:
        await scripts.fetch_unpacked(ENV, b)
        await scripts.fetch_unpacked(ENV, c)

        assert kept.is_dir()
        assert not (tmp_path / "cache" / "1" / b).exists()
        assert (tmp_path / "cache" / "1" / c).is_dir()


def test_a_bundle_used_recently_is_not_evicted(tmp_path: Path) -> None:
    cache = UnpackedCache(tmp_path, limits=Limits(), max_bytes=1, idle_seconds=60, clock=lambda: 1000.0)
    _, archive = bundle("x")
    cache.add("1/x", archive)

    assert cache.evict() == 0
    assert cache.find("1/x") is not None


async def test_deleting_removes_the_stored_and_the_unpacked(scripts: Scripts) -> None:
    name, archive = bundle("x")
    await scripts.put(ENV, name, archive)
    folder = await scripts.fetch_unpacked(ENV, name)

    assert await scripts.erase_environment(ENV) == 1
    await scripts.delete(ENV, name)

    assert not folder.exists()
    with pytest.raises(UnknownDeploymentError):
        await scripts.get(ENV, name)


def test_an_unknown_kind_of_store_is_refused_without_repeating_the_url(tmp_path: Path) -> None:
    with pytest.raises(ValueError) as caught:
        open_blobs("gopher://user:hunter2@x/", tmp_path)

    assert "hunter2" not in str(caught.value)


async def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    scripts = Scripts(open_blobs(None, tmp_path / "blobs"), cache_folder=tmp_path / "cache")
    (tmp_path / "blobs" / "deployments").write_text("a file where a folder must be")
    name, archive = bundle("x")

    with pytest.raises(BlobStoreUnavailableError):
        await scripts.put(ENV, name, archive)
