"""`tunegate run pack` and `unpack`: a run goes from the machine that trained it to another one."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from published import check

from tunegate.cli.main import main
from tunegate.errors import ConfigError
from tunegate.storage.state_dir import SealBroken, StateDir
from tunegate.storage.store import AGAIN, Store
from tunegate.utils.masking import KEY_VARIABLE, mask

if TYPE_CHECKING:
    from conftest import Project

Out = pytest.CaptureFixture[str]
SECRET = "9f2c" * 16
OTHER = "77aa" * 16
# A process that is killed with -9 at its third rename: what it writes then is on the disk, unnamed.
DYING = """
import os, signal, sys
left, rename = [2], os.replace
def replace(*args):
    if args[1] and not left[0]: os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    rename(*args)
os.replace = replace
from tunegate.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def sealed_once(tmp_path_factory: pytest.TempPathFactory, trained_once: Project) -> Project:
    """A project that was trained with the secret in the environment."""
    made = trained_once.copied(tmp_path_factory.mktemp("secret") / "gpu")
    shutil.rmtree(made.root / ".tunegate")
    trained = made.pytest("suites/data", "--train-with", "toy", env={KEY_VARIABLE: SECRET})
    assert trained.code == 0, trained.out
    assert not (made.root / ".tunegate" / "key").exists()
    return made


