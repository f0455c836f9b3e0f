"""Towns and textures come back from the disk as they were built; a bad cache costs time and nothing else."""

import dataclasses
import os

import numpy as np
import pytest

from sim2real_bench.envs.carla.embedded.town import store
from sim2real_bench.errors import UnknownNameError

pytest.importorskip("carla")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "cache_folder", lambda: tmp_path / "towns")
    return tmp_path / "towns"


@pytest.fixture(scope="module")
def built():
    return store.build_town("MiniTown02")


@pytest.fixture
def counted(built, monkeypatch):
    """Building is replaced by the town that was built already, and counted."""
    calls = []
    monkeypatch.setattr(store, "build_town", lambda name: (calls.append(name), built)[1])
    return calls


def same(first, second):
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and np.array_equal(first, second)
    if dataclasses.is_dataclass(first):
        names = [entry.name for entry in dataclasses.fields(first)]
        return type(first) is type(second) and all(same(getattr(first, n), getattr(second, n)) for n in names)
    if isinstance(first, tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second


def test_a_town_is_read_as_it_was_built(built, counted):
    assert store.stored_town("MiniTown02") is built
    read = store.stored_town("MiniTown02")
    assert read is not built
    assert same(read, built)
    assert counted == ["MiniTown02"]


def test_another_source_is_another_entry(counted, folder, monkeypatch):
    store.stored_town("MiniTown02")
    monkeypatch.setattr(store, "_sources", lambda: b"changed")
    store.stored_town("MiniTown02")
    assert len(counted) == 2
    assert len(list(folder.glob("MiniTown02-*.npz"))) == 2


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive", None])
def test_a_damaged_entry_is_made_again(built, counted, folder, damage, caplog):
    store.stored_town("MiniTown02")
    (entry,) = folder.iterdir()
    entry.write_bytes(entry.read_bytes()[:-4000] if damage is None else damage)
    assert store.stored_town("MiniTown02") is built
    assert "making its content again" in caplog.text
    assert same(store.stored_town("MiniTown02"), built)
    assert len(counted) == 2


def test_an_entry_that_names_a_foreign_class_is_not_followed(counted, folder):
    store.stored_town("MiniTown02")
    (entry,) = folder.iterdir()
    tree = np.frombuffer(b'{"class": "subprocess:Popen", "fields": {"args": "true"}}', np.uint8)
    np.savez(entry, tree=tree)
    store.stored_town("MiniTown02")
    assert len(counted) == 2


def test_without_a_writable_folder_towns_are_built(built, counted, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(store, "cache_folder", lambda: tmp_path / "file" / "towns")
    assert store.stored_town("MiniTown02") is built
    assert store.stored_town("MiniTown02") is built
    assert len(counted) == 2


def test_entries_of_last_month_are_removed(counted, folder):
    folder.mkdir()
    old, other = folder / "MiniTown02-0123.npz", folder / "MiniTown01-0123.npz"
    for path in (old, other):
        path.write_bytes(b"")
        os.utime(path, (1e9, 1e9))
    store.stored_town("MiniTown02")
    assert not old.exists()
    assert other.exists()
    assert list(folder.glob("*.part")) == []


def test_textures_are_kept_by_palette(built, folder, monkeypatch):
    layers = store.texture_layers(built.meshes.palette)
    monkeypatch.setattr(store, "texture_layers", lambda palette: layers)
    for _ in range(2):
        read = store.stored_layers(built.meshes.palette)
        assert np.array_equal(read, layers[:, ::-1])
        assert read.flags.c_contiguous
    store.stored_layers(dataclasses.replace(built.meshes.palette, seed=built.meshes.palette.seed + 1))
    assert len(list(folder.iterdir())) == 2


def test_an_unknown_town_is_told(folder):
    with pytest.raises(UnknownNameError, match="MiniTown01"):
        store.stored_town("Atlantis")
    assert not folder.exists()
