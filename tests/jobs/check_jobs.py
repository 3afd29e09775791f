"""Runs the ready files of docs/jobs on a real Slurm and a real Ray on this machine, kills a task of each with
SIGKILL, lets it go on, and compares every number with a single run; and kills a sweep 50 times.

    python tests/jobs/check_jobs.py target/release/factscope [slurm] [ray] [kills]

Needs Debian's `slurm-wlm` and `munge`, PyPI's `ray`, `pandas` and `pyarrow`, and root, as which Slurm's daemons
run. All that is started is ended, and lies in a folder that is removed.
"""

import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

DOCS = Path(__file__).resolve().parents[2] / "docs" / "jobs"
N_KILLS = 50

SLURM_CONF = """
ClusterName=factscope
SlurmctldHost={host}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={dir}/munge.socket
CredType=cred/munge
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation={dir}/state
SlurmdSpoolDir={dir}/spool
SlurmctldPidFile={dir}/slurmctld.pid
SlurmdPidFile={dir}/slurmd.pid
SlurmctldLogFile={dir}/slurmctld.log
SlurmdLogFile={dir}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
MpiDefault=none
SwitchType=switch/none
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def rows(folder):
    """All rows of a sweep's parts, in the order of facts."""
    parts = sorted(Path(folder).glob("part-*.parquet"))
    if not parts:
        return pd.DataFrame()
    all = pd.concat([pd.read_parquet(part) for part in parts])
    return all.sort_values(["record", "direction", "number"]).reset_index(drop=True)


def same(what, one, other):
    """Holds that two frames have the same rows, each number bit by bit."""
    pd.testing.assert_frame_equal(one, other, check_exact=True, obj=what)
    print(f"{what}: {len(one)} rows are the same")


class Work:
    def __init__(self, program, folder):
        self.dir = folder
        bin = folder / "bin"
        bin.mkdir()
        (bin / "factscope").symlink_to(Path(program).resolve())
        self.env = {**os.environ, "PATH": f"{bin}:{os.environ['PATH']}"}
        self.call("factscope", "trace", "--kind", "mlp", "--samples", "2", "--facts", "builtin",
                  "--case", "2", "--save-spec", "spec.json")
        facts = json.loads((DOCS.parents[1] / "data" / "facts.json").read_text(encoding="utf-8"))
        (folder / "counterfact.json").write_text(json.dumps(facts[:120]), encoding="utf-8")
        self.sweep = ["factscope", "sweep", "spec.json", "--facts", "counterfact.json",
                      "--both-ways", "--quiet", "--out"]

    def call(self, *command):
        command = [str(it) for it in command]
        done = subprocess.run(command, cwd=self.dir, env=self.env, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, *command, log=None):
        out = open(self.dir / (log or "log"), "ab")
        return subprocess.Popen([str(it) for it in command], cwd=self.dir, env=self.env,
                                stdout=out, stderr=out)

    def kill_one(self, shards):
        """Kills the process that writes to a share's folder once a part of it is written."""
        for _ in until(300):
            for lock in sorted(self.dir.glob(f"{shards}/shard-*/_lock")):
                writer = self.writer(lock)
                if writer and list(lock.parent.glob("part-*")):
                    os.kill(writer, signal.SIGKILL)
                    return lock.parent
        raise AssertionError("no share is being written")

    def writer(self, lock):
        """The process that has a file open."""
        for fd in Path("/proc").glob("[0-9]*/fd/*"):
            try:
                if fd.resolve() == lock:
                    return int(fd.parts[2])
            except OSError:
                pass
        return None


def until(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.05)


