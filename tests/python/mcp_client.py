"""A client of the official library: everything that a server offers, by either generation of the protocol.

mcp_client.py (old|new) COMMAND…|URL   prints one line for each answer.
"""

import asyncio
import os
import sys

from mcp import Client, StdioServerParameters
from mcp import types


async def sampled(context, params):
    return types.CreateMessageResult(
        role="assistant", content=types.TextContent(type="text", text="sampled"), model="test", stopReason="endTurn"
    )


async def elicited(context, params):
    return types.ElicitResult(action="decline")


async def old(client) -> None:
    print(sorted(tool.name for tool in (await client.list_tools()).tools))
    print((await client.call_tool("echo", {"message": "hello"})).content[0].text)
    print((await client.call_tool("get-sum", {"a": 2, "b": 3})).content[0].text)
    resources = (await client.list_resources()).resources
    print("resource", len((await client.read_resource(str(resources[0].uri))).contents))
    print("prompt", len((await client.get_prompt("simple-prompt")).messages))
    names = {tool.name for tool in (await client.list_tools()).tools}
    for name, arguments in [
        ("trigger-sampling-request", {"prompt": "say", "maxTokens": 5}),
        ("trigger-elicitation-request", {}),
        ("trigger-long-running-operation", {"duration": 0.2, "steps": 2}),
    ]:
        if name in names:
            result = await client.call_tool(name, arguments)
            print(name, len(result.content))
    try:
        result = await client.call_tool("no-such-tool", {})
        print("refused", result.is_error)
    except Exception as error:
        print("refused", type(error).__name__)


async def new(client) -> None:
    print([tool.name for tool in (await client.list_tools()).tools])
    meta = {"traceparent": "00-ab000000000000000000000000000001-0102030405060708-01", "baggage": os.environ.get("TEST_BAGGAGE", "")}
    session = client.session
    print((await session.call_tool("note", {"text": "hello"}, meta=meta)).content[0].text)
    print((await client.call_tool("look", {"path": "x"})).content[0].text)


async def main() -> None:
    command = sys.argv[2:]
    server = StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
    if command[0].startswith("http://"):
        server = command[0]
    generation = sys.argv[1]
    options = {"sampling_callback": sampled, "elicitation_callback": elicited}
    if generation == "old":
        options["mode"] = "legacy"
    async with Client(server, **options) as client:
        await (old if generation == "old" else new)(client)


if __name__ == "__main__":
    asyncio.run(main())
