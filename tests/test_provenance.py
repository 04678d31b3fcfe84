"""provenance.json names what an adapter was made of, the same at every run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import yaml
from toy_learner import LORA

from stages.lib.lineage import dvc_md5, write_provenance


def make_base(base: Path) -> Path:
    base.mkdir()
    pin = {"path": "/home/somebody/models/llama", "sha256": "ab" * 32, "licence": "Apache-2.0"}
    (base / "origin.json").write_text(json.dumps(pin))
    (base / "LICENSE").write_text("a licence")
    (base / "NOTICE.txt").write_text("a notice")
    return base


def test_it_holds_hashes_parameters_pin_licence_and_versions_and_nothing_else(tmp_path: Path) -> None:
    base, train = make_base(tmp_path / "base"), tmp_path / "train.parquet"
    train.write_bytes(b"records")
    texts = []
    for name in ("one", "two"):
        adapter = tmp_path / name
        adapter.mkdir()
        write_provenance(adapter, inputs={"train": train, "base": base}, params=LORA)
        texts.append((adapter / "provenance.json").read_text())
        assert sorted(path.name for path in adapter.iterdir()) == ["LICENSE", "NOTICE.txt", "provenance.json"]
    assert texts[0] == texts[1]
    assert str(tmp_path) not in texts[0]
    assert "somebody" not in texts[0]
    found = json.loads(texts[0])
    assert found["base_model"] == {"path": "llama", "sha256": "ab" * 32, "licence": "Apache-2.0"}
    assert found["inputs"] == {"base": {"md5": dvc_md5(base)}, "train": {"md5": dvc_md5(train)}}
    assert found["params"] == LORA.model_dump()
    assert sorted(found["versions"]) == ["peft", "python", "torch", "transformers"]
    assert sorted(found) == ["base_model", "inputs", "params", "versions"]


def test_hashes_of_files_and_folders_are_those_of_dvc(tmp_path: Path) -> None:
    file, folder = tmp_path / "data.csv", tmp_path / "model"
    file.write_bytes(b"a,b\r\n1,2\r\n")
    for name in ("b.json", "a/c.txt", "a.txt", "a-b/ö.txt", "B"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    for command in (["init", "--no-scm", "-q"], ["add", "-q", "data.csv", "model"]):
        subprocess.run(["dvc", *command], cwd=tmp_path, check=True)
    for path in (file, folder):
        written = yaml.safe_load(path.with_name(f"{path.name}.dvc").read_text())["outs"][0]["md5"]
        assert dvc_md5(path) == written
