"""Files from strangers: nothing in them runs, leaves its folder, or takes memory on a promise; whatever they hold, the
answer is a value or one of our own errors."""

import ast
import hashlib
import io
import json
import os
import pickle
import resource
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim2real_bench.agents.cards import CheckpointCard, read_card
from sim2real_bench.agents.pid import CONTROLLERS_FILE, read_controllers
from sim2real_bench.distill.data.episode import EpisodeArrays, EpisodeNote, read_episode, write_episode
from sim2real_bench.distill.data.rollouts import RolloutConfig, RolloutDataset, RolloutWriter, read_manifest
from sim2real_bench.errors import CheckpointError, DataError, RecordError, Sim2RealError
from sim2real_bench.evaluation.leaderboard import accepted_result
from sim2real_bench.evaluation.leaderboard.checks import check_results, check_submission
from sim2real_bench.evaluation.leaderboard.submissions import read_submission
from sim2real_bench.evaluation.plan import read_plan
from sim2real_bench.evaluation.records import read_records

ROOT = Path(__file__).parents[1]
FOLDERS = ("envs", "agents", "distill", "evaluation", "sim2real_bench")


# --- The code itself: what could run a stranger's bytes is not called anywhere.

UNPICKLERS = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "_pickle", "pickle5"}
UNSAFE_CALLS = {
    ("torch", "load"), ("yaml", "load"), ("yaml", "unsafe_load"), ("yaml", "full_load"), ("yaml", "load_all"),
    ("os", "system"), ("os", "popen"), ("pandas", "read_pickle"), ("pd", "read_pickle"), ("PPO", "load"),
    ("np", "fromregex"), ("shutil", "unpack_archive"), ("tarfile", "open"),
}  # fmt: skip
UNSAFE_NAMES = {"eval", "exec", "compile", "__import__"}
BETWEEN_OWN_PROCESSES = "messages between a process and the one that it started, through an inherited pipe"
MAY_PICKLE = {
    "evaluation/supervisor/calls.py": BETWEEN_OWN_PROCESSES,
    "evaluation/supervisor/call_process.py": BETWEEN_OWN_PROCESSES,
}
MAY_IMPORT_BY_NAME = {
    "envs/carla/embedded/town/store.py": "dataclasses of the town package, named in the user's own cache",
    "evaluation/cluster/versions.py": "the parts of this package",
    "evaluation/contract.py": "the benchmark that a plug-in's author tests",
    "evaluation/execution/worker.py": "what the user's own configuration names; a stored plan must equal it",
    "evaluation/supervisor/call_process.py": "the probe that the supervising process names",
    "sim2real_bench/__init__.py": "the public names, written in that file",
    "sim2real_bench/cli/doctor/coppelia.py": "a library written in that file",
    "sim2real_bench/cli/doctor/libraries.py": "the libraries of this package's own metadata",
    "sim2real_bench/registry.py": "what this program or an installed package registered",
}
"""Who may import by a name in a variable, and where that name comes from: never from a file that people share."""


