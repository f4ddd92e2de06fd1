"""The key file is private, never half written and never overwritten by accident."""

import stat
from pathlib import Path

import pytest

from dragoman_server.vault import KeyRing
from dragoman_server.vault.errors import KeyFileError
from dragoman_server.vault.keyfile import ensure_key_file, read_key_file, write_key_file


def test_a_new_key_file_is_private_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "keys"

    ring = write_key_file(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key_file(path).current == ring.current
    assert [entry.name for entry in tmp_path.iterdir()] == ["keys"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_key_file_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys"
    write_key_file(path)
    path.chmod(mode)

    with pytest.raises(KeyFileError, match="chmod 600"):
        read_key_file(path)


def test_an_existing_key_file_is_never_replaced_by_a_fresh_one(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    ring = write_key_file(path)

    with pytest.raises(KeyFileError, match="already"):
        write_key_file(path)
    assert ensure_key_file(path).current == ring.current


def test_a_rotated_file_keeps_the_previous_key(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    old = write_key_file(path)

    write_key_file(path, old.with_new_current())

    assert read_key_file(path).previous == (old.current,)
    assert read_key_file(path).current != old.current


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    write_key_file(tmp_path / "real")
    (tmp_path / "keys").symlink_to(tmp_path / "real")

    with pytest.raises(KeyFileError):
        read_key_file(tmp_path / "keys")


@pytest.mark.parametrize("text", ["", "# only a comment\n", "not base64!\n", "c2hvcnQ=\n"])
def test_a_malformed_key_file_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys"
    path.touch(mode=0o600)
    path.write_text(text)

    with pytest.raises(KeyFileError) as caught:
        read_key_file(path)
    assert "c2hvcnQ" not in str(caught.value)


def test_a_ring_never_prints_its_keys() -> None:
    ring = KeyRing(b"A" * 32)

    assert "A" * 5 not in repr(ring) + str(ring)
