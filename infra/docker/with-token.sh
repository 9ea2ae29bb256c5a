#!/bin/sh
# Starts a service with its token: that of FAULTLINE_SERVICE_TOKEN, else the one in the file, which the first container
# makes. In a container a service listens beyond loopback, where it demands one. The file lies in a volume that the
# containers share, since Prometheus needs the token, too.
set -eu
umask 022
file=${FAULTLINE_SERVICE_TOKEN_FILE:-/run/faultline/service-token}
folder=$(dirname "$file")

if [ -w "$folder" ]; then
  mine=$(mktemp "$folder/.token-XXXXXX")
  chmod 644 "$mine"
  if [ -n "${FAULTLINE_SERVICE_TOKEN:-}" ]; then
    printf '%s\n' "$FAULTLINE_SERVICE_TOKEN" > "$mine"
    mv "$mine" "$file"
  else
    head -c 24 /dev/urandom | base64 | tr '+/' '-_' > "$mine"
    # Several start at once: one of them makes the link, and the others take what is there.
    ln "$mine" "$file" 2> /dev/null || true
    rm "$mine"
  fi
fi
if [ -z "${FAULTLINE_SERVICE_TOKEN:-}" ] && [ -s "$file" ]; then
  FAULTLINE_SERVICE_TOKEN=$(cat "$file")
  export FAULTLINE_SERVICE_TOKEN
fi
# In the shell's place, so that the service gets the signals.
exec "$@"
