#!/bin/sh
# Starts a service with its token. In a container it listens beyond loopback, where it demands one: that of
# FAULTLINE_SERVICE_TOKEN, else the one in the file, which the first container makes. The file lies in a volume that the
# containers share, since Prometheus needs the token too.
set -eu
umask 022
file=/run/faultline/service-token
mine=/run/faultline/.$(hostname)

if [ -w /run/faultline ]; then
  if [ -n "${FAULTLINE_SERVICE_TOKEN:-}" ]; then
    printf '%s\n' "$FAULTLINE_SERVICE_TOKEN" > "$mine"
    mv "$mine" "$file"
  elif [ ! -s "$file" ]; then
    head -c 24 /dev/urandom | base64 | tr '+/' '-_' > "$mine"
    # Several start at once: a link is made by one of them, and the others take that one's.
    ln "$mine" "$file" 2> /dev/null || true
    rm "$mine"
  fi
fi
if [ -z "${FAULTLINE_SERVICE_TOKEN:-}" ] && [ -s "$file" ]; then
  FAULTLINE_SERVICE_TOKEN=$(cat "$file")
  export FAULTLINE_SERVICE_TOKEN
fi
# In its place, so that it gets the signals.
exec "$@"