@pytest.fixture
def gpu(sealed_once: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The machine that trained, as the working directory; `store` beside it is empty."""
    made = sealed_once.copied(tmp_path / "gpu")
    (tmp_path / "store").mkdir()
    made.add("tunegate.toml", '[store]\nfolder = "../store"\n')
    monkeypatch.setenv(KEY_VARIABLE, SECRET)
    monkeypatch.chdir(made.root)
    return made


@pytest.fixture
def ci(gpu: Project, tmp_path: Path) -> Project:
    """A checkout of the same project where nothing was trained."""
    made = gpu.copied(tmp_path / "ci")
    shutil.rmtree(made.root / ".tunegate")
    return made


def files_of(store: Path) -> dict[str, Path]:
    """Return the named files of a store, each of which holds what its name says."""
    found = {p.name: p for p in store.glob("sha256/*/*") if not p.name.startswith(".")}
    for name, path in found.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == name
        assert path.parent.name == name[:2]
    return found


def die(root: Path, *words: str) -> int:
    done = subprocess.run([sys.executable, "-c", DYING, *words], cwd=root, capture_output=True)
    return done.returncode


def test_a_run_goes_to_another_machine_and_is_promoted_there(
    gpu: Project, ci: Project, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    (gpu.run / "report.html").write_text("<p>a row</p>")
    assert main(["run", "pack", "latest", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    check("run-pack", told)
    assert (told["files"], told["copied"]) == (9, 8)  # toy.txt holds what the snapshot holds
    assert main(["run", "pack", gpu.run.name[:4]]) == 0
    assert f"run {gpu.run.name}: 9 files, 0 copied to " in capsys.readouterr().out
    monkeypatch.chdir(ci.root)
    assert main(["run", "unpack", f"run:{gpu.run.name}", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    check("run-unpack", told)
    assert told == {"run": gpu.run.name, "copied": 9}
    for path in gpu.run.rglob("*"):
        there = ci.run / path.relative_to(gpu.run)
        assert there.exists() == (path.name not in ("report.html", "run.lock")), path
    assert (ci.root / ".tunegate").stat().st_mode & 0o077 == 0
    assert main(["run", "unpack", gpu.run.name]) == 0
    assert "0 files copied" in capsys.readouterr().out
    judged = ci.pytest("suites/model", "--model", "latest", "--promote", "production",
                       env={KEY_VARIABLE: SECRET})  # fmt: skip
    assert judged.code == 0, judged.out
    assert ci.registry[0]["run"] == gpu.run.name
    assert main(["run", "pack", "latest"]) == 0  # the scorecard goes back
    assert "10 files, 1 copied" in capsys.readouterr().out
    monkeypatch.chdir(gpu.root)
    assert main(["run", "unpack", gpu.run.name]) == 0
    assert len(gpu.left("scorecards/*.json")) == 1


def test_killed_in_the_middle_they_go_on(gpu: Project, ci: Project) -> None:
    store, lives = gpu.root.parent / "store", 0
    while code := die(gpu.root, "run", "pack", "latest"):
        assert (code, lives < 9) == (-9, True)
        lives += 1
        assert len(files_of(store)) == 2 * lives
        assert not Store(StateDir(gpu.root), store).runs()
        assert die(ci.root, "run", "unpack", gpu.run.name) == 2  # no run yet
    assert lives == 4
    assert len(files_of(store)) == 8
    lives = 0
    while code := die(ci.root, "run", "unpack", gpu.run.name):
        assert (code, lives < 9) == (-9, True)
        lives += 1
        assert not ci.left("run.json")
    assert lives == 4
    for path in filter(Path.is_file, gpu.run.rglob("*[!k]")):  # no lock
        assert (ci.run / path.relative_to(gpu.run)).read_bytes() == path.read_bytes()


def test_two_runs_share_their_snapshots(gpu: Project) -> None:
    gpu.add("tunegate.toml", "[train.toy]\nseed = 1\n")
    again = gpu.pytest("suites/data", "--train-with", "toy", env={KEY_VARIABLE: SECRET})
    assert again.code == 0, again.out
    one, two = (path.parent.name for path in gpu.left("run.json"))
    assert main(["run", "pack", one]) == main(["run", "pack", two]) == 0
    store = Store(StateDir(gpu.root), gpu.root.parent / "store")
    first, second = (store.runs()[name] for name in (one, two))
    common = {path for path in first if path.startswith(("snapshots/", "baselines/"))}
    assert common == {path for path in second if path.startswith(("snapshots/", "baselines/"))}
    assert len(files_of(store.folder)) == len({*first.values(), *second.values()})


def test_a_damaged_file_is_refused(
    gpu: Project, ci: Project, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["run", "pack", "latest"]) == 0
    digest = hashlib.sha256((gpu.run / "toy.txt").read_bytes()).hexdigest()
    damaged = files_of(gpu.root.parent / "store")[digest]
    data = damaged.read_bytes()
    damaged.write_bytes(data[:-9] + b"\n" + data[-8:])
    monkeypatch.chdir(ci.root)
    capsys.readouterr()
    assert main(["run", "unpack", gpu.run.name]) == 2
    err = capsys.readouterr().err
    said = f"tunegate run unpack: {damaged} is damaged: its sha256 is not {digest}; "
    assert err == f"{said}{AGAIN}\n"
    assert not ci.left("run.json")
    assert not ci.left("toy.txt")
    monkeypatch.chdir(gpu.root)
    damaged.write_bytes(data[:9])  # cut short: the next pack writes it anew
    assert main(["run", "pack", "latest"]) == 0
    assert damaged.read_bytes() == data


def test_a_file_that_differs_is_not_replaced(
    gpu: Project, ci: Project, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["run", "pack", "latest"]) == 0
    monkeypatch.chdir(ci.root)
    own = ci.write(f".tunegate/runs/{gpu.run.name}/toy.txt", "mine")
    capsys.readouterr()
    assert main(["run", "unpack", gpu.run.name]) == 2
    assert f"{own} is not the file that was packed: move it away first" in capsys.readouterr().err
    assert own.read_text() == "mine"
    assert [path.name for path in own.parent.iterdir()] == ["toy.txt"]
    own.unlink()
    # A baseline that was measured here stays.
    (measured,) = (gpu.root / ".tunegate" / "baselines").iterdir()
    kept = ci.write(f".tunegate/baselines/{measured.name}", "{}")
    assert main(["run", "unpack", gpu.run.name]) == 0
    assert kept.read_text() == "{}"


@pytest.mark.parametrize(
    "path",
    ["key", "../x", "runs/../../x", "runs/other/run.json", "snapshots/../key", "runs\\..\\x",
     "/etc/x", "registry.jsonl", "runs/{run}/../../key", "snapshots"],
)  # fmt: skip
def test_a_manifest_names_files_of_its_run_alone(gpu: Project, ci: Project, path: str) -> None:
    assert main(["run", "pack", "latest"]) == 0
    (manifest,) = (gpu.root.parent / "store" / "runs").iterdir()
    told = json.loads(manifest.read_text())
    told["files"][path.format(run=gpu.run.name)] = next(iter(told["files"].values()))
    manifest.write_text(json.dumps(told))
    with pytest.raises(ConfigError, match="is no file of run"):
        Store(StateDir(ci.root), manifest.parents[1]).unpack(gpu.run.name)
    assert not (ci.root / ".tunegate" / "runs").exists()


@pytest.mark.parametrize(
    "text", ["", "[1]", "{}", '{"files": []}', '{"files": {"runs/x/run.json": 5}}', '{"files": {}}']
)
def test_a_damaged_manifest_is_a_mistake_with_a_remedy(
    gpu: Project, ci: Project, text: str, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["run", "pack", "latest"]) == 0
    (manifest,) = (gpu.root.parent / "store" / "runs").iterdir()
    sound = manifest.read_bytes()
    manifest.write_text(text)
    capsys.readouterr()
    monkeypatch.chdir(ci.root)
    assert main(["run", "unpack", gpu.run.name]) == 2
    err = capsys.readouterr().err
    assert err == f"tunegate run unpack: {manifest} is damaged; {AGAIN}\n"
    monkeypatch.chdir(gpu.root)
    assert main(["run", "pack", "latest"]) == 0
    assert manifest.read_bytes() == sound


@pytest.mark.parametrize("name", ["receipt.json", "run.json", "toy.txt"])
def test_what_the_store_lost_or_has_cut_short_is_named_before_anything_is_copied(
    gpu: Project, ci: Project, name: str, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["run", "pack", "latest"]) == 0
    digest = hashlib.sha256((gpu.run / name).read_bytes()).hexdigest()
    lost = files_of(gpu.root.parent / "store")[digest]
    monkeypatch.chdir(ci.root)
    for spoil in (lambda: lost.write_bytes(b"{"), lost.unlink):
        spoil()
        capsys.readouterr()
        assert main(["run", "unpack", gpu.run.name]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"tunegate run unpack: {lost}")
        assert "damaged" in line
        assert line.endswith(AGAIN)
        assert not ci.left("run.json")
    monkeypatch.chdir(gpu.root)
    assert main(["run", "pack", "latest"]) == 0
    monkeypatch.chdir(ci.root)
    assert main(["run", "unpack", gpu.run.name]) == 0


def test_what_another_machine_packed_of_a_run_stays_in_its_manifest(
    gpu: Project, ci: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pack of a machine without it takes nothing away; a new training does."""
    assert main(["run", "pack", "latest"]) == 0
    monkeypatch.chdir(ci.root)
    assert main(["run", "unpack", gpu.run.name]) == 0
    assert ci.pytest("suites/model", "--model", "latest", env={KEY_VARIABLE: SECRET}).code == 0
    assert main(["run", "pack", "latest"]) == 0
    monkeypatch.chdir(gpu.root)
    assert main(["run", "pack", "latest"]) == 0
    assert main(["run", "unpack", gpu.run.name]) == 0
    assert len(gpu.left("scorecards/*.json")) == 1
    shutil.rmtree(gpu.root / ".tunegate" / "runs")
    assert gpu.pytest("suites/data", "--train-with", "toy", env={KEY_VARIABLE: SECRET}).code == 0
    assert main(["run", "pack", "latest"]) == 0
    assert not [p for p in files_packed(gpu) if "scorecards" in p]


def files_packed(gpu: Project) -> dict[str, str]:
    return Store(StateDir(gpu.root), gpu.root.parent / "store").runs()[gpu.run.name]


def test_hidden_files_and_folders_of_a_run_stay_where_they_are(gpu: Project, ci: Project) -> None:
    for name in (".half", ".cache/huggingface/x", "adapter/.cache/x"):
        gpu.write(f".tunegate/runs/{gpu.run.name}/{name}", "x")
    assert main(["run", "pack", "latest"]) == 0
    store = Store(StateDir(ci.root), gpu.root.parent / "store")
    assert store.unpack(gpu.run.name)[1] == len(files_packed(gpu)) == 9


@pytest.mark.parametrize("secret", [OTHER, ""])
def test_ci_refuses_what_was_sealed_with_another_key(
    gpu: Project, ci: Project, secret: str, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["run", "pack", "latest"]) == 0
    capsys.readouterr()
    monkeypatch.chdir(ci.root)
    monkeypatch.setenv(KEY_VARIABLE, secret)
    assert main(["run", "unpack", gpu.run.name]) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert err.endswith("give TUNEGATE_KEY the same value here and where it was trained\n")
    assert SECRET not in err
    assert not (ci.root / ".tunegate" / "runs").exists()
    # And where somebody has put the files there.
    shutil.copytree(gpu.root / ".tunegate", ci.root / ".tunegate", dirs_exist_ok=True)
    judged = ci.pytest("suites/model", "--model", "latest", "--promote", "production",
                       env={KEY_VARIABLE: secret})  # fmt: skip
    assert judged.code != 0
    assert "made elsewhere, it needs the same TUNEGATE_KEY here" in judged.out
    assert ci.registry == []


# The key in the environment.


def test_a_secret_seals_and_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, SECRET)
    state = StateDir(tmp_path)
    state.write_sealed(tmp_path / "a.json", {"a": 1})
    assert not (state.folder / "key").exists()
    monkeypatch.setenv(KEY_VARIABLE, f" {SECRET}\n")  # as a file of secrets may give it
    assert state.read_sealed(tmp_path / "a.json") == {"a": 1}
    signed = state.sign({"b": 2})
    with pytest.raises(SealBroken, match="it was edited since"):
        state.verify_signed({**signed, "b": 3})
    assert state.probe.key != state.key  # a receipt of a probe, copied out of it, is worth nothing
    assert SECRET not in mask(f"the key is {SECRET}, or {SECRET[:40]}")
    monkeypatch.delenv(KEY_VARIABLE)
    with pytest.raises(SealBroken, match="same TUNEGATE_KEY"):
        state.read_sealed(tmp_path / "a.json")
    state.verify_signed({**signed, "b": 3})  # of another key: nobody here can say


