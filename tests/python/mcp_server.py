"""A server of the official library, of the generation without `initialize`: one tool that only looks, one that acts."""

import os
import sys

from mcp.server import MCPServer
from mcp.types import ToolAnnotations

server = MCPServer("notes", instructions="write short notes")


@server.tool(annotations=ToolAnnotations(readOnlyHint=True))
def look(path: str) -> str:
    return f"nothing at {path}"


@server.tool()
def note(text: str) -> str:
    print(f"noted {text}", file=sys.stderr)
    return f"noted {text}"


if "PORT" in os.environ:
    server.run("streamable-http", host="127.0.0.1", port=int(os.environ["PORT"]))
else:
    server.run("stdio")
