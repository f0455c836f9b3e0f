"""Plays ``docker`` (run, inspect, rm) where there is no daemon; ``daemon`` plays the daemon, parent of "containers".

As with the real one, a container is no child of ``docker run``: it outlives that command's death, and only its removal
or its own end ends it. Both find each other through the folder of ``STAND_IN_DOCKER``.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

FOLDER = Path(os.environ["STAND_IN_DOCKER"])
PROGRAM = Path(__file__).with_name("stand_in_simulator.py")


def ask(**question):
    """A question to the daemon; waits for its answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(FOLDER / "socket"))
        connection.sendall(json.dumps(question).encode() + b"\n")
        return json.loads(connection.makefile().readline())


def client(verb, *arguments):
    """One docker command; returns its exit status."""
    if verb == "run":
        options = list(arguments[: arguments.index("carlasim/carla:0.9.16")])
        assert options[0] == "--rm" and options[options.index("--gpus") + 1] == "all", options
        (port,) = [part.split("=")[1] for part in arguments if part.startswith("-carla-rpc-port=")]
        name = options[options.index("--name") + 1]
        signal.signal(signal.SIGTERM, lambda *_: ask(verb="kill", name=name))
        os.write(1, b"a line of the container\n")
        return ask(verb="run", name=name, port=port)
    name = arguments[-1]
    answer = ask(verb=verb, name=name)
    if answer is None:
        os.write(2, f"Error response from daemon: No such container: {name}\n".encode())
        return 1
    os.write(1, f"{answer}\n".encode())
    return 0


class Daemon:
    """Keeps the containers."""

    def __init__(self):
        self.containers = {}

    def answer(self, verb, name, port=""):
        """What the daemon answers; for "run" once the container ended."""
        if verb == "run":
            container = subprocess.Popen([sys.executable, PROGRAM, port, "stubborn"], start_new_session=True)
            self.containers[name] = container
            status = container.wait()
            self.containers.pop(name, None)
            return status % 256
        container = self.containers.get(name)
        if container is None:
            return None
        if verb == "inspect":
            return container.pid
        container.send_signal(signal.SIGTERM if verb == "kill" else signal.SIGKILL)
        if verb == "rm":
            container.wait()
        return name

    def serve(self):
        """Answer until it is killed."""
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(FOLDER / "socket"))
        listening.listen()
        os.write(1, b"ready\n")
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, contextlib.suppress(BrokenPipeError):
            answer = self.answer(**json.loads(connection.makefile().readline()))
            connection.sendall(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(Daemon().serve() if sys.argv[1] == "daemon" else client(*sys.argv[1:]))
