"""No archive, however hostile, writes outside its folder, leaves a link, fills the disk or raises anything but ours."""

import gzip
import io
import os
import stat
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman_server.scripts import Limits
from dragoman_server.scripts.archive import unpack
from dragoman_server.scripts.errors import InvalidArchiveError
from tests.scripts.packing import Entry, pack

SMALL = Limits(archive_bytes=200_000, unpacked_bytes=100_000, file_bytes=50_000, entries=20, depth=5)
NAMES = st.lists(
    st.sampled_from(["a", "b", "..", ".", "", "/", "\\", "c:", "x" * 300, "é", "\x01", "con", "a b", "\udcff"]),
    max_size=7,
).map("/".join)
TYPES = st.sampled_from(
    [
        tarfile.REGTYPE,
        tarfile.DIRTYPE,
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.FIFOTYPE,
        b"S",
        b"x",
        b"L",
    ]
)
ENTRIES = st.builds(Entry, name=NAMES, data=st.binary(max_size=50), type=TYPES, link=NAMES)


def _tree(root: Path) -> list[Path]:
    return [Path(path) / name for path, folders, files in os.walk(root) for name in folders + files]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=st.lists(ENTRIES, max_size=8), flips=st.lists(st.integers(0, 3000), max_size=3))
def test_whatever_the_archive_holds_only_files_inside_the_folder_appear(
    tmp_path_factory: pytest.TempPathFactory, entries: list[Entry], flips: list[int]
) -> None:
    outer = tmp_path_factory.mktemp("outer")
    target = outer / "target"
    target.mkdir()
    plain = bytearray(gzip.decompress(pack(entries)))
    for at in flips:
        plain[at % len(plain)] ^= 0x55

    with suppress(InvalidArchiveError):
        unpack(gzip.compress(bytes(plain), 1), target, SMALL)

    assert list(outer.iterdir()) == [target]
    for path in _tree(target):
        assert stat.S_ISREG(path.lstat().st_mode) or stat.S_ISDIR(path.lstat().st_mode)


@given(data=st.binary(max_size=300))
def test_garbage_is_refused_clearly(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    for archive in (data, gzip.compress(data)):
        with pytest.raises(InvalidArchiveError):
            unpack(archive, tmp_path_factory.mktemp("garbage"), SMALL)


@pytest.mark.parametrize(
    "entry",
    [
        Entry("../up", b"x"),
        Entry("/etc/x", b"x"),
        Entry("a/../../x", b"x"),
        Entry("link", type=tarfile.SYMTYPE, link="/etc"),
        Entry("hard", type=tarfile.LNKTYPE, link="a"),
        Entry("fifo", type=tarfile.FIFOTYPE),
        Entry("device", type=tarfile.CHRTYPE),
        Entry("a\\b", b"x"),
        Entry("C:x", b"x"),
        Entry("x/" * 6 + "y", b"x"),
        Entry("", b"x"),
        Entry("big", b"x" * 50_001),
    ],
    ids=lambda entry: entry.name or "nameless",
)
def test_one_bad_entry_refuses_the_whole(tmp_path: Path, entry: Entry) -> None:
    with pytest.raises(InvalidArchiveError):
        unpack(pack([Entry("good", b"x"), entry]), tmp_path, SMALL)


def test_a_bomb_ends_at_the_limit(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(200_000_000))
    entries = pack([Entry(f"f{n}", b"\0" * 49_000) for n in range(3)])
    header_bomb = io.BytesIO()
    with tarfile.open(fileobj=header_bomb, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("a")
        info.pax_headers = {"comment": "x" * 30_000_000}
        tar.addfile(info)

    for archive in (bomb, entries, header_bomb.getvalue()):
        with pytest.raises(InvalidArchiveError):
            unpack(archive, tmp_path, SMALL)


def test_a_name_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArchiveError):
        unpack(pack([Entry("a", b"1"), Entry("./a", b"2")]), tmp_path, SMALL)


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArchiveError):
        unpack(pack([Entry(f"f{n}", b"") for n in range(21)]), tmp_path, SMALL)


def test_a_sound_archive_is_unpacked_readable_and_sealed(tmp_path: Path) -> None:
    target = tmp_path / "t"
    target.mkdir()

    size = unpack(
        pack([Entry("./", type=tarfile.DIRTYPE), Entry("pkg/mod.py", b"x = 1\n"), Entry("run.sh", b"hi")]),
        target,
        SMALL,
    )

    assert size == 8
    assert (target / "pkg" / "mod.py").read_bytes() == b"x = 1\n"
    assert {stat.S_IMODE(p.stat().st_mode) for p in _tree(target)} == {0o444, 0o555}
