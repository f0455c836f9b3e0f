"""``doctor``: what it prints, when it fails, and its trials one by one where no process of its own is needed."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from doctor_runs import doctor, program
from typer.testing import CliRunner

from sim2real_bench.agents import checkpoints
from sim2real_bench.cli import build_app
from sim2real_bench.cli.doctor import SCHEMA, libraries, machine, remedies
from sim2real_bench.cli.doctor.catalogue import CHECKS, check_named, chosen, counts
from sim2real_bench.cli.doctor.check import Check, Finding, Result, Settings, broken, result_of, works
from sim2real_bench.cli.doctor.trial import try_here
from sim2real_bench.errors import SimulatorError, UnknownNameError

SETTINGS = Settings()
ROOT = Path(__file__).parents[2]


def tried(name: str) -> Finding:
    return try_here(check_named(name), SETTINGS)


@pytest.mark.simulator
def test_the_main_job_can_run_here(stk: None, carla_embedded: None) -> None:
    status, found = doctor()
    assert status == 0, [row for row in found.values() if not row["ok"]]
    assert set(found) == {check.name for check in CHECKS}
    assert all(row["ok"] for row in found.values() if row["need"] == "main")
    assert "one tick" in found["carla-embedded"]["found"] and "one tick" in found["stk-frame"]["found"]
    assert re.search(r"\((software|hardware)\), OpenGL \d", found["opengl"]["found"])
    assert all(bool(row["remedy"]) == (row["state"] != "ok") for row in found.values())


@pytest.mark.simulator
def test_a_running_server_is_looked_at_and_left_as_it_was(carla_embedded: None) -> None:
    import carla

    from sim2real_bench.envs.carla.embedded.launcher import EmbeddedServerProcess

    with EmbeddedServerProcess() as server:
        client = carla.Client(server.host, server.port, 1)
        client.set_timeout(20)
        world = client.get_world()
        settings = world.get_settings()
        settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.1
        world.apply_settings(settings)
        frame = world.tick()
        status, found = doctor("--only", "carla-server", CARLA_HOST=server.host, CARLA_PORT=server.port)
        assert (status, found["carla-server"]["state"]) == (0, "ok")
        assert f"MiniTown01, synchronous, frame {frame}" in found["carla-server"]["found"]
        assert world.tick() == frame + 1
        assert world.get_settings().synchronous_mode


def printed(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "sim2real_bench", "doctor", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_the_table_fits_80_columns_without_colours_and_commands_are_whole() -> None:
    status, text = printed("--only", "machine,python,pins,docker")
    table, _, rest = text.partition("\n\n")
    assert "\x1b" not in text
    assert max(len(line.rstrip()) for line in table.splitlines()) <= 80
    assert status == (0 if re.search(r"docker +ok", table) else 1)
    for command in re.findall(r"^    (\S.*)", rest, re.MULTILINE):
        assert not command.endswith(("\\", "-"))


def test_the_list_names_every_check_and_its_group() -> None:
    status, text = printed("--list")
    assert status == 0
    rows = [line.split() for line in text.splitlines()]
    assert {check.name for check in CHECKS} <= {row[0] for row in rows if row}
    assert {check.group for check in CHECKS} <= {row[1] for row in rows if len(row) > 1}


def test_an_unknown_check_is_wrong_usage_and_the_nearest_is_named() -> None:
    result = CliRunner().invoke(build_app(), ["doctor", "--only", "carla-sever"])
    assert result.exit_code == 2
    assert "carla-server" in result.stderr and "doctor --list" in result.stderr


def test_the_json_is_what_the_documentation_says() -> None:
    page = (ROOT / "docs" / "doctor.md").read_text()
    section = page.partition("## JSON")[2].partition("\n## ")[0]
    documented = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    done = subprocess.run(
        [sys.executable, "-m", "sim2real_bench", "doctor", "--only", "python", "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert document["schema"] == SCHEMA
    assert documented == set(document) | {field.name for field in fields(Result)}
    assert set(document["checks"][0]) == {field.name for field in fields(Result)}
    assert all(f"`{check.name}`" in page for check in CHECKS)


def test_what_counts() -> None:
    def outcome(need: str, name: str = "x") -> Result:
        check = Check(name, "group", "", lambda settings: works(""), need)  # type: ignore[arg-type]
        return result_of(check, broken("", ""), 0.0)

    assert [counts(outcome(need), ()) for need in ("main", "part", "service")] == [True, False, False]
    assert [counts(outcome(need), ("group",)) for need in ("main", "part", "service")] == [True, True, False]
    assert counts(outcome("service"), ("x",))


def test_groups_and_names_choose_checks_in_the_order_of_the_table() -> None:
    assert [check.name for check in chosen(["stk", "cores"])] == ["cores", "stk-assets", "stk-frame"]
    assert chosen([]) == CHECKS
    with pytest.raises(UnknownNameError, match="vizdoom"):
        chosen(["vizdom"])


def test_names_are_unique_and_no_check_is_named_like_a_group() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    assert not set(names) & {check.group for check in CHECKS}


def test_an_exception_becomes_a_finding_and_our_own_errors_keep_their_remedy() -> None:
    def raising(error: Exception) -> Check:
        def trial(settings: Settings) -> Finding:
            raise error

        return Check("x", "group", "", trial)

    assert try_here(raising(OSError("libEGL.so.1 not found\nsecond")), SETTINGS) == broken(
        "OSError: libEGL.so.1 not found … second", "libEGL.so.1 not found\nsecond"
    )
    assert try_here(raising(SimulatorError("it died; start it again")), SETTINGS).found == "it died; start it again"


@pytest.mark.parametrize(
    ("library", "remedy"),
    [("libglib-2.0.so.0", "apt-get install -y libglib2.0-0"), ("libfoo.so.3", "apt-file search libfoo.so.3")],
)
def test_a_missing_system_library_is_the_remedy_whatever_the_check(
    library: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trial(settings: Settings) -> Finding:
        raise SimulatorError(f"the worker ended\nImportError: {library}: cannot open shared object file: No such file")

    program(tmp_path / "bin" / "apt-get", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    finding = try_here(Check("x", "group", "", trial, remedy=lambda: "pip install x"), SETTINGS)
    assert remedy in finding.remedy
    assert finding.found.startswith("the worker ended … ImportError: lib")


# -- remedies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("programs", "user", "line"),
    [
        (("apt-get",), 0, "apt-get update && apt-get install -y xvfb xauth"),
        (("apt-get", "sudo"), 1000, "sudo apt-get update && sudo apt-get install -y xvfb xauth"),
        (("dnf", "sudo"), 1000, "sudo dnf install -y xorg-x11-server-Xvfb xorg-x11-xauth"),
        (("pacman",), 0, "pacman -S --needed xorg-server-xvfb xorg-xauth"),
        (("zypper",), 1000, "ask your administrator to run: zypper install -y xorg-x11-server-Xvfb xauth"),
        ((), 1000, "install with your system's package manager what Debian calls: xvfb xauth"),
    ],
)
def test_system_packages_in_the_words_of_the_machine(
    programs: tuple[str, ...], user: int, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    for name in programs:
        program(tmp_path / "bin" / name, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert remedies.system_packages("xvfb") == line


@pytest.mark.skipif(shutil.which("apt-cache") is None, reason="asks Debian's package lists")
@pytest.mark.parametrize("what", ["opengl", "stk-assets", "xvfb", "glib", "vulkan"])
def test_debian_has_the_packages_we_name(what: str) -> None:
    names = remedies._PACKAGES[what]["apt-get"].split()
    known = subprocess.run(["apt-cache", "policy", *names], capture_output=True, text=True, check=True).stdout
    if not re.search(r"Candidate: \d", known):
        pytest.skip("this machine's package lists are empty")
    assert re.findall(r"^(\S+):$", known, re.MULTILINE) == names and "Candidate: (none)" not in known


def test_the_install_line_is_pinned_in_a_checkout_and_plain_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert remedies.extra_install("stk").endswith('-m pip install -c constraints.txt -e ".[stk]"')
    monkeypatch.setattr(remedies, "checkout", lambda: None)
    assert remedies.extra_install("stk").endswith('-m pip install "sim2real-bench[stk]"')


# -- machine and libraries -----------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_written_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/proc")
    assert tried("disk").state == "failed" and "--out" in tried("disk").remedy


def test_a_home_that_cannot_be_written_fails_for_carlas_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/proc")
    finding = tried("carla-client")
    assert finding.state == "failed" and "/proc/carlaCache" in finding.found and "HOME" in finding.remedy


def test_a_containers_limits_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"cpu.max": "100000 100000", "memory.max": str(3 * 2**30), "memory.current": str(2**29)}
    monkeypatch.setattr(machine, "_control_group", limits.__getitem__)
    assert (tried("cores").state, tried("memory").state) == ("weak", "weak")
    assert tried("memory").found == "2.5 of 3.0 GiB free" and "--workers 1" in tried("memory").remedy
    limits["memory.max"] = str(2**30)
    assert tried("memory").state == "failed"


def test_differing_versions_are_named_with_the_line_that_mends_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "constraints.txt").write_text("# pins\nnumpy==0.0.1\nnot-installed-here==1\n")
    monkeypatch.setattr(libraries, "checkout", lambda: tmp_path)
    finding = tried("pins")
    assert finding.state == "weak" and re.match(r"numpy \S+ \(not 0\.0\.1\)$", finding.found)
    assert finding.remedy.endswith("-m pip install numpy==0.0.1")


def test_damaged_weights_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(checkpoints.SHIPPED_FOLDER, tmp_path / "shipped")
    monkeypatch.setattr(checkpoints, "SHIPPED_FOLDER", tmp_path / "shipped")
    assert tried("checkpoints").state == "ok"
    weights = tmp_path / "shipped" / "stk-direct.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    finding = tried("checkpoints")
    assert finding.state == "failed" and finding.found.endswith(": stk-direct")


# -- services, by stand-in programs ----------------------------------------------------------------------------------

SMI = 'echo "{line}"; exit {status}'
DOCKER = """
case "$1" in
version) {version};;
compose) echo 2.40.0;;
info) echo '{info}';;
esac
"""


@pytest.mark.parametrize(
    ("line", "status", "state", "says"),
    [
        ("NVIDIA H200, 580.1, 140000, 143771", 0, "ok", "driver 580.1, 140000 of 143771 MiB free"),
        ("NVIDIA T4, 580.1, 900, 15360", 0, "weak", "900 of 15360"),
        ("NVIDIA-SMI has failed because it could not communicate with the driver", 9, "failed", "could not"),
    ],
)
def test_the_nvidia_driver(
    line: str, status: int, state: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin" / "nvidia-smi", SMI.format(line=line, status=status))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    finding = tried("nvidia")
    assert finding.state == state and says in finding.found
    assert bool(finding.remedy) == (state != "ok")


@pytest.mark.parametrize(
    ("version", "info", "docker", "gpu", "says"),
    [
        ("echo 28.2", '{"Runtimes": {"nvidia": {}}}', "ok", "ok", ""),
        ("echo 28.2", '{"DiscoveredDevices": [{"ID": "nvidia.com/gpu=all"}]}', "ok", "ok", ""),
        ("echo 28.2", '{"Runtimes": {"runc": {}}}', "ok", "absent", "nvidia-ctk"),
        ("echo 'permission denied on the socket' >&2; exit 1", "{}", "failed", "absent", "usermod -aG docker"),
        ("echo 'Cannot connect to the Docker daemon' >&2; exit 1", "{}", "failed", "absent", " start"),
    ],
)
def test_docker(
    version: str, info: str, docker: str, gpu: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin" / "docker", DOCKER.format(version=version, info=info))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert (tried("docker").state, tried("docker-gpu").state) == (docker, gpu)
    assert says in tried("docker").remedy + tried("docker-gpu").remedy


def test_programs_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("docker", "docker-gpu", "nvidia", "display"):
        assert tried(name).state == "absent" and tried(name).remedy, name
