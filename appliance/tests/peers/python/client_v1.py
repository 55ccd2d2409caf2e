"""The official Python client, first generation: speaks the legacy era only."""

import asyncio
import sys
from typing import Any

from mcp import ClientSession, McpError, types
from mcp.client.streamable_http import streamablehttp_client
from peer import ELICITED, SAMPLED, Outcome, Progress, play, read_plan


class PeerV1:
    """A connected first-generation client."""

    protocol_error = McpError

    def __init__(self) -> None:
        self.session: ClientSession | None = None
        self.version = ""
        self.asked = 0

    async def sample(self, _context: Any, _params: Any) -> types.CreateMessageResult:
        self.asked += 1
        return types.CreateMessageResult.model_validate(SAMPLED)

    async def elicit(self, _context: Any, _params: Any) -> types.ElicitResult:
        self.asked += 1
        return types.ElicitResult(action="accept", content=ELICITED)

    async def tools(self) -> list[str]:
        assert self.session is not None
        return [tool.name for tool in (await self.session.list_tools()).tools]

    async def call(self, tool: str, arguments: dict[str, Any], progress: Progress | None) -> Outcome:
        assert self.session is not None
        if progress is None:
            result = await self.session.call_tool(tool, arguments)
        else:
            result = await self._call_cancellable(tool, arguments, progress)
        text = "".join(getattr(block, "text", "") for block in result.content)
        return Outcome(text, bool(result.isError))

    async def _call_cancellable(self, tool: str, arguments: dict[str, Any], progress: Progress) -> types.CallToolResult:
        """This generation sends no `notifications/cancelled` of its own when a call is abandoned."""
        assert self.session is not None
        request_id = self.session._request_id  # the id that the next request takes; there is no public name for it
        try:
            return await self.session.call_tool(tool, arguments, progress_callback=progress)
        except asyncio.CancelledError:
            params = types.CancelledNotificationParams(requestId=request_id, reason="cancelled by the test")
            notification = types.CancelledNotification(params=params)
            await asyncio.shield(self.session.send_notification(types.ClientNotification(notification)))
            raise


async def main() -> int:
    plan = read_plan()
    peer = PeerV1()
    async with streamablehttp_client(plan["url"], headers=plan["headers"]) as (read, write, _session_id):
        async with ClientSession(
            read, write, sampling_callback=peer.sample, elicitation_callback=peer.elicit
        ) as session:
            peer.session = session
            peer.version = str((await session.initialize()).protocolVersion)
            passed = await play(plan, peer)
    return 0 if passed else 1


sys.exit(asyncio.run(main()))