def check_slurm(work, single):
    host = subprocess.check_output(["hostname", "-s"], text=True).strip()
    (work.dir / "slurm.conf").write_text(SLURM_CONF.format(host=host, dir=work.dir))
    (work.dir / "munge.key").write_bytes(random.randbytes(1024))
    (work.dir / "munge.key").chmod(0o400)
    for name in ("state", "spool"):
        (work.dir / name).mkdir()
    work.env |= {"SLURM_CONF": str(work.dir / "slurm.conf")}
    daemons = [work.start("munged", "--foreground", "--force", "--num-threads=1",
                          f"--socket={work.dir}/munge.socket", f"--key-file={work.dir}/munge.key",
                          f"--pid-file={work.dir}/munged.pid", f"--seed-file={work.dir}/munge.seed",
                          f"--log-file={work.dir}/munged.log", log="munged.out")]
    try:
        for _ in until(20):
            if (work.dir / "munge.socket").exists():
                break
        daemons.append(work.start("slurmctld", "-D", "-c", log="slurmctld.out"))
        daemons.append(work.start("slurmd", "-D", "-c", log="slurmd.out"))
        for _ in until(60):
            if "idle" in subprocess.run(["sinfo", "-h", "-o", "%t"], env=work.env, text=True,
                                        capture_output=True).stdout:
                break
        # One node, two tasks: what the file asks for is more than this machine has.
        asked = ["--array=0-1", "--cpus-per-task=1", "--mem=0", "--time=30"]
        job = work.call("sbatch", "--parsable", *asked, DOCS / "slurm.sh").strip()
        killed = work.kill_one("counterfact-shards")
        nth = int(killed.name.split("-")[1]) - 1
        state = lambda: work.call("scontrol", "show", "job", f"{job}_{nth}")
        for _ in until(120):
            if "JobState=FAILED" in state():
                break
        assert "JobState=FAILED" in state(), state()
        work.call("scontrol", "requeue", f"{job}_{nth}")
        for _ in until(900):
            if not work.call("squeue", "-h", "-j", job).strip() and "COMPLETED" in state():
                break
        assert "JobState=COMPLETED" in state(), state()
    finally:
        for it in reversed(daemons):
            it.terminate()
        for it in daemons:
            it.wait(20)
    shards = sorted((work.dir / "counterfact-shards").iterdir())
    assert len(shards) == 2, shards
    work.call("factscope", "merge", *shards, "--out", "of-slurm")
    same(f"Slurm, its task {nth} killed and requeued", rows(work.dir / "of-slurm"), single)


def check_ray(work, single):
    driver = work.start(sys.executable, DOCS / "ray_driver.py", "spec.json", "counterfact.json",
                        "of-ray", "2", log="ray.log")
    killed = work.kill_one("of-ray-shards")
    assert driver.wait(900) == 0, (work.dir / "ray.log").read_text()
    same(f"Ray, its {killed.name} killed", rows(work.dir / "of-ray"), single)


def check_kills(work, _):
    out = work.dir / "killed"
    # More facts than 50 runs of a few seconds can ask: parts are written every two seconds or so.
    sweep = ["factscope", "sweep", "spec.json", "--n", "700", "--both-ways", "--quiet", "--out"]
    start = time.monotonic()
    whole = work.start(*sweep, "whole", log="whole.log")
    for _ in until(600):
        if list((work.dir / "whole").glob("part-*")):
            break
    first = time.monotonic() - start
    assert whole.wait() == 0, (work.dir / "whole.log").read_text()
    # As long as it takes to write something that could be lost, and so much longer that all runs together
    # come through some six tenths of the facts, however busy the machine is.
    share = 0.6 * (time.monotonic() - start - first) / N_KILLS
    longest = first + share + math.sqrt(share**2 + 2 * share * first)
    single = rows(work.dir / "whole")
    before, n_killed, n_kept = pd.DataFrame(), 0, 0
    while n_killed < N_KILLS:
        running = work.start(*sweep, out, log="killed.log")
        try:
            running.wait(random.uniform(0.02, longest))
            break
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGKILL)
            running.wait()
            n_killed += 1
        now = rows(out)
        if len(before):
            keys = ["record", "direction", "number"]
            kept = now.merge(before[keys], on=keys).sort_values(keys).reset_index(drop=True)
            pd.testing.assert_frame_equal(kept, before, check_exact=True)
        n_kept += len(now) > len(before)
        before = now
    work.call(*sweep, out)
    same(f"{n_killed} kills at random moments, {n_kept} of them after more was written", rows(out), single)
    assert n_killed == N_KILLS, "the sweep ended before all kills; ask more facts"
    assert n_kept >= N_KILLS // 5, "too few runs wrote anything before they were killed"


def main(program, *only):
    folder = Path(tempfile.mkdtemp(prefix="factscope-jobs-"))
    try:
        work = Work(program, folder)
        work.call(*work.sweep, "single")
        single = rows(folder / "single")
        checks = {"slurm": check_slurm, "ray": check_ray, "kills": check_kills}
        for name in only or checks:
            checks[name](work, single)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
