"""``python -m sim2real_bench.evaluation.supervisor ROLE``: the helper programs of a supervisor, not for people."""

import sys

from sim2real_bench.evaluation.supervisor.call_process import serve
from sim2real_bench.evaluation.supervisor.guardian import guard

if __name__ == "__main__":
    sys.exit(guard() if sys.argv[1] == "guard" else serve(int(sys.argv[2])))
