"""Answers a second from a server that takes 100 ms for each, ours and others', in one run.

    python benchmarks/endpoints.py [--deepeval PYTHON] [--inspect PYTHON] [--rounds 3]

The ideal rate is connections / 0.1 s. Each contestant runs in a process of its own, in turn, so
that all meet the same noise; the best of the rounds counts. CPU milliseconds a call are those of
the contestant's process, its imports aside: on a busy machine they say more than the rate. DeepEval
and Inspect run with an interpreter that has them, where one is named. What each is asked:

    ours         `model.answers(requests)`
    AsyncOpenAI  `chat.completions.create`, as many workers as connections, no retries
    + aiohttp    the same over openai's aiohttp client
    Inspect      `eval` of a task of one `generate`; max_connections and max_samples are set
    DeepEval     `evaluate` with a metric that asks LocalModel once; max_concurrent is set
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LATENCY, SECONDS = 0.1, 5.0  # of one answer; that a run takes at the ideal rate
REPLY = json.dumps(
    {
        "id": "x", "object": "chat.completion", "created": 0, "model": "m",
        "choices": [
            {
                "index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": "billing"},
            }
        ],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
    }
).encode()  # fmt: skip
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
SYSTEM = "Which team is this for? Answer with one word: billing, delivery, technical or account."


class Slow(asyncio.Protocol):
    """The least of a server: every request is answered after 100 ms, whatever it says."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.received = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = self.received[:end].lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
            if len(self.received) < end + 4 + length:
                return
            self.received = self.received[end + 4 + length :]
            asyncio.get_running_loop().call_later(LATENCY, self.answer)

    def answer(self) -> None:
        """Write the one answer there is."""
        if not self.transport.is_closing():
            self.transport.write(HEAD % len(REPLY) + REPLY)


async def serve() -> None:
    """Serve until the process is ended; print the port."""
    server = await asyncio.get_running_loop().create_server(Slow, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def prompt(number: int) -> str:
    """Return one of many different questions."""
    return f"Ticket {number}: I was charged twice for the same order, please look into it."


def ours(url: str, connections: int, n: int) -> None:
    """Ask through tunegate."""
    from tunegate.interfaces.model import Request
    from tunegate_endpoints.model import open_openai

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tunegate.toml").touch()
        model = open_openai(f"m?base_url={url}&connections={connections}", Path(folder))
    messages = [[("system", SYSTEM), ("user", prompt(i))] for i in range(n)]
    told = [[{"role": r, "content": c} for r, c in m] for m in messages]
    answers = list(model.answers([Request(i, m) for i, m in enumerate(told)]))
    assert sum(a.text == "billing" for a in answers) == n


def openai(url: str, connections: int, n: int, http: Any = None) -> None:
    """Ask through AsyncOpenAI."""
    from openai import AsyncOpenAI

    async def work() -> None:
        client = AsyncOpenAI(base_url=url, api_key="-", max_retries=0, http_client=http and http())
        numbers = iter(range(n))

        async def worker() -> None:
            for i in numbers:
                reply = await client.chat.completions.create(
                    model="m",
                    temperature=0,
                    max_tokens=1024,
                    messages=[
                        {"role": "system", "content": SYSTEM},
                        {"role": "user", "content": prompt(i)},
                    ],
                )
                assert reply.choices[0].message.content == "billing"

        await asyncio.gather(*(worker() for _ in range(connections)))
        await client.close()

    asyncio.run(work())


def openai_aiohttp(url: str, connections: int, n: int) -> None:
    """Ask through AsyncOpenAI over aiohttp."""
    from openai import DefaultAioHttpClient

    openai(url, connections, n, DefaultAioHttpClient)


def inspect(url: str, connections: int, n: int) -> None:
    """Evaluate with Inspect."""
    from inspect_ai import Task, eval  # type: ignore[import-not-found]
    from inspect_ai.dataset import Sample  # type: ignore[import-not-found]
    from inspect_ai.solver import generate, system_message  # type: ignore[import-not-found]

    os.environ |= {"LOCAL_API_KEY": "-", "LOCAL_BASE_URL": url}
    samples = [Sample(input=prompt(i), target="billing") for i in range(n)]
    task = Task(dataset=samples, solver=[system_message(SYSTEM), generate()])
    with tempfile.TemporaryDirectory() as folder:
        (log,) = eval(
            task, model="openai-api/local/m", display="none", log_dir=folder, temperature=0.0,
            max_connections=connections, max_samples=connections,
        )  # fmt: skip
    assert log.status == "success"


def deepeval(url: str, connections: int, n: int) -> None:
    """Evaluate with DeepEval."""
    from deepeval import evaluate  # type: ignore[import-not-found]
    from deepeval.evaluate import AsyncConfig, CacheConfig, DisplayConfig  # type: ignore[import-not-found]
    from deepeval.metrics import BaseMetric  # type: ignore[import-not-found]
    from deepeval.models import LocalModel  # type: ignore[import-not-found]
    from deepeval.test_case import LLMTestCase  # type: ignore[import-not-found]

    model = LocalModel(model="m", base_url=url, api_key="-", temperature=0)

    class Asks(BaseMetric):  # type: ignore[misc]
        threshold, async_mode = 0.5, True

        async def a_measure(self, case: Any, *args: Any, **kwargs: Any) -> float:
            text, _ = await model.a_generate(f"{SYSTEM}\n{case.input}")
            self.score = float(text == "billing")
            self.success = self.score == 1
            return self.score

        def is_successful(self) -> bool:
            return bool(self.success)

    cases = [LLMTestCase(input=prompt(i), actual_output="-") for i in range(n)]
    done = evaluate(
        cases, [Asks()], async_config=AsyncConfig(max_concurrent=connections),
        cache_config=CacheConfig(write_cache=False),
        display_config=DisplayConfig(show_indicator=False, print_results=False),
    )  # fmt: skip
    assert all(result.success for result in done.test_results)


CONTESTANTS: dict[str, Callable[[str, int, int], None]] = {
    "ours": ours, "AsyncOpenAI": openai, "+ aiohttp": openai_aiohttp,
    "Inspect": inspect, "DeepEval": deepeval,
}  # fmt: skip


def compete(name: str, url: str, connections: int, n: int) -> None:
    """Run one contestant, warm it up, and print its seconds and CPU seconds."""
    CONTESTANTS[name](url, connections, connections)  # imports, and the first connections
    wall, cpu = time.perf_counter(), time.process_time()
    CONTESTANTS[name](url, connections, n)
    print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]))


