#!/bin/bash
# Runs once, when the database is made: the role that `walbridge run` logs in with (docs/operations.md).
set -euo pipefail
psql -v ON_ERROR_STOP=1 -v password="$(cat /run/secrets/crm_walbridge)" -U postgres -d crm <<'SQL'
CREATE ROLE walbridge LOGIN REPLICATION PASSWORD :'password';
GRANT USAGE ON SCHEMA public TO walbridge;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO walbridge;
SQL
