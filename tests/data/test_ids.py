"""Ids are hashed with a salt that stays at home."""

import hashlib
import stat
from pathlib import Path

from pneumoscope.data.ids import load_salt, salted


def test_the_hash_follows_the_salt_and_the_id() -> None:
    first = salted(b"a" * 32)
    assert first("patient 7") == first("patient 7") != first("patient 8")
    assert first("patient 7") != salted(b"b" * 32)("patient 7")
    expected = hashlib.blake2b(b"patient 7", key=b"a" * 32, digest_size=8).hexdigest()
    assert first("patient 7") == expected


def test_any_file_name_can_be_hashed() -> None:
    assert len(salted(b"a" * 32)("na\udcffme")) == 16


def test_the_salt_is_drawn_once_and_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "not yet there"
    salt = load_salt(folder)
    assert len(salt) == 32
    assert load_salt(folder) == salt
    assert load_salt(tmp_path) != salt
    assert stat.S_IMODE((folder / "salt").stat().st_mode) == 0o600
    assert [file.name for file in folder.iterdir()] == ["salt"]
