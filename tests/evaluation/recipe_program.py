"""Stands in for the package's program: writes its words down, then does what the first of them says."""

import sys
import time
from pathlib import Path


def main(words: list[str]) -> int:
    action, path, *rest = words
    sys.stdout.write(f"doing {' '.join(words)}\n")
    with Path(path).with_name("runs.txt").open("a") as file:
        file.write(f"{Path(path).name}\n")
    match action:
        case "make":
            Path(path).write_text(rest[0] if rest else "made")
        case "fail-once" if not Path(path).with_suffix(".failed").exists():
            Path(path).with_suffix(".failed").touch()
            return 1
        case "fail-once":
            Path(path).write_text("made")
        case "fail":
            sys.stdout.write("the disk is on fire\n")
            return int(rest[0])
        case "sleep":
            time.sleep(600)
        case "nothing":
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
