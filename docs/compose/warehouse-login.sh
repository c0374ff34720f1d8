#!/bin/bash
# Makes the warehouse's database and walbridge's login where they are not there yet.
set -euo pipefail
SQLCMDPASSWORD=$(cat /run/secrets/sa)
password=$(cat /run/secrets/warehouse_walbridge)
export SQLCMDPASSWORD password
/opt/mssql-tools18/bin/sqlcmd -C -S warehouse -U sa -b <<'SQL'
IF DB_ID('warehouse') IS NULL CREATE DATABASE warehouse;
GO
ALTER DATABASE warehouse SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE;
IF SUSER_ID('walbridge') IS NULL CREATE LOGIN walbridge WITH PASSWORD = '$(password)';
GO
USE warehouse;
IF USER_ID('walbridge') IS NULL CREATE USER walbridge FOR LOGIN walbridge;
ALTER ROLE db_owner ADD MEMBER walbridge;
GO
SQL
