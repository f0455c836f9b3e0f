"""The container files: linted, parsed, and every path, port, profile and command in them exists."""

import hashlib
import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from typer.main import get_command

from sim2real_bench import __version__
from sim2real_bench.cli import build_app

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docker"
COMPOSE = FOLDER / "compose.yaml"
DOCKERFILES = sorted(path for path in FOLDER.rglob("*") if "Dockerfile" in path.name)
TEXT = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", COMPOSE.read_text())  # every variable at its default
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
SIMULATORS = {"carla": 2000, "embedded": 2010, "coppelia": 23000}
DIGEST = re.compile(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}")


def instructions(path: Path) -> list[tuple[str, str]]:
    """(keyword, rest) of a Dockerfile's instructions, continued lines joined."""
    text = re.sub(r"(?m)^\s*#.*\n?", "", path.read_text()).replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in text.splitlines() if line.strip()]


def stages(path: Path) -> dict[str, list[tuple[str, str]]]:
    """A Dockerfile's stages by name; the last unnamed one is ""."""
    found: dict[str, list[tuple[str, str]]] = {}
    for keyword, rest in instructions(path):
        if keyword == "FROM":
            name = rest.partition(" AS ")[2]
            found[name] = []
        if found:
            found[name].append((keyword, rest))
    return found


# -- Dockerfiles ---------------------------------------------------------------------------------------------------


def lint(path: Path) -> list[dict[str, Any]]:
    program = Path(sys.executable).with_name("hadolint")
    assert program.exists(), 'hadolint is missing: pip install -c constraints.txt -e ".[dev]"'
    done = subprocess.run([program, "--format", "json", path], capture_output=True, text=True, check=False)
    findings: list[dict[str, Any]] = json.loads(done.stdout)
    return findings


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_the_linter_finds_nothing(path: Path) -> None:
    assert lint(path) == []


def test_the_linter_would_find_something(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN cd /tmp && apt-get install curl\n")
    assert {"DL3006", "DL3003", "DL3008"} <= {finding["code"] for finding in lint(tmp_path / "Dockerfile")}


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_bases_are_pinned_by_tag_and_digest(path: Path) -> None:
    (base,) = (rest.partition("=")[2] for keyword, rest in instructions(path) if rest.startswith("BASE="))
    assert DIGEST.fullmatch(base)
    froms = {rest.split()[0] for keyword, rest in instructions(path) if keyword == "FROM"}
    assert froms <= {"${BASE}", *stages(path)}


def test_every_copied_file_exists_and_is_let_through() -> None:
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    sources = [
        source
        for keyword, rest in instructions(FOLDER / "bench.Dockerfile")
        if keyword == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    ]
    assert set(sources) == let_through
    assert all((ROOT / source).exists() for source in sources)
    from_coppelia = next(
        rest for keyword, rest in instructions(FOLDER / "coppelia" / "Dockerfile") if keyword == "COPY"
    )
    assert from_coppelia.split() == ["fetch.sh", "CoppeliaSim_Edu_*.tar.xz", "./"]
    assert (FOLDER / "coppelia" / "fetch.sh").is_file()


def test_the_archive_of_coppeliasim_is_never_committed() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", "-q", "docker/coppelia/CoppeliaSim_Edu_V4_10_0_rev0_Ubuntu22_04.tar.xz"],
        cwd=ROOT, check=False,
    )  # fmt: skip
    if ignored.returncode == 128:
        pytest.skip("not a git checkout")
    assert ignored.returncode == 0


def test_our_torch_is_the_pinned_one() -> None:
    pinned = re.search(r"^torch==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    named = re.search(r"torch==(\S+)", (FOLDER / "bench.Dockerfile").read_text())
    assert pinned is not None and named is not None and pinned.group(1) == named.group(1)


# -- the compose file ----------------------------------------------------------------------------------------------


def parsed(text: str) -> PyCompose:
    """By a parser of the compose specification; it knows tag or digest, Docker knows both together."""
    text = re.sub(r"(image: \S+?):[\w.-]+@sha256", r"\1@sha256", text)
    return PyCompose.from_json(json.dumps(yaml.safe_load(text)))


def test_the_compose_file_keeps_to_the_specification() -> None:
    assert "$" not in TEXT, "a variable without a default"
    compose = parsed(TEXT)
    compose.validate()
    assert set(compose.service_names()) == {*SIMULATORS, "bench", "carla-probe", "coppelia-probe"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("restart: ", "restrat: "),
        ("networks: [simulators]", "networks: [nowhere]"),
        ("interval: 15s", "interval: soon"),
    ],
)
def test_the_parser_would_find_something(old: str, new: str) -> None:
    assert old in TEXT
    with pytest.raises(ValueError):
        parsed(TEXT.replace(old, new)).validate()


