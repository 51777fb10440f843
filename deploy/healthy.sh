#!/bin/bash
# The health check of a service's container. Succeeds if the service answers 200 on a path: `healthy.sh /healthz`.
# With --ready-once the first success needs /readyz, later ones /healthz: an update waits until a new replica reaches
# its dependencies, but a store that fails later does not restart the replica.
# It runs every five seconds in each container: bash takes 3 ms of CPU, Python 60.
set -eu

path=${1:?healthy.sh: name a path, or --ready-once}
mark=/tmp/ready
if [ "$path" = --ready-once ]; then
    path=/readyz
    [ ! -e "$mark" ] || path=/healthz
fi

exec 3<>"/dev/tcp/127.0.0.1/${LISTEN_PORT:-8000}"
printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' "$path" >&3
IFS= read -r -t 2 status <&3
case $status in
"HTTP/1.1 200 "*) ;;
*)
    echo "$path: ${status%$'\r'}"
    exit 1
    ;;
esac
[ "$path" != /readyz ] || : >"$mark"