def test_a_short_secret_is_refused(
    gpu: Project, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "short")
    assert main(["run", "pack", "latest"]) == 2
    said = "TUNEGATE_KEY has 5 characters, and needs at least 32: openssl rand -hex 32\n"
    assert capsys.readouterr().err == f"tunegate run pack: {said}"


def test_a_store_that_is_not_mounted_is_a_mistake(gpu: Project, capsys: Out) -> None:
    gpu.root.joinpath("../store").rmdir()
    assert main(["run", "pack", "latest"]) == 2
    assert "is no folder: mount it, or make it" in capsys.readouterr().err
    assert main(["run", "pack", "latest", "--store", "nowhere"]) == 2
    assert "nowhere is no folder" in capsys.readouterr().err


def test_without_a_configured_store_it_stands_in_the_state_tree(gpu: Project, capsys: Out) -> None:
    text = (gpu.root / "tunegate.toml").read_text().partition("[store]")[0]
    gpu.write("tunegate.toml", text)
    assert main(["run", "pack", "latest"]) == 0
    assert len(files_of(gpu.root / ".tunegate" / "store")) == 8
    gpu.write("tunegate.toml", f'{text}[store]\nfolder = ""\n')
    assert main(["run", "pack", "latest"]) == 0
    assert not (gpu.root / "runs").exists()
    gpu.write("tunegate.toml", f'{text}[store]\nfoldr = "x"\n')
    assert main(["run", "pack", "latest"]) == 2
    assert "folder" in capsys.readouterr().err


