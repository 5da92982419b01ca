#!/bin/bash
# Ends with 0 once a version of every model in the configuration is AVAILABLE, as GetModelStatus has it (its REST form:
# the image has no client of gRPC, nor curl).   ready.sh [models.config] [REST port]
config=${1:-/etc/tfserving/models.config} port=${2:-8501}
mapfile -t models < <(sed -nE 's/^ *name: *"([^"]+)".*/\1/p' "$config")
[ "${#models[@]}" -gt 0 ] || { echo "$config lists no model" >&2; exit 1; }
for model in "${models[@]}"; do
  exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 1
  printf 'GET /v1/models/%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$model" >&3
  grep -q '"AVAILABLE"' <&3 || { echo "$model has no available version" >&2; exit 1; }
  exec 3>&-
done
