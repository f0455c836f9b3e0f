"""Run all benchmarks, or those named: ``python -m benchmarks [embedded_server] [supertuxkart] [map_view]``.

``python -m benchmarks.traffic`` (fifty drivers for ten minutes on every map) and the further measurements of
``python -m benchmarks.embedded_server --help`` take longer and are run on their own.
"""

import sys
from importlib import import_module

NAMES = ("map_view", "supertuxkart", "embedded_server")


def main() -> None:
    """Run the benchmarks named on the command line, all by default."""
    chosen = sys.argv[1:] or NAMES
    unknown = [name for name in chosen if name not in NAMES]
    if unknown:
        sys.exit(f"unknown benchmark {unknown[0]!r}; known: {', '.join(NAMES)}")
    for name in chosen:
        print(f"== {name}", flush=True)
        import_module(f"benchmarks.{name}").run()


if __name__ == "__main__":
    main()
