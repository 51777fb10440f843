#!/bin/sh
# Replace the four schemas by the output of dump.sh on standard input.
set -eu

. "$(dirname "$0")/tls.sh"
client=$(command -v mariadb || command -v mysql)
MYSQL_PWD=$DB_ROOT_PASSWORD exec "$client" --host="$DB_HOST" --port="${DB_PORT:-3306}" --user="${DB_ROOT_USERNAME:-root}" "$@" \
    --default-character-set=utf8mb4 --batch
