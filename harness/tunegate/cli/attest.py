"""Write what a run's seals hold as in-toto attestations.

One signed envelope (DSSE) a line, for tools of others: the receipt of the data suite, the training
(SLSA provenance), promotions and their scorecards. With --unsigned the statements themselves.

$ tunegate run attest latest --key key.pem
"""

import argparse
import json
from pathlib import Path

from ..config.project import current_project
from ..errors import ConfigError
from ..gates.attestation import signer, statements
from ..storage.registry import Registry
from ..storage.state_dir import StateDir, find_finished
from ..utils.files import atomic_write
from ..utils.text import counted


def arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("run", metavar="RUN", help="an id, or latest")
    add("--key", type=Path, metavar="PEM", help="an ECDSA key on P-256; openssl makes one")
    add("--unsigned", action="store_true", help="for a signer of your own")
    local = "urn:tunegate:builder:local"
    add("--builder", default=local, metavar="URI", help="who ran the training")
    add("-o", "--out", type=Path, metavar="FILE", help="default: RUN.intoto.jsonl")


def run(args: argparse.Namespace) -> int:
    """Verify the run and its model, and write the file; raises ConfigError, SealBroken."""
    if bool(args.key) == args.unsigned:
        raise ConfigError("either --key PEM or --unsigned; what an unsigned file says, anybody can")
    enclose = signer(args.key) if args.key else dict
    root = current_project()
    of_run = find_finished(StateDir(root), args.run)
    made = [*statements(of_run, Registry(root), args.builder)]
    out = args.out or Path(f"{of_run.id}.intoto.jsonl")
    lines = (json.dumps(enclose(statement), ensure_ascii=False) for statement in made)
    atomic_write(out, "".join(f"{line}\n" for line in lines).encode())
    print(f"{out}: {counted(len(made), 'attestation')} of {of_run}")
    for statement in made:
        about = ", ".join(subject["name"] for subject in statement["subject"][:3])
        print(f"  {statement['predicateType']} about {about}")
    return 0