def unsafe_calls(source: str) -> list[str]:
    """What in a program's text could run code out of data."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [f"import {name}" for name in names if name.split(".")[0] in UNPICKLERS]
        if not isinstance(node, ast.Call):
            continue
        function, keywords = node.func, {word.arg: word.value for word in node.keywords}
        if isinstance(function, ast.Name) and function.id in UNSAFE_NAMES:
            found.append(function.id)
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            called = (function.value.id, function.attr)
            if called in UNSAFE_CALLS:
                found.append(".".join(called))
            refused = keywords.get("allow_pickle")
            if called in {("np", "load"), ("numpy", "load")} and not (
                isinstance(refused, ast.Constant) and refused.value is False
            ):
                found.append("np.load without allow_pickle=False")
        shell = keywords.get("shell")
        if shell is not None and not (isinstance(shell, ast.Constant) and shell.value is False):
            found.append("shell=")
    return found


def imports_by_name(source: str) -> bool:
    """Whether a program imports a module whose name is not written there."""
    return any(
        isinstance(node, ast.Call)
        and (getattr(node.func, "id", "") == "import_module" or getattr(node.func, "attr", "") == "import_module")
        and not isinstance(node.args[0], ast.Constant)
        for node in ast.walk(ast.parse(source))
    )


@pytest.mark.parametrize(
    "text",
    [
        "import pickle", "from cloudpickle import loads", "torch.load(p)", "np.load(p)", "yaml.load(t)",
        "np.load(p, allow_pickle=True)", "eval(t)", "subprocess.run(c, shell=True)", "os.system(c)",
    ],
)  # fmt: skip
def test_the_scan_finds_what_it_looks_for(text: str):
    assert unsafe_calls(text)


def own_sources() -> dict[str, str]:
    """Place in the repository to text, of every module of ours."""
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
    }


def test_no_code_of_ours_could_run_a_strangers_bytes():
    found = {place: calls for place, text in own_sources().items() if (calls := unsafe_calls(text))}
    assert {place: calls for place, calls in found.items() if place not in MAY_PICKLE} == {}
    assert all(set(found[place]) == {"import pickle"} for place in MAY_PICKLE)


def test_only_known_places_import_by_name():
    found = {place for place, text in own_sources().items() if imports_by_name(text)}
    assert found - set(MAY_IMPORT_BY_NAME) == set(), "say in MAY_IMPORT_BY_NAME where the name comes from"


# --- Samples: a folder with one valid file of every kind, and what reads it.


def write_samples(folder: Path) -> None:
    """One valid file of every kind that is shared between people."""
    from sim2real_bench.agents.checkpoints import save_checkpoint
    from sim2real_bench.agents.networks import WaypointNetwork

    result = folder / accepted_result().name
    result.mkdir(parents=True)
    for path in accepted_result().iterdir():
        lines = path.read_bytes().splitlines(keepends=True)
        (result / path.name).write_bytes(b"".join(lines[:12] if path.suffix == ".jsonl" else lines))
    (folder / "controllers.json").write_bytes(CONTROLLERS_FILE.read_bytes())
    save_checkpoint(
        folder / "net", WaypointNetwork(1, 0.125, 32, 32), CheckpointCard(observation="map_view", command="x", seed=0)
    )
    config = RolloutConfig(
        simulator="stk", backend="b", driver="d", places=("p",), weathers=(), observations=("rgb",),
        image_size=(32, 16), camera="c", seed=0, episode_ticks=5, keep_every=1, exploration="", max_speed_mps=0.0,
    )  # fmt: skip
    writer = RolloutWriter(folder / "data", config, "sim2real-bench collect")
    writer.append(0, arrays(), EpisodeNote(seed=1, place="p", weather="", ticks=5, ended_by="horizon"))
    writer.finish(1)


def arrays(count: int = 3) -> EpisodeArrays:
    return EpisodeArrays(
        ego_pose=np.tile(np.eye(4), (count, 1, 1)),
        speed=np.ones(count, np.float32),
        waypoints=np.ones((count, 5, 3), np.float32),
        rgb=np.zeros((count, 16, 32, 3), np.uint8),
    )


def load_checkpoint(path: Path) -> object:
    from sim2real_bench.agents.checkpoints import load_checkpoint as load

    return load(path.with_suffix(""))


READERS: dict[str, Callable[[Path], object]] = {
    f"{accepted_result().name}/plan.json": read_plan,
    f"{accepted_result().name}/episodes.jsonl": read_records,
    f"{accepted_result().name}/submission.json": lambda path: read_submission(path.parent),
    "controllers.json": read_controllers,
    "net.json": lambda path: read_card(path.with_suffix("")),
    "net.safetensors": load_checkpoint,
    "data/manifest.json": lambda path: read_manifest(path.parent),
    "data/episodes/00000.npz": read_episode,
}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    write_samples(folder)
    return folder


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    write_samples(tmp_path)
    return tmp_path


def trust_hash(folder: Path) -> None:
    """Make the card name the weights file as it is: a stranger writes both."""
    card = folder / "net.json"
    document = json.loads(card.read_text())
    document["weights_sha256"] = hashlib.sha256((folder / "net.safetensors").read_bytes()).hexdigest()
    card.write_text(json.dumps(document))


def test_the_samples_are_valid(samples: Path):
    for name, reader in READERS.items():
        reader(samples / name)


# --- Pickles do nothing, wherever they are put.


class _Bomb:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


def test_the_bomb_works(tmp_path: Path):
    pickle.loads(pickle.dumps(_Bomb(tmp_path / "marker")))
    assert (tmp_path / "marker").exists()


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("protocol", [0, 5])
def test_a_pickle_in_place_of_a_file_does_nothing(fresh: Path, name: str, protocol: int):
    marker = fresh / "marker"
    (fresh / name).write_bytes(pickle.dumps(_Bomb(marker), protocol) + b"\n")
    if name == "net.safetensors":
        trust_hash(fresh)
    with pytest.raises(Sim2RealError):
        READERS[name](fresh / name)
    assert not marker.exists()


def test_pickles_inside_archives_do_nothing(fresh: Path):
    marker, path = fresh / "marker", fresh / "data/episodes/00000.npz"
    bomb = np.empty(1, object)
    bomb[0] = _Bomb(marker)
    np.savez(path, ego_pose=bomb, speed=bomb, waypoints=bomb, note=bomb)
    with pytest.raises(DataError, match="holds object, not"):
        read_episode(path)
    with zipfile.ZipFile(fresh / "net.safetensors", "w") as archive:  # the format of torch.save
        archive.writestr("archive/data.pkl", pickle.dumps(_Bomb(marker)))
    trust_hash(fresh)
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_checkpoint(fresh / "net.safetensors")
    assert not marker.exists()


# --- Sizes: a promise takes no memory.


def npy(shape: tuple[int, ...], dtype: str, body: bytes = b"") -> bytes:
    """A ``.npy`` entry whose header says what it likes."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue() + body


