"""Nodes of a Ray cluster on this machine, bound to loopback; they end when the input of this program ends.

``python ray_nodes.py CPUS``: a head and another node with so many CPUs each. Every answer is one line of JSON with the
address and the process ids of the raylets. On its input: ``add`` adds a node; ``kill`` ends the newest node with
everything that runs on it, at once, as if its machine had lost power.
"""

import contextlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import psutil

OBJECT_STORE_BYTES = 80_000_000


def loopback_only(folder):
    """Variables for Ray's processes and its drivers."""
    return {
        "RAY_TMPDIR": str(folder),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # what keeps Ray from looking for an address of the network
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "disabled",  # whatever token the user's home holds
        "RAY_health_check_initial_delay_ms": "1000",
        "RAY_health_check_period_ms": "500",
        "RAY_health_check_timeout_ms": "5000",
        "RAY_health_check_failure_threshold": "4",
    }


def family(pids):
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return found


def end(processes):
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=10)


def own_pids(node):
    return [info.process.pid for infos in node.all_processes.values() for info in infos]


def serve(cluster, cpus):
    common = {"num_cpus": cpus, "object_store_memory": OBJECT_STORE_BYTES, "include_log_monitor": False}
    cluster.add_node(**common, include_dashboard=False)
    nodes = [cluster.head_node, cluster.add_node(**common)]
    tell(cluster, nodes)
    for line in sys.stdin:
        if line.strip() == "add":
            nodes.append(cluster.add_node(**common))
        if line.strip() == "kill":
            end(family(own_pids(nodes.pop())))
        tell(cluster, nodes)


def tell(cluster, nodes):
    raylets = [node.all_processes["raylet"][0].process.pid for node in nodes]
    sys.stdout.write(json.dumps({"address": cluster.address, "raylets": raylets}) + "\n")
    sys.stdout.flush()


def main():
    # The name of a socket has at most 107 characters, too few for a folder below pytest's.
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    os.environ.update(loopback_only(folder))
    (folder / "ray").mkdir()
    from ray.cluster_utils import Cluster

    try:
        serve(Cluster(shutdown_at_exit=False), int(sys.argv[1]))
    finally:
        end(psutil.Process().children(recursive=True))
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
