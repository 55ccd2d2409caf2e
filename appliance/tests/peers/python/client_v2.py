"""The official Python client, second generation: `mode` is `auto`, `legacy` or a modern version to pin."""

import asyncio
import sys
from typing import Any

import httpx2
import mcp_types as types
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from peer import ELICITED, SAMPLED, Outcome, Progress, play, read_plan


class PeerV2:
    """A connected second-generation client."""

    protocol_error = MCPError

    def __init__(self) -> None:
        self.client: Client | None = None
        self.version = ""
        self.asked = 0

    async def sample(self, _context: Any, _params: Any) -> types.CreateMessageResult:
        self.asked += 1
        return types.CreateMessageResult.model_validate(SAMPLED)

    async def elicit(self, _context: Any, _params: Any) -> types.ElicitResult:
        self.asked += 1
        return types.ElicitResult.model_validate({"action": "accept", "content": ELICITED})

    async def roots(self, _context: Any) -> types.ListRootsResult:
        return types.ListRootsResult.model_validate({"roots": [{"uri": "file:///town"}]})

    async def tools(self) -> list[str]:
        assert self.client is not None
        return [tool.name for tool in (await self.client.list_tools()).tools]

    async def call(self, tool: str, arguments: dict[str, Any], progress: Progress | None) -> Outcome:
        assert self.client is not None
        result = await self.client.call_tool(tool, arguments, progress_callback=progress)
        text = "".join(getattr(block, "text", "") for block in result.content)
        return Outcome(text, bool(result.is_error))


async def main() -> int:
    plan = read_plan()
    peer = PeerV2()
    async with httpx2.AsyncClient(headers=plan["headers"], timeout=60) as http:
        client = Client(
            streamable_http_client(plan["url"], http_client=http),
            mode=plan["mode"],
            sampling_callback=peer.sample,
            elicitation_callback=peer.elicit,
            list_roots_callback=peer.roots,
        )
        async with client:
            peer.client, peer.version = client, client.protocol_version
            passed = await play(plan, peer)
    return 0 if passed else 1


sys.exit(asyncio.run(main()))
