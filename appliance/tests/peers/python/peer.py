"""The steps of a black-box run, played against either generation of the official Python client."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

SAMPLED = {"role": "assistant", "model": "none", "content": {"type": "text", "text": "sampled"}}
ELICITED = {"username": "ada", "email": "ada@example.test", "name": "ada", "color": "green"}

Step = dict[str, Any]
Progress = Callable[[float, float | None, str | None], Awaitable[None]]


@dataclass
class Outcome:
    """What came back from a tool: its text blocks joined, and whether the tool said it failed."""

    text: str
    is_error: bool


class Peer(Protocol):
    """One connected client behind one face."""

    version: str
    asked: int
    protocol_error: type[Exception]

    async def tools(self) -> list[str]: ...

    async def call(self, tool: str, arguments: dict[str, Any], progress: Progress | None) -> Outcome: ...


class Failed(Exception):
    """A step did not end as the plan wants."""


def read_plan() -> dict[str, Any]:
    """The plan named on the command line: `url`, `headers`, `mode` and `steps`."""
    with open(sys.argv[1], encoding="utf-8") as file:
        return json.load(file)


async def play(plan: dict[str, Any], peer: Peer) -> bool:
    """Plays the steps in order and prints one JSON line for each; answers whether all of them passed."""
    passed = True
    for step in plan["steps"]:
        try:
            ok, detail = True, await asyncio.wait_for(_perform(step, peer), 60)
        except Exception as error:  # the step failed, whatever the client raised
            ok, detail = False, f"{type(error).__name__}: {error}"
        print(json.dumps({"step": step["step"], "ok": ok, "detail": detail}), flush=True)
        passed = passed and ok
    return passed


async def _perform(step: Step, peer: Peer) -> str:
    match step["step"]:
        case "connect":
            return _expect(peer.version, step)
        case "list":
            names = await peer.tools()
            missing = [name for name in step.get("has", []) if name not in names]
            shown = [name for name in step.get("lacks", []) if name in names]
            if missing or shown:
                raise Failed(f"missing {missing}, shown {shown}")
            return f"{len(names)} tools"
        case "call":
            return await _called(step, peer, None)
        case "denied":
            return await _denied(step, peer)
        case "asked":
            before = peer.asked
            text = await _called(step, peer, None)
            if peer.asked == before:
                raise Failed("the server asked nothing")
            return text
        case "progress":
            reports: list[float] = []

            async def note(progress: float, _total: float | None, _message: str | None) -> None:
                reports.append(progress)

            await _called(step, peer, note)
            if len(reports) < 2:
                raise Failed(f"{len(reports)} progress reports")
            return f"{len(reports)} reports"
        case "cancel":
            return await _cancelled(step, peer)
        case unknown:
            raise Failed(f"no such step: {unknown}")


async def _called(step: Step, peer: Peer, progress: Progress | None) -> str:
    outcome = await peer.call(step["tool"], step.get("arguments", {}), progress)
    if outcome.is_error:
        raise Failed(f"the tool failed: {outcome.text}")
    return _expect(outcome.text, step)


async def _denied(step: Step, peer: Peer) -> str:
    """A denial is a JSON-RPC error or an error result: anything else has broken the client's connection."""
    try:
        outcome = await peer.call(step["tool"], step.get("arguments", {}), None)
    except peer.protocol_error as error:
        return _expect(f"{type(error).__name__}: {error}", step)
    if not outcome.is_error:
        raise Failed(f"{step['tool']} was let through")
    return _expect(outcome.text, step)


async def _cancelled(step: Step, peer: Peer) -> str:
    """Cancels the call when its first progress report arrives, then asks the server whether it noticed."""
    reported = asyncio.Event()

    async def note(_progress: float, _total: float | None, _message: str | None) -> None:
        reported.set()

    call = asyncio.create_task(peer.call(step["tool"], step.get("arguments", {}), note))
    waiting = asyncio.create_task(reported.wait())
    await asyncio.wait({call, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if call.done():
        raise Failed(f"the call ended before it was cancelled: {call.exception() or call.result()}")
    call.cancel()
    await asyncio.wait({call})
    if not call.cancelled():
        raise Failed("the cancelled call returned")
    return await _called(step["then"], peer, None)


def _expect(text: str, step: Step) -> str:
    wanted = step.get("expect")
    if wanted is not None and wanted not in text:
        raise Failed(f"expected {wanted!r}, got {text!r}")
    return text