def npz_with(path: Path, **entries: bytes) -> None:
    write_episode(path, arrays(), EpisodeNote(seed=1, place="p", weather="", ticks=5, ended_by="horizon"))
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    kept |= {f"{name}.npy": content for name, content in entries.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in kept.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (npy((10**12,), "<f4"), "is not what the entry holds"),
        (npy((2**40, 2**40), "<f4"), "is not what the entry holds"),
        (npy((3,), "<f8", bytes(24)), "holds float64, not float32"),
        (npy((3,), "|O", bytes(24)), "holds object, not float32"),
        (npy((3,), "<f4", bytes(16)), "is not what the entry holds"),
        (b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535, "no readable header|Header"),
        (b"no header", "cannot be read"),
        (npy((3,), "<f4", struct.pack("<3f", 1.0, float("nan"), 2.0)), "not finite"),
    ],
)
def test_headers_that_lie_are_refused(tmp_path: Path, entry: bytes, words: str):
    npz_with(tmp_path / "e.npz", speed=entry)
    with pytest.raises(DataError, match=words):
        read_episode(tmp_path / "e.npz")


def test_decompression_bombs_take_neither_time_nor_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sim2real_bench.distill.data.array_files.MAX_ARRAYS_BYTES", 1 << 20)
    npz_with(tmp_path / "e.npz", rgb=npy((3, 1000, 1000, 3), "|u1", bytes(9_000_000)))
    assert (tmp_path / "e.npz").stat().st_size < 20_000
    with pytest.raises(DataError, match="at most 1,048,576 are read"):
        read_episode(tmp_path / "e.npz")
    assert read_episode(tmp_path / "e.npz", ())[0].rgb is None  # what is not asked for is not unpacked


def test_images_have_a_longest_side(tmp_path: Path):
    npz_with(tmp_path / "e.npz", labels=npy((3, 1, 5000), "|u1", bytes(15_000)))
    with pytest.raises(DataError, match="no side of an image is longer than 4096"):
        read_episode(tmp_path / "e.npz")


