#!/usr/bin/env python3
"""Measures the memory and the time that each experiment of a folder takes, and prints a table in Markdown.

    python3 benches/memory.py PROGRAM FOLDER [SECONDS]

FOLDER holds experiments, as `tests/engine/long_prompts.rs` writes them. Each runs in a process of its own, at
low priority, one after the other, until it is done or has had SECONDS (240) of the processor; one that has more
than 8 GiB in memory is ended. All times are the processor's, so that other work on the machine counts less. Where
time ran out, it is what the part that is done would make of the whole: the program's own progress says how large
that is.
"""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

LIMIT = 8 << 30
PERCENT = re.compile(rb"(\d+)%")


def kilobytes(pid, name):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) << 10 if found else 0


def processor_secs(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(program, spec, limit_secs):
    ours, theirs = pty.openpty()
    command = ["nice", "-n", "15", program, "run", str(spec)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown, ended, own = b"", None, 0
    while True:
        pid, _, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        if select.select([ours], [], [], 0.1)[0]:
            try:
                shown += os.read(ours, 1 << 16)
            except OSError:
                time.sleep(0.05)
        own = max(own, kilobytes(process.pid, "RssAnon"))
        if kilobytes(process.pid, "VmRSS") > LIMIT:
            ended = "memory"
        elif processor_secs(process.pid) > limit_secs:
            ended = "time"
        if ended:
            process.send_signal(signal.SIGKILL)
            _, _, usage = os.wait4(process.pid, 0)
            break
    os.close(ours)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10, own, ended, shown


def main():
    program, folder = sys.argv[1], Path(sys.argv[2])
    limit_secs = float(sys.argv[3]) if len(sys.argv) > 3 else 240
    print("| method | peak | of it its own | time of the processor |\n|---|---|---|---|", flush=True)
    for spec in sorted(folder.glob("*.json")):
        secs, peak, own, ended, shown = measure(program, spec, limit_secs)
        # The last one told; 100 is that of the model that was opened before.
        percent = int((PERCENT.findall(shown) or [0])[-1]) % 100
        told = f"{secs:.0f} s"
        if ended == "time":
            told = f"≈ {secs / percent / 0.6:.0f} min" if percent else f"> {secs:.0f} s"
        elif ended:
            told = "ended"
        name = spec.stem.replace("-", " ")
        size = "> 8 GiB" if ended == "memory" else f"{peak / 2**30:.2f} GiB"
        print(f"| {name} | {size} | {own / 2**30:.2f} GiB | {told} |", flush=True)
        failed = re.findall(rb"factscope: [^\r\n]*", shown)
        if failed:
            print(failed[-1].decode(errors="replace"), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
