"""An agent that works on files through an MCP server, with the official client library and nothing of ours in it.

Run a collector, then:  python mcp_files.py FOLDER -- recount mcp --request 47895 --root FOLDER -- npx -y @modelcontextprotocol/server-filesystem FOLDER
Without `recount mcp --request 47895 --root FOLDER --` in the middle it does the same, unrecorded.
"""

import asyncio
import os
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main(folder: str, command: list[str]) -> None:
    server = StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        print(len((await session.list_tools()).tools), "tools")
        draft = os.path.join(folder, "draft.md")
        for name, arguments in [
            ("write_file", {"path": draft, "content": "Dear Acme,\n"}),
            ("edit_file", {"path": draft, "edits": [{"oldText": "Acme", "newText": "Globex"}]}),
            ("read_text_file", {"path": draft}),
            ("read_text_file", {"path": "/etc/hostname"}),
            ("move_file", {"source": draft, "destination": os.path.join(folder, "sent.md")}),
        ]:
            result = await session.call_tool(name, arguments)
            print(name, "failed" if getattr(result, "is_error", None) or getattr(result, "isError", None) else "done")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[3:]))
