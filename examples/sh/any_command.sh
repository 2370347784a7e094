#!/bin/sh
# Any command as a session: what it changed in its scope, what it wrote, how it ended. Needs a running collector.
set -eu
mkdir -p out
# region: run
recount run --scope 'write file:out/**' --request 47894 --intent "count the orders" -- \
    sh -c 'echo "orders: 12" > out/summary.txt; echo done'
recount show 47894
# end
