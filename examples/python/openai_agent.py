"""An agent on OpenAI's own package that knows nothing of recount: it is pointed at `recount llm`, and at nothing else.

    recount llm --listen 127.0.0.1:8080 --upstream https://api.openai.com
    OPENAI_BASE_URL=http://127.0.0.1:8080/v1 python openai_agent.py 47894

Afterwards `recount 47894` shows its calls, and each tool that the model chose.
"""

# region: agent
import sys

import openai

tools = [{"type": "function", "function": {"name": "lookup", "parameters": {"type": "object", "properties": {"id": {"type": "integer"}}}}}]
# The header names the request; without it every caller gets a session all the same.
client = openai.OpenAI(default_headers={"x-recount-request": sys.argv[1]})
stream = client.chat.completions.create(
    model="small-1", messages=[{"role": "user", "content": "who is 7?"}], tools=tools, stream=True
)
for chunk in stream:
    for choice in chunk.choices:
        print(choice.model_dump_json(exclude_none=True))
# end

print(client.chat.completions.create(model="small-1", messages=[{"role": "user", "content": "hello"}]).model_dump_json())
print(client.responses.create(model="small-1", instructions="be brief", input="who is 7?").model_dump_json())
for event in client.responses.create(model="small-1", input="again", stream=True):
    print(event.type)
print(client.embeddings.create(model="embed-1", input="seven").model_dump_json())
print([model.id for model in client.models.list()])
try:
    client.with_options(max_retries=0).chat.completions.create(model="limited", messages=[])
except openai.RateLimitError as error:
    print("limited:", error.body)
