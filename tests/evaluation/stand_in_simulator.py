"""Plays a simulator, well or badly (``python stand_in_simulator.py PORT PART``); with the probe that asks it."""

import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import time
from pathlib import Path

from sim2real_bench.envs.health import Health
from sim2real_bench.errors import ConfigurationError, ConnectionLostError, StepTimeoutError
from sim2real_bench.evaluation.supervisor import Launch

PROGRAM = str(Path(__file__).resolve())
VERSION = "1.0"


def launch(part="well", **expects):
    """A launch of this program in one of its parts."""
    command = (sys.executable, PROGRAM, "{port}", *str(part).split())
    return Launch("stand-in", command, "stand_in_simulator:check", expects)


def check(host, port, step, *, frame, ticks, start_timeout_s, timeout_s, version=VERSION, town=None):
    """The probe of this program (see ``envs.health.Probe``)."""
    step("asking for the version")
    found = ask(host, port, "version", start_timeout_s, deadline=time.monotonic() + start_timeout_s)
    if found != version:
        raise ConfigurationError(f"version {found}, not {version}")
    step("ticking")
    seconds = []
    for _ in range(ticks):
        started = time.perf_counter()
        ask(host, port, "tick", timeout_s)
        seconds.append(time.perf_counter() - started)
    if frame:
        step("waiting for a frame")
        ask(host, port, "frame", timeout_s)
    return Health(found, "nowhere", 1.0 / min(seconds) if seconds else 0.0)


def ask(host, port, question, timeout_s, deadline=0.0):
    """One question; waits for the port until the deadline."""
    while True:
        try:
            with socket.create_connection((host, port), timeout=timeout_s) as connection:
                connection.sendall(question.encode() + b"\n")
                answer = connection.makefile().readline()
            break
        except TimeoutError as error:
            raise StepTimeoutError(f"{question}: no answer") from error
        except ConnectionRefusedError as error:
            if time.monotonic() > deadline:
                raise ConnectionLostError(f"{question}: nobody there") from error
            time.sleep(0.02)
    if not answer:
        raise ConnectionLostError(f"{question}: the connection was closed")
    return json.loads(answer)


def pid_of(host, port):
    """A call for ``Supervisor.call``: the process id of the program."""
    return ask(host, port, "pid", 5.0)


def never_returns(host, port):
    """A call that hangs where no signal handler of Python's runs."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    time.sleep(600)


def ends_the_simulator_and_hangs(host, port):
    """A call that waits for a simulator that is gone."""
    os.kill(pid_of(host, port), signal.SIGKILL)
    time.sleep(600)


def dies(host, port):
    """A call whose process is lost, as when a client library aborts."""
    os.write(2, b"terminate called\n")
    os.abort()


def loses_its_own_connection(host, port):
    """A call whose error is the one that the end of a pipe gives."""
    raise ConnectionResetError("to somewhere else")


def fails(host, port):
    """A call that raises an error of its own."""
    raise KeyError("of the caller")


def answers_with_a_lambda(host, port):
    """A call whose answer cannot travel."""
    return lambda: None


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        question = self.rfile.readline().decode().strip()
        self.wfile.write(json.dumps(self.server.answer(question)).encode() + b"\n")


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port, part, argument):
        super().__init__(("127.0.0.1", port), _Handler)
        self.part, self.argument, self.ticks, self.leaked = part, argument, 0, []

    def answer(self, question):
        if question == "pid":
            return os.getpid()
        if question == "version":
            return self.argument if self.part == "version" else VERSION
        if question == self.argument and self.part == "hangs-at":
            time.sleep(600)
        self.ticks += question == "tick"
        if question == "tick" and self.part == "leaks":
            self.leaked.append(os.urandom(2**20) * int(self.argument))
        if question == "tick" and self.part == "tires" and self.ticks > int(self.argument):
            time.sleep(0.2)
        return "done"


def _family():
    """Two children that outlive their parent unless somebody ends them; one has left the process group."""
    sleep = [
        sys.executable,
        "-c",
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)",
    ]
    subprocess.Popen(sleep)
    between = f"import subprocess; subprocess.Popen({sleep!r}, start_new_session=True)"
    subprocess.run([sys.executable, "-c", between], check=True)


def main(port, part="well", argument=""):
    """Play a part."""
    os.write(1, f"playing {part} at {port}\n".encode())
    Path(os.environ["TMPDIR"], "scratch").write_text("a temporary file")
    if part == "crashes":
        os.write(1, b"no such graphics card\n")
        return 3
    if part == "crashes-until":  # it has been started so many times
        starts = Path(argument.split(",")[0])
        starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
        if len(starts.read_text()) < int(argument.split(",")[1]):
            return 4
    if part == "never-listens":
        time.sleep(600)
    if part == "late":
        time.sleep(float(argument))
    if part == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if part == "family":
        _family()
    _Server(int(port), part, argument).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
