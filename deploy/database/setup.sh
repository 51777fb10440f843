#!/bin/sh
# Create a schema and a user for every service, without access to the schemas of others. Safe to repeat: passwords are
# set to those of the environment, so this also changes them. Needs the database's command-line client.
set -eu

client=$(command -v mariadb || command -v mysql)

. "$(dirname "$0")/tls.sh"

# Quote a value for SQL: in MySQL and MariaDB a backslash is an escape.
quoted() {
    printf "'%s'" "$(printf '%s' "$1" | sed "s/\\\\/\\\\\\\\/g; s/'/\\\\'/g")"
}

# shellcheck disable=SC2154 # eval sets user and password
for service in auth social rooms media; do
    prefix=$(printf '%s' "$service" | tr '[:lower:]' '[:upper:]')
    eval "user=\$${prefix}_DB_USERNAME password=\$${prefix}_DB_PASSWORD"
    account="$(quoted "$user")@'%'"
    schema="\`${DB_NAME}_$service\`"
    # an underscore in a grant matches any character
    granted="\`$(printf '%s' "${DB_NAME}_$service" | sed 's/_/\\_/g')\`"
    cat <<SQL
CREATE DATABASE IF NOT EXISTS $schema CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS $account IDENTIFIED BY $(quoted "$password");
ALTER USER $account IDENTIFIED BY $(quoted "$password");
GRANT ALL PRIVILEGES ON $granted.* TO $account;
SQL
done | MYSQL_PWD=$DB_ROOT_PASSWORD "$client" --host="$DB_HOST" --port="${DB_PORT:-3306}" --user="${DB_ROOT_USERNAME:-root}" "$@"
echo "schemas and users of auth, social, rooms and media exist"
