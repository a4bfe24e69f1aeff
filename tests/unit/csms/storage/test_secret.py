"""The secret that keys are hashed with."""

from __future__ import annotations

from pathlib import Path

import pytest

from csms.errors import StorageError
from csms.storage import SecretFile


def test_a_secret_is_written_when_it_is_to_be_kept_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "csms.secret"
    first = SecretFile(path)
    assert (first.kept, len(first.value), path.exists()) == (False, 32, False)
    first.keep()
    first.keep()
    assert path.stat().st_mode & 0o777 == 0o600
    second = SecretFile(path)
    assert (second.kept, second.value) == (True, first.value)


def test_two_new_secrets_differ(tmp_path: Path) -> None:
    assert SecretFile(tmp_path / "x").value != SecretFile(tmp_path / "x").value


@pytest.mark.parametrize("text", ["", "zz", "ab" * 31, "é"])
def test_a_file_that_is_no_secret_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "csms.secret"
    path.write_text(text)
    with pytest.raises(StorageError, match="cannot be used"):
        SecretFile(path)


def test_a_folder_that_is_not_there_is_an_error_when_it_is_to_be_kept(tmp_path: Path) -> None:
    secret = SecretFile(tmp_path / "none" / "csms.secret")
    with pytest.raises(StorageError, match="cannot be written"):
        secret.keep()
    assert secret.kept is False


def test_a_secret_of_another_process_is_not_overwritten(tmp_path: Path) -> None:
    late, early = SecretFile(tmp_path / "s"), SecretFile(tmp_path / "s")
    early.keep()
    with pytest.raises(StorageError, match="cannot be written"):
        late.keep()
    assert SecretFile(tmp_path / "s").value == early.value
