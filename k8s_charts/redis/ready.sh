#!/bin/sh
# It answers, and has its data in memory; a replica has it once it is in step with its primary.
set -eu
if [ -n "${TOKEN_FILE:-}" ]; then
  VALKEYCLI_AUTH=$(cat "$TOKEN_FILE")
  REDISCLI_AUTH=$VALKEYCLI_AUTH
  export VALKEYCLI_AUTH REDISCLI_AUTH
fi
[ "$(timeout 2 valkey-cli -p "$1" ping)" = PONG ]
# Of a replica: its role, the primary's host and port, the state of the link.
role=$(timeout 2 valkey-cli -p "$1" role)
[ "$(echo "$role" | sed -n 1p)" != slave ] || [ "$(echo "$role" | sed -n 4p)" = connected ]
