"""A small server on the official Python SDK. Binds 127.0.0.1 on a free port and prints `listening on URL`."""

import asyncio
import socket

import uvicorn
from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("portreeve-fixture-python")


@server.tool()
def add(left: int, right: int) -> int:
    """Adds two numbers."""
    return left + right


@server.tool()
def forbidden() -> str:
    """Works here; the tests put a policy in front that forbids it."""
    return "nobody should read this"


@server.tool()
async def count(to: int, ctx: Context) -> str:
    """Counts, with a progress report at each step."""
    for done in range(to):
        await ctx.report_progress(done, to)
    return f"counted to {to}"


async def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        config = uvicorn.Config(server.streamable_http_app(), log_level="warning")
        print(f"listening on http://127.0.0.1:{port}/mcp", flush=True)
        await uvicorn.Server(config).serve(sockets=[listener])


asyncio.run(main())
