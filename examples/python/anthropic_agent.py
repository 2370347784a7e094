"""An agent on Anthropic's own package that knows nothing of recount: it is pointed at `recount llm`, and at nothing else.

    recount llm --listen 127.0.0.1:8080 --upstream https://api.anthropic.com
    ANTHROPIC_BASE_URL=http://127.0.0.1:8080 python anthropic_agent.py 47895
"""

# region: agent
import sys

import anthropic

tools = [{"name": "lookup", "input_schema": {"type": "object", "properties": {"id": {"type": "integer"}}}}]
client = anthropic.Anthropic(default_headers={"x-recount-request": sys.argv[1]})
asked = [{"role": "user", "content": "who is 7?"}]
with client.messages.stream(model="claude-small", max_tokens=64, messages=asked, tools=tools) as stream:
    reply = stream.get_final_message()
print(reply.model_dump_json(exclude_none=True))
# end

asked += [
    {"role": "assistant", "content": [block.model_dump(include={"type", "text", "id", "name", "input"}) for block in reply.content]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "seven is Ann"}]},
]
print(client.messages.create(model="claude-small", max_tokens=64, system="be brief", messages=asked).model_dump_json())
