"""Port leases: exclusive, free, and never lost between two who want them."""

import json
import multiprocessing
import os
import socket
from concurrent.futures import ProcessPoolExecutor

import pytest

from sim2real_bench.errors import ConfigurationError, SimulatorError
from sim2real_bench.evaluation.supervisor import leases
from sim2real_bench.evaluation.supervisor.leases import Occupant, lease_folder, lease_ports, sweep


@pytest.fixture
def folder(tmp_path):
    return tmp_path


@pytest.fixture
def few_ports(monkeypatch):
    """Room for three leases."""
    monkeypatch.setattr(leases, "LAST_PORT", leases.FIRST_PORT + 3 * leases.PORTS_PER_LEASE - 1)


def _free_blocks():
    blocks = range(leases.FIRST_PORT, leases.LAST_PORT, leases.PORTS_PER_LEASE)
    return [first for first in blocks if all(leases._is_free(first + offset) for offset in range(8))]


def test_leases_do_not_overlap_and_come_back(folder, few_ports):
    free = _free_blocks()
    taken = [lease_ports(folder) for _ in free]
    assert sorted(lease.port for lease in taken) == free
    with pytest.raises(SimulatorError, match="no 8 consecutive free ports"):
        lease_ports(folder)
    taken[0].release()
    taken[0].release()
    again = lease_ports(folder)
    assert again.port == taken[0].port
    for lease in (again, *taken):
        lease.release()
    assert list(folder.iterdir()) == []


def test_a_block_with_a_taken_port_is_left_alone(folder, few_ports):
    free = _free_blocks()
    with socket.socket() as other:
        other.bind(("127.0.0.1", free[0] + 5))
        other.listen()
        taken = [lease_ports(folder) for _ in free[1:]]
        assert free[0] not in {lease.port for lease in taken}
        with pytest.raises(SimulatorError):
            lease_ports(folder)
    for lease in taken:
        lease.release()


def _race(folder):
    """Take and give back as fast as possible; the ports held at a time are written to files that must not exist."""
    for _ in range(50):
        try:
            lease = lease_ports(folder)
        except SimulatorError:
            continue
        mark = folder / f"held-{lease.port}"
        descriptor = os.open(mark, os.O_CREAT | os.O_EXCL)
        os.close(descriptor)
        mark.unlink()
        lease.release()
    return True


def test_four_processes_never_hold_the_same_lease(folder):
    context = multiprocessing.get_context("fork")  # with the same module state, without importing anew
    leases_before = leases.LAST_PORT
    leases.LAST_PORT = leases.FIRST_PORT + 2 * leases.PORTS_PER_LEASE - 1
    try:
        with ProcessPoolExecutor(4, mp_context=context) as pool:
            assert list(pool.map(_race, [folder] * 4)) == [True] * 4
    finally:
        leases.LAST_PORT = leases_before


def test_a_held_lease_is_not_swept(folder):
    lease = lease_ports(folder)
    lease.write(Occupant("token", "/nowhere"))
    assert sweep(folder) == [] and len(list(folder.iterdir())) == 1
    lease.release()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"token": 1}', "\x00" * 10])
def test_a_torn_lease_is_removed(folder, text):
    (folder / "20000.lock").write_text(text)
    assert sweep(folder) == [] and list(folder.iterdir()) == []


def test_sweeping_removes_the_temporary_files_it_was_told_of_and_no_others(folder, tmp_path_factory):
    ours, foreign = tmp_path_factory.mktemp("x") / "sim2real-bench-1", tmp_path_factory.mktemp("thesis")
    ours.mkdir()
    for number, place in enumerate((ours, foreign)):
        fields = {"token": f"absent-{number}", "folder": str(place), "removal": [], "leader": 0, "created": 0.0}
        (folder / f"{20000 + 8 * number}.lock").write_text(json.dumps(fields))
    assert len(sweep(folder)) == 2
    assert not ours.exists() and foreign.exists()


def test_a_folder_of_somebody_else_is_refused(tmp_path, monkeypatch):
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert lease_folder().is_relative_to(tmp_path)
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(ConfigurationError, match="another user"):
        lease_folder()