@pytest.mark.parametrize(
    ("architecture", "words"),
    [
        ({"channels": 1, "width": 1e6, "height_px": 32, "width_px": 32}, "width is beyond"),
        ({"channels": 10**9, "width": 0.125, "height_px": 32, "width_px": 32}, "channels is beyond"),
        ({"channels": 1, "width": 8.0, "height_px": 32, "width_px": 32}, "does not fit the architecture"),
        ({"channels": 1, "width": 0.125, "height_px": 10**6, "width_px": 32}, "height_px is beyond"),
        ({"channels": "9" * 5000, "width": 0.125, "height_px": 32, "width_px": 32}, "no waypoint network"),
        ({"channels": -1, "width": 0.125, "height_px": 32, "width_px": 32}, "no waypoint network"),
        ({"channels": 1, "width": -5, "height_px": 32, "width_px": 32}, "no waypoint network|does not fit"),
    ],
)
def test_a_card_cannot_ask_for_memory(fresh: Path, architecture: dict, words: str):
    document = json.loads((fresh / "net.json").read_text()) | {"architecture": architecture}
    (fresh / "net.json").write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match=words):
        load_checkpoint(fresh / "net.safetensors")


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 2**63]}},
        [], 3, "x",
    ],
)  # fmt: skip
def test_safetensors_headers_that_lie_are_refused(fresh: Path, header: object):
    text = json.dumps(header).encode()
    (fresh / "net.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))
    trust_hash(fresh)
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_checkpoint(fresh / "net.safetensors")


@pytest.mark.parametrize("stated", [0, 1, 2**20 + 1, 2**40, 2**64 - 1])
def test_safetensors_headers_have_a_longest_length(fresh: Path, stated: int):
    (fresh / "net.safetensors").write_bytes(struct.pack("<Q", stated) + b"{}" + bytes(100))
    trust_hash(fresh)
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_checkpoint(fresh / "net.safetensors")


def test_weights_that_are_not_finite_are_refused(fresh: Path):
    content = bytearray((fresh / "net.safetensors").read_bytes())
    content[-2:] = b"\x00\x7e"  # a float16 that is no number
    (fresh / "net.safetensors").write_bytes(content)
    trust_hash(fresh)
    with pytest.raises(CheckpointError, match="not finite"):
        load_checkpoint(fresh / "net.safetensors")


def test_files_that_never_end_are_not_read(fresh: Path):
    for name, reader in READERS.items():
        path = fresh / name
        path.unlink()
        path.symlink_to("/dev/zero")
        with pytest.raises(Sim2RealError):
            reader(path)


def test_readers_stay_small_before_large_files(fresh: Path):
    """All readers under a memory limit, before files of 8 GiB (sparse) and a text of 60 MB."""
    for name in READERS:
        with (fresh / name).open("wb") as stream:
            stream.truncate(8 << 30)
    program = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import torch, test_security as t
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, ({resource.RLIM_INFINITY}, {resource.RLIM_INFINITY}))
resource.setrlimit(resource.RLIMIT_DATA, (4 << 30, 4 << 30))
for name, reader in t.READERS.items():
    try:
        reader(Path({str(fresh)!r}) / name)
    except t.Sim2RealError as error:
        print("refused", name)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=120)
    assert done.stdout.count("refused") == len(READERS), done.stderr[-2000:]


# --- Paths stay inside their folder.


def test_a_data_set_cannot_point_outside(fresh: Path, tmp_path_factory: pytest.TempPathFactory):
    outside = tmp_path_factory.mktemp("outside")
    precious = outside / "00007.npz"
    precious.write_bytes(b"mine")
    episodes = fresh / "data/episodes"
    for path in episodes.iterdir():
        path.rename(outside / path.name)
    episodes.rmdir()
    episodes.symlink_to(outside)
    for open_it in (RolloutDataset, lambda folder: RolloutWriter(folder, read_manifest(folder).config, "x")):
        with pytest.raises(DataError, match="leads out of the folder"):
            open_it(fresh / "data")
    assert precious.exists()


def test_a_linked_episode_is_refused(fresh: Path, tmp_path_factory: pytest.TempPathFactory):
    path = fresh / "data/episodes/00000.npz"
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "e.npz"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    with pytest.raises(DataError, match="leads out of the folder"):
        RolloutDataset(fresh / "data")


