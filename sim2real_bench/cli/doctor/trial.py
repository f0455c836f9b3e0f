"""``python -m sim2real_bench.cli.doctor.trial``: one trial, in this process; the answer goes to a file descriptor."""

import json
import os
import signal
import sys
from dataclasses import asdict

from sim2real_bench.cli.doctor.catalogue import check_named
from sim2real_bench.cli.doctor.check import Check, Finding, Settings, broken
from sim2real_bench.cli.doctor.remedies import shared_library_remedy
from sim2real_bench.errors import Sim2RealError

_EXCERPT_CHARS = 200
_GRACE_S = 5


def try_here(check: Check, settings: Settings) -> Finding:
    """Try one thing in this process; whatever it raises becomes a finding."""
    try:
        return check.trial(settings)
    except Exception as error:  # a broken driver or library may raise anything
        words = str(error).strip()
        remedy = shared_library_remedy(words) or check.remedy() or words
        return broken(_excerpt(error, words), remedy)


def _excerpt(error: Exception, words: str) -> str:
    """The first line, and of a longer message (the log of a process) also the last, which tells most."""
    lines = words.splitlines() or [""]
    first = lines[0] if isinstance(error, Sim2RealError) else f"{type(error).__name__}: {lines[0]}"
    if len(lines) == 1:
        return first[:_EXCERPT_CHARS]
    return f"{first[:_EXCERPT_CHARS]} … {lines[-1].strip()[:_EXCERPT_CHARS]}"


def main(name: str, handle: str, deadline_s: str, settings: str) -> None:
    """Try the check of a name and write the finding.

    Args:
        name: of the check.
        handle: the file descriptor that the finding goes to, as JSON.
        deadline_s: after it, and a little grace, the process ends by itself (whoever started it may be gone).
        settings: ``Settings`` as JSON.
    """
    signal.alarm(max(1, round(float(deadline_s))) + _GRACE_S)
    finding = try_here(check_named(name), Settings(**json.loads(settings)))
    os.write(int(handle), json.dumps(asdict(finding)).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
