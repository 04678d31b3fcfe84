"""Start a command several times over, as torchrun does, and end all of them when one fails: python launch.py 2 -m …"""

from __future__ import annotations

import os
import subprocess
import sys
import time


def main(count: int, arguments: list[str]) -> None:
    running = []
    for rank in range(count):
        place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
        command = [sys.executable, *arguments]
        running.append(subprocess.Popen(command, env=os.environ | place, start_new_session=True))
    while any(process.poll() is None for process in running):
        if any(process.poll() for process in running):
            break
        time.sleep(0.02)
    for process in running:
        process.terminate()
    if failed := [rank for rank, process in enumerate(running) if process.wait()]:
        raise RuntimeError(f"processes {failed} failed")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
