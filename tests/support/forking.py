"""Runs `python -m MODULE` in a fork of a process that has held a session of pytest before.

Importing pytest, pydantic, pandas and tunegate is most of the time of a small session: here one
process imports them for all. Each fork is a process of its own, and its `sys.executable` a script
that asks for another fork, so that what tunegate starts from there begins as fast.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# What only the server needs is imported by its functions: the script starts at each request.
BYTES = 8  # of each number that is sent
SCRIPT = """\
#!{python} -IS
import sys
sys.path.insert(0, {here!r})
import forking
forking.be_python(sys.argv[1:], {path!r})
"""
# What a session imports later: with the first test, behind a gate that opens, with a model.
LATER = (
    "tunegate.pytest_plugin.executed",
    *("tunegate.checking.decorator", "tunegate.session.open_models", "tunegate.models.predict"),
    *("tunegate.gates.data_gate", "tunegate.gates.model_gate", "tunegate.gates.promotion"),
    *("tunegate.gates.training_process", "tunegate.cli.main", "tunegate.cli.doctor"),
    *("tunegate_checks.detect.screen", "tunegate_endpoints.model", "tunegate_openai.trainer"),
    *("tunegate_qlora.trainer", "tunegate_qlora.model.local_model", "pandas", "scipy.special"),
)


def can_fork(args: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether a fork is what these arguments of Python would be: a module, or a process of xdist.

    Where a variable or option tells Python to be another, it is not.
    """
    harmless = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
    if any(name.startswith("PYTHON") and name not in harmless for name in env):
        return False
    return args[0] == "-m" or (args[0] == "-u" and "import sys;exec(eval(sys.stdin" in args[-1])


def run_python(
    args: Sequence[str], cwd: Path, env: Mapping[str, str], fresh: bool = False
) -> tuple[int, str]:
    """Run Python, by a fork where one is the same, unless it shall be `fresh`.

    Returns its exit status and what it printed.
    """
    if fresh or not can_fork(args, env):
        import subprocess

        child = subprocess.run(
            [sys.executable, *args],
            cwd=cwd, env=env, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return child.returncode, child.stdout
    reading, writing = os.pipe()
    with open(os.devnull) as nothing:
        asked = ask(server(), args, str(cwd), env, (nothing.fileno(), writing, writing))
    os.close(writing)
    with asked, open(reading, encoding="utf-8", errors="replace") as printed:
        out = printed.read()
        return answer(asked), out


@functools.cache
def server() -> str:
    """Start the server of this process, and return its address. It ends with this process."""
    import atexit
    import subprocess
    import tempfile

    folder = tempfile.mkdtemp(prefix="forks")  # the server takes it away
    path = f"{folder}/socket"
    here = str(Path(__file__).parent)
    script = Path(folder, "python")
    script.write_text(SCRIPT.format(python=sys.executable, here=here, path=path))
    script.chmod(0o700)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    process = subprocess.Popen(
        [sys.executable, __file__, path],
        env=clean | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    for line in process.stdout:
        if line == b"ready\n":
            break
    else:
        raise RuntimeError(f"the server of forks ended with {process.wait()}: see above")
    atexit.register(process.communicate)
    return path


def ask(
    path: str, args: Sequence[str], cwd: str, env: Mapping[str, str], streams: Sequence[int]
) -> socket.socket:
    """Ask the server for a fork with these three streams, and return where it will answer."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    request = json.dumps([args, cwd, dict(env)]).encode()
    socket.send_fds(connection, [len(request).to_bytes(BYTES, "big")], streams)
    connection.sendall(request)
    return connection


def answer(connection: socket.socket) -> int:
    """Wait for an exit status; a negative one is the number of the signal."""
    return int.from_bytes(connection.recv(BYTES), "big", signed=True)


def be_python(args: Sequence[str], path: str) -> None:
    """Do what `python ARGS` does, by a fork where one is the same."""
    if not can_fork(args, os.environ):
        os.execv(sys.executable, [sys.executable, *args])
    code = answer(ask(path, args, os.getcwd(), os.environ, (0, 1, 2)))
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def warm_up() -> None:
    """Import what a session imports, the way that pytest does it for `-p tunegate`."""
    import contextlib
    import importlib
    import tempfile

    import pytest

    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("tunegate.toml").touch()
        pytest.main(["-p", "tunegate", "-q"])
        for name in LATER:
            importlib.import_module(name)


def serve(path: str) -> list[str]:
    """Fork for each request until standard input ends; return in the fork, with its arguments."""
    import contextlib
    import select
    import shutil

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        while True:
            is_over = 0 in select.select([listener, 0], [], [])[0]
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, 0 if is_over else os.WNOHANG)[0]:
                    pass
            if is_over:
                shutil.rmtree(Path(path).parent)
                os._exit(0)
            connection, _ = listener.accept()
            if os.fork() == 0:
                break
            connection.close()
    length, streams, *_ = socket.recv_fds(connection, BYTES, 3)
    request = connection.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL)
    process = os.fork()
    if process:
        for stream in (0, 1, 2, *streams):  # who reads them waits for the end of all writers
            os.close(stream)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        connection.send(code.to_bytes(BYTES, "big", signed=True))
        os._exit(0)
    connection.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    args: list[str]
    args, cwd, env = json.loads(request)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[0] = cwd
    sys.executable = str(Path(path).with_name("python"))
    sys.dont_write_bytecode = bool(env.get("PYTHONDONTWRITEBYTECODE"))
    return args


def run_fork(args: Sequence[str]) -> None:
    """Run what is asked for, and end without taking apart all that was imported."""
    import atexit
    import runpy
    import threading
    import types

    try:
        if args[0] == "-m":
            sys.argv = list(args[1:])
            if not hasattr(sys.modules.get(args[1]), "__path__"):
                sys.modules.pop(args[1], None)  # it is `__main__`, and nothing else yet
            runpy.run_module(args[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = ["-c"]
            main = sys.modules["__main__"] = types.ModuleType("__main__")
            exec(args[-1], main.__dict__)
            sys.exit(0)
    except SystemExit as error:
        if not isinstance(error.code, int):
            raise
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(error.code)


if __name__ == "__main__":
    import gc

    warm_up()
    gc.freeze()
    run_fork(serve(sys.argv[1]))
