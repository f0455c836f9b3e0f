"""A relay between a client and a server that notes every remote call that passes.

It is a process of its own: some calls of the client hold the interpreter while they wait for the answer.
"""

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import msgpack


class RpcRecorder:
    """Relays connections to a server; ``take`` tells what was called since the last time."""

    def __init__(self, host, port, notes):
        self._notes = notes.open("w+", encoding="utf-8")
        command = [sys.executable, __file__, host, str(port), str(notes)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self._process.stdout.readline())

    def take(self):
        """[(name, waits, arguments)] of the calls since the last ``take``."""
        return [tuple(json.loads(line)) for line in self._notes.readlines()]

    def close(self):
        """End the relay."""
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        self._notes.close()


def _forward(source, target, note):
    unpacker = msgpack.Unpacker(raw=False, unicode_errors="surrogateescape", strict_map_key=False)
    try:
        while data := source.recv(65536):
            if note is not None:
                unpacker.feed(data)
                for _, _, name, (metadata, *arguments) in unpacker:
                    note(name, not metadata[0], arguments)
            target.sendall(data)
    except OSError:
        pass  # one of the two has left
    finally:
        for end in (source, target):
            end.close()


def _relay(host, port, notes):
    listener = socket.create_server((host, 0))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    with Path(notes).open("a", encoding="utf-8", buffering=1) as file:

        def note(name, waits, arguments):
            file.write(json.dumps([name, waits, arguments], default=repr) + "\n")

        while True:
            client, _ = listener.accept()
            server = socket.create_connection((host, port))
            threading.Thread(target=_forward, args=(client, server, note), daemon=True).start()
            threading.Thread(target=_forward, args=(server, client, None), daemon=True).start()


if __name__ == "__main__":
    _relay(sys.argv[1], int(sys.argv[2]), sys.argv[3])
