"""A real HTTP server in a process of its own, that does as it is told.

`python server.py` prints its port. What it is told comes to `/control`: a script of replies, taken
one by one; behind the script's end every request is answered with the last word of its prompt.
Nothing here sleeps: a reply that is held waits until it is let go.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from typing import Any

from aiohttp import web

PROMPT_TOKENS, TOKENS = 12, 3


class Server:
    """What was asked, and what to reply."""

    def __init__(self) -> None:
        self.seen: list[str] = []  # the last message of each request, as they came
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.script: deque[dict[str, Any]] = deque()
        self.always: dict[str, Any] = {}
        self.first = 1 << 60  # requests answered before the others are held
        self.brief = False  # of so many requests that only their last words are kept
        self.busy: Counter[str] = Counter()
        self.most = 0  # requests that were in flight together
        self.changed, self.open = asyncio.Condition(), asyncio.Event()

    def forget(self) -> None:
        """Begin anew; what is still held is let go, and counts no more."""
        self.open.set()
        self.__init__()  # type: ignore[misc]

    async def reply(self, request: web.Request) -> web.StreamResponse:
        """Do what the script says to one request."""
        body = await request.json()
        prompt = str(body["messages"][-1]["content"])
        await self._note(request, body, prompt)
        busy, gate = self.busy, self.open
        told = self.script.popleft() if self.script else self.always
        try:
            if told.get("hold") or len(self.seen) > self.first:
                await gate.wait()
            return await self._as_told(request, told, prompt)
        finally:
            busy[prompt] -= 1

    async def _note(self, request: web.Request, body: dict[str, Any], prompt: str) -> None:
        self.seen.append(prompt.split()[-1] if self.brief else prompt)
        if not self.brief:
            self.bodies.append(body)
            self.headers.append(dict(request.headers))
            self.paths.append(request.path_qs)
        self.busy[prompt] += 1
        self.most = max(self.most, self.busy.total())
        async with self.changed:
            self.changed.notify_all()

    async def _as_told(
        self, request: web.Request, told: dict[str, Any], prompt: str
    ) -> web.StreamResponse:
        if told.get("cut"):
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        if "half" in told:  # promises more than it sends
            response = web.StreamResponse(headers={"Content-Length": "1000"})
            await response.prepare(request)
            await response.write(told["half"].encode())
            if request.transport is not None:
                request.transport.close()
            return response
        if "megabytes" in told:
            response = web.StreamResponse()
            await response.prepare(request)
            for _ in range(told["megabytes"]):
                await response.write(b" " * (1 << 20))
            return response
        status, headers = told.get("status", 200), told.get("headers", {})
        text = told["text"] if "text" in told else json.dumps(self._usual(request, prompt))
        return web.Response(text=text, status=status, headers=headers)

    def _usual(self, request: web.Request, prompt: str) -> dict[str, Any]:
        word = prompt.split()[-1]
        if request.path.endswith("/messages"):
            usage = {"input_tokens": PROMPT_TOKENS, "output_tokens": TOKENS}
            content = [{"type": "text", "text": word}]
            return {"content": content, "stop_reason": "end_turn", "usage": usage}
        usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": TOKENS}
        message = {"role": "assistant", "content": word}
        return {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}

    async def control(self, request: web.Request) -> web.Response:
        """Take orders; wait until so many requests came; tell what was seen."""
        told = await request.json()
        if told.get("forget"):
            self.forget()
        for name in ("always", "first", "brief"):
            setattr(self, name, told.get(name, getattr(self, name)))
        self.script.extend(told.get("script", []))
        if told.get("release"):
            self.first = 1 << 60
            self.open.set()
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.seen) >= told.get("await", 0))
        names = ("seen", "bodies", "headers", "paths", "most")
        return web.json_response(
            {name: getattr(self, name) for name in names} | {"busy": dict(+self.busy)}
        )


async def main() -> None:
    """Serve until the process is ended."""
    server, app = Server(), web.Application(client_max_size=1 << 24)
    app.router.add_post("/control", server.control)
    app.router.add_post("/{path:.*}", server.reply)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
