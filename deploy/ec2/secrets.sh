#!/bin/sh
# Create swarm secrets from an environment file (as `make env` writes it, with REDIS_PASSWORD added). Run it on a manager:
# secrets.sh FILE [VERSION [stores]]. VERSION (1) is SECRETS_VERSION of the stack; `stores` adds the secrets of
# stores.yaml. Existing secrets stay unchanged.
set -eu

file=$1 version=${2:-1}
names="LOG_KEY SESSION_SECRET_KEY MESSAGE_DIGEST_KEYS AUTH_SERVICE_SECRET SOCIAL_SERVICE_SECRET ROOMS_SERVICE_SECRET
MEDIA_SERVICE_SECRET CHAT_GATEWAY_SERVICE_SECRET CANARY_PASSWORD AUTH_DB_PASSWORD SOCIAL_DB_PASSWORD ROOMS_DB_PASSWORD MEDIA_DB_PASSWORD REDIS_PASSWORD"
[ "${3:-}" != stores ] || names="$names DB_ROOT_PASSWORD AWS_ACCESS_KEY AWS_SECRET_ACCESS_KEY"

for name in $names; do
    value=$(sed -n "s/^$name=//p" "$file" | tail -n 1)
    [ -n "$value" ] || { echo "$file has no $name" >&2; exit 1; }
    secret="webchat_$(printf '%s' "$name" | tr '[:upper:]' '[:lower:]')_$version"
    docker secret inspect "$secret" >/dev/null 2>&1 || printf '%s' "$value" | docker secret create "$secret" - >/dev/null
done
echo "all secrets of version $version exist"