def test_strange_files_beside_episodes_are_left_alone(fresh: Path):
    (fresh / "data/episodes/notes.npz").write_text("mine")
    (fresh / "data/episodes/readme.txt").write_text("mine")
    config = read_manifest(fresh / "data").config
    writer = RolloutWriter(fresh / "data", config, "x")
    assert writer.finished() == {0: 3}
    writer.finish(1)
    assert (fresh / "data/episodes/readme.txt").exists() and (fresh / "data/episodes/notes.npz").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"frames": 10**15},
        {"frames": -3},
        {"episodes": [{"index": 7}]},
        {"episodes": [{"index": -1}]},
        {"episodes": [{"frames": 10**9}]},
        {"episodes": [{"sha256": "../../etc/passwd"}]},
        {"config": {"image_size": [10**6, 10**6]}},
        {"config": {"simulator": "../../x"}},
    ],
)
def test_a_manifest_that_does_not_add_up_is_refused(fresh: Path, change: dict):
    path = fresh / "data/manifest.json"
    document = json.loads(path.read_text())
    for name, value in change.items():
        if isinstance(value, dict):
            document[name] |= value
        elif isinstance(value, list):
            document[name][0] |= value[0]
        else:
            document[name] = value
    path.write_text(json.dumps(document))
    with pytest.raises(DataError, match=r"manifest\.json"):
        RolloutDataset(fresh / "data")


def test_a_manifest_that_promises_more_than_the_machine_has_is_refused(fresh: Path, monkeypatch: pytest.MonkeyPatch):
    class Memory:
        available = 1000

    monkeypatch.setattr("sim2real_bench.distill.data.rollouts.psutil.virtual_memory", lambda: Memory)
    with pytest.raises(DataError, match="GiB are free"):
        RolloutDataset(fresh / "data").stack("rgb")


# --- Fuzzing: any mutation of a valid file is read or refused by one of our own errors.

_JUNK = st.sampled_from(
    [b"null", b"-1", b"1e999", b"NaN", b"[]", b"{", b'""', b"9" * 400, b"\xff\xfe", b"\n", b'{"a":' * 40, b"\x00" * 8,
     b"\xff" * 8, b"../", b'"\\ud800"', b"true"]
)  # fmt: skip


def mutated(content: bytes, data: st.DataObject) -> bytes:
    """A file with up to four places changed, or cut short."""
    changed = bytearray(content)
    near_start = st.integers(0, min(len(content), 2000) - 1) | st.integers(0, len(content) - 1)
    for _ in range(data.draw(st.integers(1, 4))):
        start = min(data.draw(near_start), max(len(changed) - 1, 0))
        stop = min(len(changed), start + data.draw(st.integers(0, 16)))
        changed[start:stop] = data.draw(_JUNK | st.binary(max_size=8))
    return bytes(changed[: data.draw(st.just(len(changed)) | st.integers(0, len(changed)))])


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_mutated_files_are_read_or_refused(samples: Path, name: str, data: st.DataObject):
    path, original = samples / name, (samples / name).read_bytes()
    card = (samples / "net.json").read_bytes()
    try:
        path.write_bytes(mutated(original, data))
        if name == "net.safetensors":
            trust_hash(samples)
        READERS[name](path)
    except Sim2RealError as error:
        assert str(error)
    finally:
        path.write_bytes(original)
        (samples / "net.json").write_bytes(card)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_mutated_submissions_are_listed_never_raised(samples: Path, data: st.DataObject):
    folder = samples / accepted_result().name
    name = data.draw(st.sampled_from(["plan.json", "episodes.jsonl", "submission.json"]))
    original = (folder / name).read_bytes()
    try:
        (folder / name).write_bytes(mutated(original, data))
        checked, _ = check_submission(folder)
        assert checked.problems and check_results(folder).problems
    finally:
        (folder / name).write_bytes(original)


def test_record_errors_are_of_one_class(samples: Path):
    with pytest.raises(RecordError, match="cannot read"):
        read_plan(samples / "nowhere.json")
