"""Asks a share of the facts in each task of a Ray cluster whose machines share the folders.

    python ray_driver.py spec.json counterfact.json counterfact 10

A task whose process is killed is run again and goes on where it stopped, because each share has a folder of its
own. Without a cluster (RAY_ADDRESS), Ray uses the cores of this machine.
"""

import subprocess
import sys

import ray

CPUS = 2  # of each task; as many threads are used


@ray.remote(num_cpus=CPUS, max_retries=5, retry_exceptions=True)
def ask(spec, facts, out, share):
    command = ["factscope", "sweep", spec, "--facts", facts, "--both-ways", "--out", out]
    subprocess.run([*command, "--threads", str(CPUS), "--shard", share, "--quiet"], check=True)
    return share


def main(spec, facts, out, n):
    ray.init()
    shards = f"{out}-shards"
    ray.get([ask.remote(spec, facts, shards, f"{share}/{n}") for share in range(1, int(n) + 1)])
    folders = [f"{shards}/shard-{share}-of-{n}" for share in range(1, int(n) + 1)]
    subprocess.run(["factscope", "merge", *folders, "--out", out], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