def test_profiles_start_what_their_names_say() -> None:
    started = {
        profile: {name for name, service in SERVICES.items() if profile in service["profiles"]}
        for profile in ("carla", "coppelia", "embedded", "bench")
    }
    assert started == {
        "carla": {"carla", "carla-probe"},
        "coppelia": {"coppelia", "coppelia-probe"},
        "embedded": {"embedded"},
        "bench": {"bench"},
    }


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_can_do_no_harm(name: str) -> None:
    service = SERVICES[name]
    assert all(re.match(r"127\.0\.0\.1:(\d[\d-]*):\1$", port) for port in service.get("ports", ()))
    assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] and service["pids_limit"]
    assert {"cpus", "memory"} == set(service["deploy"]["resources"]["limits"])
    assert service.get("read_only") or name == "carla"
    if service.get("read_only"):  # CARLA's client fails where it cannot write to the home folder
        assert {"/tmp", "/home/coppelia" if name == "coppelia" else "/home/bench"} == {
            mount.partition(":")[0] for mount in service["tmpfs"]
        }
    assert ("published" in service["networks"]) == ("ports" in service)
    assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & set(service)
    assert not any(volume.startswith(("/", ".", "~")) for volume in service.get("volumes", ()))
    assert _user(service) not in ("", "root", "0")


def _user(service: dict[str, Any]) -> str:
    """Whom the service runs as."""
    if "user" in service:
        return str(service["user"])
    built = stages(_dockerfile(service))[service["build"].get("target", "")]
    return next((rest.partition(":")[0] for keyword, rest in reversed(built) if keyword == "USER"), "")


def _dockerfile(service: dict[str, Any]) -> Path:
    context = (FOLDER / service["build"]["context"]).resolve()
    path = context / service["build"].get("dockerfile", "Dockerfile")
    assert path.is_file(), path
    return path


def test_the_network_of_the_bench_leads_nowhere() -> None:
    networks = yaml.safe_load(TEXT)["networks"]
    assert networks["simulators"] == {"internal": True}
    for name in ("bench", "carla-probe", "coppelia-probe"):
        assert SERVICES[name]["networks"] == ["simulators"]


def test_images_are_pinned_and_ours_carry_our_version() -> None:
    assert DIGEST.fullmatch(SERVICES["carla"]["image"]) and ":0.9.16@" in SERVICES["carla"]["image"]
    for name, service in SERVICES.items():
        tag = service["image"].partition(":")[2]
        assert tag and not tag.startswith("latest")
        if "build" in service:
            _dockerfile(service)
            assert tag == ("4.10.0" if name == "coppelia" else __version__)


@pytest.mark.parametrize(("name", "port"), SIMULATORS.items())
def test_ports_agree_wherever_they_stand(name: str, port: int) -> None:
    service = SERVICES[name]
    published = re.match(r"127\.0\.0\.1:(\d+)", service["ports"][0])
    assert published is not None and int(published.group(1)) == port
    assert str(port) in " ".join(service["command"])
    probes = [service["healthcheck"], SERVICES.get(f"{name}-probe", service)["healthcheck"]]
    assert str(port) in " ".join(probes[0]["test"])
    assert str(port) in " ".join(probes[1]["test"]) or port == 23000  # the probe's own default


# -- commands ------------------------------------------------------------------------------------------------------


def our_commands() -> Iterator[list[str]]:
    """Arguments of every call of sim2real-bench in the container files and their page."""
    for service in SERVICES.values():
        if "sim2real-bench" in service["image"] and "entrypoint" not in service and "coppelia" not in service["image"]:
            yield service["command"]
        test = service.get("healthcheck", {}).get("test", [])
        if "sim2real-bench" in test:
            yield test[test.index("sim2real-bench") + 1 :]
    for keyword, rest in instructions(FOLDER / "bench.Dockerfile"):
        if keyword == "CMD":
            yield json.loads(rest)
    for text in (COMPOSE.read_text(), (ROOT / "docs" / "docker.md").read_text()):
        for line in re.findall(r"docker compose .* run --rm bench (\S[^`\n]*)", text):
            yield shlex.split(line, comments=True)


