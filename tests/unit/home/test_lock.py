from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nv2.errors import EnvironmentFailure
from nv2.home.lock import host_lock


def test_a_lock_excludes_threads(tmp_path: Path) -> None:
    lock = host_lock(tmp_path)
    counter = tmp_path / "counter"
    counter.write_text("0")

    def work() -> None:
        for _ in range(10):
            with lock("k"):
                counter.write_text(str(int(counter.read_text()) + 1))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.read_text() == "80"


WORKER = """
import sys
from pathlib import Path
from nv2.home.lock import host_lock

lock, counter = host_lock(Path(sys.argv[1])), Path(sys.argv[2])
for _ in range(20):
    with lock("k"):
        counter.write_text(str(int(counter.read_text()) + 1))
"""


def test_a_lock_excludes_processes(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    arguments = [sys.executable, "-c", WORKER, str(tmp_path / "locks"), str(counter)]
    workers = [subprocess.Popen(arguments) for _ in range(3)]
    assert [worker.wait(200) for worker in workers] == [0, 0, 0]
    assert counter.read_text() == "60"


def test_different_keys_do_not_wait_for_each_other(tmp_path: Path) -> None:
    lock = host_lock(tmp_path, timeout=0)
    with lock("a"), lock("b"):
        pass


def test_waiting_ends_with_an_error_that_names_the_key(tmp_path: Path) -> None:
    lock = host_lock(tmp_path, timeout=0)
    with lock("the key"), pytest.raises(EnvironmentFailure, match="the lock for the key"), lock("the key"):
        pass


def test_a_lock_leaves_no_file_behind(tmp_path: Path) -> None:
    with host_lock(tmp_path / "locks")("k"):
        assert len(os.listdir(tmp_path / "locks")) == 1
    assert os.listdir(tmp_path / "locks") == []


def test_an_error_inside_gives_the_lock_back(tmp_path: Path) -> None:
    lock = host_lock(tmp_path, timeout=0)
    with pytest.raises(ValueError, match="x"), lock("k"):
        raise ValueError("x")
    with lock("k"):
        pass


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    with pytest.raises(EnvironmentFailure), host_lock(tmp_path / "f" / "locks")("k"):
        pass
