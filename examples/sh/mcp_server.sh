#!/bin/sh
# What to write where an MCP client is told how to start its server: the proxy, then the server's own command.
set -eu
mkdir -p notes
# region: mcp
recount mcp --request 47895 --root notes -- npx -y @modelcontextprotocol/server-filesystem notes
# end
