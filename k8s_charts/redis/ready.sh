#!/bin/sh
# It answers, and has its data in memory.
set -eu
if [ -n "${TOKEN_FILE:-}" ]; then
  VALKEYCLI_AUTH=$(cat "$TOKEN_FILE")
  REDISCLI_AUTH=$VALKEYCLI_AUTH
  export VALKEYCLI_AUTH REDISCLI_AUTH
fi
[ "$(timeout 3 valkey-cli -p "$1" ping)" = PONG ]