def run(python: str, name: str, url: str, connections: int, n: int) -> tuple[float, float] | str:
    """Run one contestant in a process; returns seconds and CPU seconds, or why there are none."""
    args = [python, __file__, "--one", name, url, str(connections), str(n)]
    quiet = {"DEEPEVAL_TELEMETRY_OPT_OUT": "YES", "DEEPEVAL_DISABLE_DOTENV": "1"}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            args, capture_output=True, text=True, cwd=folder, env={**os.environ, **quiet}
        )
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["failed"])[-1]
    wall, cpu = json.loads(done.stdout.strip().splitlines()[-1])
    return wall, cpu


def table(pythons: dict[str, str], rounds: int) -> None:
    """Run everybody in turn and print the best of the rounds."""
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        for connections in (20, 100):
            n = round(connections / LATENCY * SECONDS)
            print(f"{connections} connections, {n:,} requests, best of {rounds} rounds")
            scores: dict[str, list[tuple[float, float]]] = {name: [] for name in pythons}
            for _ in range(rounds):
                for name, python in pythons.items():
                    got = run(python, name, url, connections, n) if python else "not asked for"
                    if isinstance(got, str):
                        print(f"  {name:<12} skipped: {got[:80]}")
                        pythons[name] = ""
                    else:
                        scores[name].append(got)
                pythons = {name: python for name, python in pythons.items() if python}
            for name, found in scores.items():
                if found:
                    report(name, min(w for w, _ in found), min(c for _, c in found), n, connections)
        server.terminate()


def report(name: str, wall: float, cpu: float, n: int, connections: int) -> None:
    """Print one line."""
    share = n / wall / (connections / LATENCY)
    print(
        f"  {name:<12} {n / wall:6.0f}/s  {share:6.1%} of ideal  {cpu / n * 1000:5.2f} CPU-ms/call"
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--deepeval", default="", metavar="PYTHON")
    parser.add_argument("--inspect", default="", metavar="PYTHON")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve())
    elif given.one:
        name, url, connections, n = given.one
        compete(name, url, int(connections), int(n))
    else:
        own = dict.fromkeys(("ours", "AsyncOpenAI", "+ aiohttp"), sys.executable)
        table({**own, "Inspect": given.inspect, "DeepEval": given.deepeval}, given.rounds)


if __name__ == "__main__":
    main()
