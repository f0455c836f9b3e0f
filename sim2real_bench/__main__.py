"""``python -m sim2real_bench``."""

from sim2real_bench.cli import main

if __name__ == "__main__":
    main()
