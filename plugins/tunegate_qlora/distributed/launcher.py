"""`python -m tunegate_qlora.distributed.launcher REPORT ...`: torchrun without tracebacks.

On a failure it writes the exit codes of the workers by rank into REPORT, as JSON; the workers' own
messages are in their own files.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from pathlib import Path


def main(report: Path, arguments: list[str]) -> int:
    """Start the workers, wait for them, and return 0, 70 where one failed, or 130."""
    from torch.distributed import run as torchrun
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    from tunegate.utils.atomic import atomic_write

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    report_content: dict[str, object] = {}
    try:
        torchrun.main(arguments)
        return 0
    except SignalException:
        return 130
    except ChildFailedError as error:
        report_content["exits"] = {rank: failed.exitcode for rank, failed in error.failures.items()}
    except Exception as error:  # a port in use, a machine that never came
        report_content["error"] = f"{type(error).__name__}: {error}"
    atomic_write(report, json.dumps(report_content).encode())
    return 70


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
