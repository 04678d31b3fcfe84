"""The whole pipeline, on tiny parameters, shared by an S3 server: what is there, for whom, and what is noticed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from interruption import forget
from toy_bucket import Bucket, buckets
from toy_pipeline import dvc, environment, errors, git, replace, run_tool

pytestmark = pytest.mark.full

RAW = ("data/fetched", "data/raw.parquet", "data/rejected.parquet")
NOT_PUSHED = "push: false # not yet scrubbed"


@pytest.fixture(scope="module")
def remotes() -> Iterator[list[Bucket]]:
    """Serve a bucket for all, and one for those who may see raw data."""
    with buckets("shared", "restricted") as served:
        yield served


@pytest.fixture(scope="module")
def origin(
    tmp_path_factory: pytest.TempPathFactory, make_workspace: Callable[[Path], Path], remotes: list[Bucket]
) -> Path:
    """Return a workspace that has run, and has pushed outputs and run cache; its commit names the shared remote."""
    workspace = make_workspace(tmp_path_factory.mktemp("shared") / "origin")
    dvc(workspace, "repro")
    add_remote(workspace, remotes[0], "--default")
    git(workspace, "add", "--all")
    git(workspace, "commit", "--quiet", "--message", "run")
    dvc(workspace, "push", "--run-cache")
    return workspace


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Path:
    """Return a clone on another machine: the commit, and an empty cache."""
    git(tmp_path, "clone", "--quiet", str(origin), "clone")
    return tmp_path / "clone"


def add_remote(workspace: Path, bucket: Bucket, *options: str) -> None:
    """Configure a bucket as the remote of its name."""
    dvc(workspace, "remote", "add", *options, bucket.name, f"s3://{bucket.name}/differential")
    dvc(workspace, "remote", "modify", bucket.name, "endpointurl", bucket.url)
    dvc(workspace, "remote", "modify", bucket.name, "verify", "true")


def outputs(workspace: Path) -> dict[str, str]:
    """Return the hashes of all outputs in dvc.lock, by path."""
    stages: dict[str, Any] = yaml.safe_load((workspace / "dvc.lock").read_text())["stages"]
    return {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"]}


def identifiers(workspace: Path) -> list[bytes]:
    """Return the numbers and addresses planted in the raw notes, which occur nowhere by chance."""
    raw = pd.read_parquet(workspace / "data/raw.parquet")
    certain = {"EMAIL_ADDRESS", "MEDICAL_RECORD_NUMBER", "US_SSN"}
    spans = [(text, span) for text, found in zip(raw["text"], raw["phi"], strict=True) for span in found]
    return sorted({text[s["start"] : s["end"]].encode() for text, s in spans if s["entity"] in certain})


def searchable(content: bytes, folder: Path) -> bytes:
    """Return an object as text: the columns of a table are compressed, and digits of a probability may be any."""
    if content[:4] != b"PAR1":
        return content
    path = folder / "table.parquet"
    path.write_bytes(content)
    return pd.read_parquet(path).select_dtypes(exclude="number").to_csv().encode()


def test_no_raw_byte_is_in_the_shared_bucket(origin: Path, remotes: list[Bucket], tmp_path: Path) -> None:
    assert "in sync" in dvc(origin, "status", "--cloud").stdout
    dvc(origin, "push", *RAW)  # by name neither
    contents, hashes = remotes[0].contents(), outputs(origin)
    pushed = {key.partition("md5/")[2].replace("/", "") for key in contents}
    assert hashes["models/adapter"] in pushed
    assert not {hashes[path] for path in RAW} & pushed
    raw = {hashlib.md5((origin / path).read_bytes()).digest() for path in RAW if (origin / path).is_file()}
    assert not raw & {hashlib.md5(content).digest() for content in contents.values()}
    planted, everything = identifiers(origin), b"\n".join(searchable(one, tmp_path) for one in contents.values())
    assert len(planted) > 50
    assert not [value for value in planted if value in everything]


def test_another_machine_pulls_and_has_nothing_to_run(origin: Path, clone: Path) -> None:
    done = run_tool(clone, "pull")
    assert done.returncode == 0, done.stderr
    assert not any((clone / path).exists() for path in RAW)
    assert "up to date" in dvc(clone, "repro", "--allow-missing").stdout
    assert git(clone, "status", "--porcelain") == ""
    forget(clone, "augment")
    assert "'augment' is cached - skipping run" in dvc(clone, "repro", "--pull", "--allow-missing").stdout
    assert outputs(clone) == outputs(origin)
    dvc(clone, "gc", "--workspace", "--force", "--cloud")
    assert "in sync" in dvc(origin, "status", "--cloud").stdout


def test_a_changed_parameter_pulls_what_its_stages_need_and_no_more(clone: Path) -> None:
    replace(clone / "params.yaml", "bootstrap: 100", "bootstrap: 101")
    done = dvc(clone, "repro", "--pull", "--allow-missing")
    assert "[evaluate] out: " in done.stderr
    assert "[predict] " not in done.stderr
    assert not (clone / "models/base").exists()
    assert run_tool(clone, "pull").returncode == 0
    assert (clone / "models/base").exists()


def test_the_model_is_registered_and_another_repository_takes_it(origin: Path, tmp_path: Path) -> None:
    gto = [str(Path(sys.executable).with_name("gto"))]
    for arguments in (["register", "diagnosis", "--version", "v0.1.0"],
                      ["assign", "diagnosis", "--version", "v0.1.0", "--stage", "production"]):  # fmt: skip
        subprocess.run([*gto, *arguments], cwd=origin, env=environment(), check=True, capture_output=True)
    shown = subprocess.run([*gto, "show"], cwd=origin, env=environment(), check=True, capture_output=True, text=True)
    assert "v0.1.0" in shown.stdout
    dvc(tmp_path, "artifacts", "get", str(origin), "diagnosis", "--stage", "production", "--out", "by-stage")
    dvc(tmp_path, "artifacts", "get", str(origin), "diagnosis", "--rev", "v0.1.0", "--out", "by-version")
    dvc(tmp_path, "get", str(origin), "models/adapter", "--rev", "diagnosis@v0.1.0", "--out", "by-path")
    weights = (origin / "models/adapter/adapter_model.safetensors").read_bytes()
    for name in ("by-stage", "by-version", "by-path"):
        assert (tmp_path / name / "adapter_model.safetensors").read_bytes() == weights


def test_a_damaged_and_a_missing_object_are_noticed_and_named(
    origin: Path, clone: Path, remotes: list[Bucket], tmp_path: Path
) -> None:
    digest = hashlib.md5((origin / "models/adapter/adapter_model.safetensors").read_bytes()).hexdigest()
    key = f"differential/files/md5/{digest[:2]}/{digest[2:]}"
    whole = remotes[0].contents()[key]
    git(tmp_path, "clone", "--quiet", str(origin), "other")
    remotes[0].put(key, bytes(byte ^ 1 for byte in whole))
    damaged = run_tool(clone, "pull")
    remotes[0].delete(key)
    missing = run_tool(tmp_path / "other", "pull")
    remotes[0].put(key, whole)
    for done in (damaged, missing):
        assert "models/adapter" in done.stderr
        assert "is missing in the remote 'shared', or damaged there" in errors(done)[-1]
    assert run_tool(clone, "pull").returncode == 0


def test_who_may_see_raw_data_shares_them_through_a_remote_of_their_own(
    origin: Path, clone: Path, remotes: list[Bucket], tmp_path: Path
) -> None:
    shared, restricted = remotes
    before = shared.contents()
    replace(origin / "dvc.yaml", NOT_PUSHED, "remote: restricted")
    add_remote(origin, restricted)
    dvc(origin, "push")
    assert shared.contents() == before
    (key,) = restricted.contents()
    assert key.partition("md5/")[2].replace("/", "") == outputs(origin)["data/raw.parquet"]
    for name in ("dvc.yaml", ".dvc/config"):
        (clone / name).write_text((origin / name).read_text())
    git(origin, "checkout", "--", ".")
    dvc(clone, "pull", "data/raw.parquet")
    assert (clone / "data/raw.parquet").read_bytes() == (origin / "data/raw.parquet").read_bytes()


def test_without_a_remote_all_but_sharing_works(clone: Path) -> None:
    dvc(clone, "remote", "remove", "shared")
    assert "up to date" in dvc(clone, "repro", "--allow-missing").stdout
    dvc(clone, "gc", "--workspace", "--force")
    assert errors(run_tool(clone, "pull"))[0].startswith(".dvc/config: no remote to pull from")


def test_the_commit_is_reproduced_in_a_scratch_clone(origin: Path) -> None:
    done = run_tool(origin, "verify")
    assert done.returncode == 0, done.stderr
    stages = len(yaml.safe_load((origin / "dvc.yaml").read_text())["stages"])
    assert f"outputs of {stages} stages are those of dvc.lock" in done.stdout
