"""A program that owns a supervisor, to be killed: ``python supervising_program.py PART``; "carla" is the real server.

Prints the port when the simulator is ready, then waits.
"""

import os
import signal
import sys
import time

import stand_in_simulator as stand_in

from sim2real_bench.evaluation.supervisor import Policy, Supervisor, embedded_carla


def main(part):
    """Start one simulator and wait to be killed."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # as in a terminal, also where the tests run under nohup
    signal.signal(signal.SIGINT, signal.default_int_handler)
    launch = embedded_carla() if part == "carla" else stand_in.launch(part)
    if part == "forgets":
        os.write(1, f"{Supervisor(launch).ready().port}\n".encode())
        return
    with Supervisor(launch, Policy(end_timeout_s=0.5)) as supervisor:
        os.write(1, f"{supervisor.ready().port}\n".encode())
        if part == "raises":
            raise ValueError("an error of the program")
        time.sleep(600)


if __name__ == "__main__":
    main(sys.argv[1])
