#!/bin/sh
# Write the four schemas at one point in time to standard output, as SQL. The services can keep running.
set -eu

. "$(dirname "$0")/tls.sh"
case $(command -v mariadb-dump || command -v mysqldump) in
*mariadb-dump) dump=mariadb-dump ;;
*) dump=mysqldump && set -- --set-gtid-purged=OFF "$@" ;;
esac
MYSQL_PWD=$DB_ROOT_PASSWORD exec "$dump" --host="$DB_HOST" --port="${DB_PORT:-3306}" --user="${DB_ROOT_USERNAME:-root}" "$@" \
    --single-transaction --quick --hex-blob --no-tablespaces --default-character-set=utf8mb4 --add-drop-database \
    --databases "${DB_NAME}_auth" "${DB_NAME}_social" "${DB_NAME}_rooms" "${DB_NAME}_media"