@pytest.mark.parametrize("arguments", list(our_commands()), ids=" ".join)
def test_our_program_understands_its_command_lines(arguments: list[str]) -> None:
    group = get_command(build_app())
    with group.make_context("sim2real-bench", list(arguments)) as context:
        name, verb, rest = group.resolve_command(context, list(arguments))  # type: ignore[attr-defined]
        assert verb is not None and name is not None
        verb.make_context(name, rest, parent=context)


def test_documented_compose_commands_name_profiles_and_services_that_exist() -> None:
    profiles = {profile for service in SERVICES.values() for profile in service["profiles"]}
    lines = [
        line
        for text in (COMPOSE.read_text(), (ROOT / "docs" / "docker.md").read_text())
        for line in re.findall(r"docker compose (-f docker/compose.yaml [^`\n]*)", text)
    ]
    assert len(lines) > 5
    for line in lines:
        assert set(re.findall(r"--profile (\S+)", line)) <= profiles, line
        run = re.search(r" run --rm (\S+)", line)
        assert run is None or run.group(1) in SERVICES, line


@pytest.mark.simulator
def test_the_health_check_of_the_embedded_service_tells_life_from_death(carla_embedded: None) -> None:
    from sim2real_bench.envs.carla.embedded.launcher import EmbeddedServerProcess

    test = SERVICES["embedded"]["healthcheck"]["test"]

    def probe(port: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sim2real_bench", *test[2:]]
        command[command.index("2010")] = str(port)
        return subprocess.run(command, capture_output=True, text=True, check=False)

    with EmbeddedServerProcess() as server:
        alive = probe(server.port)
    assert alive.returncode == 0, alive.stdout
    assert probe(server.port).returncode == 1


@pytest.mark.skipif(shutil.which("bash") is None, reason="the images have bash")
@pytest.mark.parametrize("name", ["carla", "coppelia"])
def test_the_health_checks_inside_foreign_images(name: str) -> None:
    *_, script = SERVICES[name]["healthcheck"]["test"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = script.replace(f"/{SIMULATORS[name]}", f"/{port}")
        assert subprocess.run(["bash", "-c", script], check=False).returncode == 0
    assert subprocess.run(["bash", "-c", script], capture_output=True, check=False).returncode != 0


# -- CoppeliaSim's archive -----------------------------------------------------------------------------------------

VERSION = "V4_10_0_rev0"


def archive(folder: Path) -> str:
    """A small archive shaped as CoppeliaSim's; its hash."""
    name = f"CoppeliaSim_Edu_{VERSION}_Ubuntu22_04"
    (folder / name).mkdir(parents=True)
    (folder / name / "coppeliaSim.sh").write_text("#!/bin/sh\n")
    with tarfile.open(folder / f"{name}.tar.xz", "w:xz") as file:
        file.add(folder / name, name)
    return hashlib.sha256((folder / f"{name}.tar.xz").read_bytes()).hexdigest()


def fetch(working: Path, sha256: str, source: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "COPPELIASIM_SOURCE": f"file://{source}"}
    return subprocess.run(
        ["sh", FOLDER / "coppelia" / "fetch.sh", VERSION, sha256, working / "unpacked"],
        capture_output=True, text=True, check=False, cwd=working, env=environment,
    )  # fmt: skip


@pytest.mark.parametrize("downloaded", [False, True])
def test_coppeliasim_is_unpacked_where_its_hash_is_right(tmp_path: Path, downloaded: bool) -> None:
    if downloaded and shutil.which("curl") is None:
        pytest.skip("the image installs curl; this machine has none")
    there = tmp_path / "there"
    sha256 = archive(there)
    working = tmp_path / "working" if downloaded else there
    working.mkdir(exist_ok=True)
    done = fetch(working, sha256, there)
    assert done.returncode == 0, done.stderr
    assert (working / "unpacked" / "coppeliaSim.sh").is_file()


@pytest.mark.parametrize(("sha256", "says"), [("", "COPPELIASIM_SHA256"), ("0" * 64, "did NOT match")])
def test_coppeliasim_without_its_hash_is_refused(tmp_path: Path, sha256: str, says: str) -> None:
    archive(tmp_path / "there")
    done = fetch(tmp_path / "there", sha256)
    assert done.returncode != 0 and says in done.stdout + done.stderr
    assert not (tmp_path / "there" / "unpacked").exists()
