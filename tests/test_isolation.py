"""A stage reaches no network, outlives no parent, and runs once at a time in a workspace."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from interruption import alive, assert_recovers, interrupt, partials, wait_until
from toy_pipeline import dvc, environment, errors, initialise, make_toy, replace, run_stage

from stages.lib.isolation import published, ran_out_of_space


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return make_toy(tmp_path / "toy")


def stage_that(workspace: Path, code: str, *, network: bool = False) -> None:
    """Have `first` run `code` before its work."""
    path = workspace / "stages/first.py"
    lines = "".join(f"    {line}\n" for line in code.strip().splitlines())
    replace(path, "    header, *rows", f"{lines}    header, *rows")
    if network:
        replace(path, "run(first)", "run(first, network=True)")


REFUSED = [
    # (the host that the error names, what a stage or its library does)
    ("192.0.2.1", "import socket\nsocket.create_connection(('192.0.2.1', 80))"),
    ("192.0.2.1", "import socket\nsocket.socket().connect_ex(('192.0.2.1', 80))"),
    ("2001:db8::1", "import socket\nsocket.socket(socket.AF_INET6).connect(('2001:db8::1', 80, 0, 0))"),
    ("192.0.2.1", "import socket\nsocket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))"),
    ("192.0.2.1", "import socket\nsocket.socket(type=socket.SOCK_DGRAM).sendmsg([b'x'], [], 0, ('192.0.2.1', 53))"),
    ("example.org", "import socket\nsocket.getaddrinfo('example.org', 443)"),
    ("example.org", "import socket\nsocket.gethostbyname('example.org')"),
    ("192.0.2.1", "import socket\nsocket.gethostbyaddr('192.0.2.1')"),
    ("192.0.2.1", "import socket\nsocket.getnameinfo(('192.0.2.1', 80), 0)"),
    ("example.org", "import urllib.request\nurllib.request.urlopen('https://example.org')"),
    ("example.org", "import requests\nrequests.get('https://example.org')"),
    ("example.org", "import asyncio\nasyncio.run(asyncio.wait_for(asyncio.open_connection('example.org', 80), 5))"),
    ("example.org", "import socket\ntry:\n    socket.getaddrinfo('example.org', 80)\nexcept Exception:\n    pass"),
    ("example.org", "import socket\ntry:\n    socket.getaddrinfo('example.org', 80)\nfinally:\n    raise KeyError(1)"),
]


@pytest.mark.parametrize(("host", "code"), REFUSED)
def test_a_stage_that_reaches_for_the_network_gets_one_line(toy: Path, host: str, code: str) -> None:
    stage_that(toy, code)
    expected = f"first: tried to reach {host}; only fetch may use the network: pin it in params.yaml"
    assert errors(run_stage(toy)) == [expected]
    assert not (toy / "data/doubled.csv").exists()
    assert partials(toy) == []


LOCAL = [
    "import socket\nserver = socket.create_server(('127.0.0.1', 0))\nsocket.create_connection(server.getsockname())",
    "import socket\nserver = socket.create_server(('127.0.0.1', 0))\n"
    "socket.create_connection(('localhost', server.getsockname()[1]))",
    "import socket\nsocket.getaddrinfo(None, 80)\nsocket.getaddrinfo(b'127.0.0.1', 80)\nsocket.getaddrinfo('::1', 80)",
    "import socket\nserver = socket.socket(socket.AF_UNIX)\nserver.bind('unix')\nserver.listen()\n"
    "socket.socket(socket.AF_UNIX).connect('unix')",
    "from multiprocessing import get_context\n"
    "with get_context('fork').Pool(2) as pool:\n    assert pool.map(len, ['ab', 'c']) == [2, 1]",
]


@pytest.mark.parametrize("code", LOCAL)
def test_loopback_and_local_sockets_are_allowed(toy: Path, code: str) -> None:
    stage_that(toy, code)
    done = run_stage(toy)
    assert done.returncode == 0, done.stderr


def test_only_a_stage_with_network_may_connect(toy: Path) -> None:
    stage_that(toy, "import socket\nsocket.getaddrinfo('203.0.113.9', 80)", network=True)
    assert run_stage(toy).returncode == 0


SWITCHES = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "DVC_NO_ANALYTICS": "1",
    "DO_NOT_TRACK": "1",
}


@pytest.mark.parametrize("network", [False, True])
def test_the_switches_of_libraries_are_set(toy: Path, network: bool) -> None:
    stage_that(toy, "import os\ncounts.with_name('environment').write_text(repr(dict(os.environ)))", network=network)
    run_stage(toy, HF_HUB_OFFLINE="0", GX_ANALYTICS_ENABLED="true")
    text = (toy / "metrics/environment").read_text()
    expected = SWITCHES | {"HF_HUB_OFFLINE": "0"} if network else SWITCHES
    for name, value in expected.items():
        assert f"'{name}': '{value}'" in text


def test_a_stage_waits_for_its_lock_and_then_says_who_holds_it(toy: Path) -> None:
    (toy / ".dvc/tmp").mkdir(parents=True)
    with (toy / ".dvc/tmp/stage-first.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert errors(run_stage(toy)) == [f"first: already runs in {toy}; wait for it or end it"]
        assert not (toy / "data/doubled.csv").exists()
    assert run_stage(toy).returncode == 0


def test_a_second_run_takes_over_from_one_that_ends_soon(toy: Path) -> None:
    replace(toy / "params.yaml", "pause: 0.0\nsecond", "pause: 1.5\nsecond")
    command = [sys.executable, "-m", "stages.first"]
    first = subprocess.Popen(command, cwd=toy, env=environment(), stderr=subprocess.DEVNULL)
    assert wait_until(lambda: bool(partials(toy)), seconds=20)
    held = partials(toy)
    assert run_stage(toy).returncode == 0
    assert first.wait() == 0
    assert held[0].name == f".partial-{first.pid}-doubled.csv"
    assert partials(toy) == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems poll twice a second")
def test_workers_die_with_the_stage_and_release_its_lock(toy: Path) -> None:
    stage_that(
        toy,
        "import os, time\nfrom multiprocessing import get_context\n"
        "pool = get_context('fork').Pool(2)\ncounts.write_text('busy')\npool.map(time.sleep, [60, 60])",
    )
    command = [sys.executable, "-m", "stages.first"]
    process = subprocess.Popen(command, cwd=toy, env=environment(), stderr=subprocess.DEVNULL)
    assert wait_until(lambda: bool(partials(toy)), seconds=20)
    assert len(psutil.Process(process.pid).children()) >= 2
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert wait_until(lambda: not alive(toy), seconds=2), alive(toy)


def test_a_short_write_on_a_full_disk_is_known_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=5000))

    def write() -> None:
        with published({"a": tmp_path / "a"}) as partials:
            partials["a"].touch()
            raise RuntimeError("unexpected position 576")

    with pytest.raises(OSError, match="No space left") as raised:
        write()
    assert ran_out_of_space(raised.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_a_stage_dies_with_dvc_under_any_shell(toy: Path, shell: str) -> None:
    initialise(toy)
    replace(toy / "params.yaml", "pause: 0.0\nsecond", "pause: 60.0\nsecond")
    assert interrupt(toy, "first", "dvc", SHELL=shell)
    assert [path.name.startswith(".partial-") for path in partials(toy)] == [True]
    replace(toy / "params.yaml", "pause: 60.0\nsecond", "pause: 0.0\nsecond")
    dvc(toy, "repro", SHELL=shell)
    assert partials(toy) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a launcher that its parent is dead")
@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_all_processes_of_a_launcher_die_with_dvc_under_any_shell(toy: Path, shell: str) -> None:
    initialise(toy)
    replace(toy / "stages/first.py", "run(first)", "run(first, several=True)")
    replace(toy / "params.yaml", "pause: 0.0\nsecond", "pause: 60.0\nsecond")
    launcher = f"{sys.executable} {Path(__file__).parent / 'launch.py'} 2"
    assert interrupt(toy, "first", "dvc", SHELL=shell, DIFFERENTIAL_LAUNCHER=launcher)
    replace(toy / "params.yaml", "pause: 60.0\nsecond", "pause: 0.0\nsecond")
    dvc(toy, "repro", SHELL=shell, DIFFERENTIAL_LAUNCHER=launcher)
    assert partials(toy) == []
    assert not list((toy / ".dvc/tmp").glob("stage-first-?"))


@pytest.mark.full
def test_the_toy_recovers_from_kills_in_every_stage(toy: Path) -> None:
    initialise(toy)
    replace(toy / "params.yaml", "pause: 0.0\nsecond: {pause: 0.0}", "pause: 2.0\nsecond: {pause: 2.0}")
    for name in ("first", "second"):
        assert_recovers(toy, name)
    lock = (toy / "dvc.lock").read_text()
    dvc(toy, "repro", "--force")
    assert (toy / "dvc.lock").read_text() == lock