def test_a_purged_snapshot_stays_purged(
    gpu: Project, ci: Project, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it was packed, too, and what was left of the run comes without it."""
    assert main(["run", "pack", "latest"]) == 0
    digest = hashlib.sha256((gpu.root / "validation.jsonl").read_bytes()).hexdigest()
    assert digest in files_of(gpu.root.parent / "store")
    assert main(["run", "purge", digest[:9]]) == 0
    assert digest not in files_of(gpu.root.parent / "store")
    monkeypatch.chdir(ci.root)
    assert main(["run", "unpack", gpu.run.name]) == 0
    assert "8 files copied" in capsys.readouterr().out
    assert not StateDir(ci.root).snapshot_path(digest).exists()


def test_what_a_store_has_kept_can_be_purged_later_and_weights_are_named(
    gpu: Project, capsys: Out, tmp_path: Path
) -> None:
    """The store was not there at the first purge, or belongs to another machine."""
    other = tmp_path / "other"
    other.mkdir()
    for folder in (gpu.root.parent / "store", other):
        assert main(["run", "pack", "latest", "--store", str(folder)]) == 0
    digest = hashlib.sha256((gpu.root / "train.jsonl").read_bytes()).hexdigest()
    for words in ((), ("--store", str(other))):
        capsys.readouterr()
        assert main(["run", "purge", digest[:9], *words]) == 0
        out = capsys.readouterr().out
        assert out.startswith(f"removed {digest[:12]} and ")
        assert f"left: the model of run:{gpu.run.name}" in out
        assert main(["run", "purge", digest[:9], *words]) == 2
    assert digest not in files_of(other)


@pytest.mark.parametrize(
    "secret", ["oneplainwordofthirtytwolettersandmore", "/" + "Ab9+" * 11, "1234567890" * 4]
)
def test_the_secret_is_masked_whatever_it_looks_like(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, secret)
    assert secret.strip("/+") not in mask(f"the key is {secret}.")
