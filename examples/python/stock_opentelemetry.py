"""A session from a program that only knows the stock OpenTelemetry SDK.

Run a collector, then:  python stock_opentelemetry.py 47893
It needs opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http (or -grpc, with OTEL_EXPORTER_OTLP_PROTOCOL=grpc).
Afterwards `recount 47893` shows the session; what OpenTelemetry has no words for is listed there as unknown.
"""

import os
import sys

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor


def exporter():
    if os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    return OTLPSpanExporter()


def main(request: str) -> None:
    provider = TracerProvider(resource=Resource.create({"service.name": "triage-agent", "recount.request.id": request}))
    provider.add_span_processor(SimpleSpanProcessor(exporter()))
    tracer = provider.get_tracer("triage")
    conversation = {"gen_ai.conversation.id": f"triage-{request}"}
    with tracer.start_as_current_span("invoke_agent triage-agent", attributes={
        "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "triage-agent", **conversation,
    }):
        with tracer.start_as_current_span("chat local-writer-1", attributes={
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "local-writer-1", "gen_ai.usage.input_tokens": 812,
            "gen_ai.usage.output_tokens": 96, **conversation,
        }):
            pass
        # No conversation id here: the collector inherits the session from the trace.
        with tracer.start_as_current_span("execute_tool close_ticket", attributes={
            "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "close_ticket",
            "gen_ai.tool.call.id": "call_1", "gen_ai.tool.call.arguments": '{"ticket": 10171}',
        }):
            pass
    provider.shutdown()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "47893")
