// Tables in the shapes that CRMs on PostgreSQL have: a schema a workspace with mixed-case names, ORM conventions, names with
// blanks and dots, reserved words, names that meet when case or signs are taken away, keys of every kind, links between tables
// of every kind. Each with changes to stream.

export const ddl = `
  CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE EXTENSION hstore;
  CREATE SCHEMA workspace_7fq; CREATE SCHEMA "tenant.eu-1";

  -- A schema a workspace, names as the application spells them, enums as its users word them.
  CREATE TYPE workspace_7fq."deal_stage_enum" AS ENUM ('NEW', 'MEETING', 'WON');
  CREATE TYPE workspace_7fq."person_tag_enum" AS ENUM ('Hot lead', 'do-not-call', '2nd', '', 'ß,"x"');
  CREATE TABLE workspace_7fq.company (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), "name" text, "domainNameUrl" text,
    "annualRevenueMicros" numeric, position float8 DEFAULT 0, "createdAt" timestamptz NOT NULL DEFAULT now(), "deletedAt" timestamptz,
    "searchVector" tsvector GENERATED ALWAYS AS (to_tsvector('simple', coalesce("name", ''))) STORED);
  CREATE TABLE workspace_7fq.person (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), "companyId" uuid REFERENCES workspace_7fq.company ON DELETE SET NULL,
    tags workspace_7fq."person_tag_enum"[], source workspace_7fq."person_tag_enum", emails jsonb, "order" int, "user" text,
    "group" text, "key" text, "end" text, "select" text, "table" text, "from" text);
  CREATE TABLE workspace_7fq.deal (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), stage workspace_7fq."deal_stage_enum" NOT NULL DEFAULT 'NEW',
    "pointOfContactId" uuid REFERENCES workspace_7fq.person);
  CREATE TABLE "tenant.eu-1".person (id uuid PRIMARY KEY, "nickName" varchar(30));

  -- Names.
  CREATE TABLE "Lead" (id int PRIMARY KEY, "Key" text);
  CREATE TABLE lead (id int PRIMARY KEY, "key" text);
  CREATE TABLE "tab Sales Order" (name varchar(140) PRIMARY KEY, docstatus smallint NOT NULL, "_user_tags" text, "parent]" text, "it's" text,
    "a""b" text, "100%" numeric(21,9));
  CREATE TABLE "quotes.v2" (id int PRIMARY KEY, "net.total" numeric(12,2));
  CREATE TABLE "group" ("order" int PRIMARY KEY, "where" text);
  CREATE TABLE same_names (id int PRIMARY KEY, "ownerId" text, ownerid text, "owner id" text, owner_id text, "owner-id" text,
    _commit_lsn text, _commit_time timestamptz, "constructor" text, "__proto__" text, "1st" text, "名前" text, "yes" bool);
  CREATE TABLE "Kunden Ü" (id int PRIMARY KEY, "straße" text);

  -- ORMs: a key of unbounded text, links without a key of their own, timestamps of no and six digits, trees and circles.
  CREATE TABLE app_settings (key varchar NOT NULL PRIMARY KEY, value varchar, created_at timestamp(6) NOT NULL, seen_at timestamp(0));
  CREATE TABLE partner (id serial PRIMARY KEY, name varchar, parent_id int REFERENCES partner, credit_limit numeric, latitude float8, barcode jsonb);
  CREATE TABLE partner_category_rel (category_id int NOT NULL, partner_id int NOT NULL REFERENCES partner, UNIQUE (category_id, partner_id));
  ALTER TABLE partner_category_rel REPLICA IDENTITY USING INDEX partner_category_rel_category_id_partner_id_key;
  CREATE TABLE teams (id int PRIMARY KEY, lead_id int);
  CREATE TABLE members (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, team_id int REFERENCES teams DEFERRABLE INITIALLY DEFERRED);
  ALTER TABLE teams ADD FOREIGN KEY (lead_id) REFERENCES members DEFERRABLE INITIALLY DEFERRED;
  CREATE TABLE touches (id bigint, at timestamptz NOT NULL, kind text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
  CREATE TABLE touches_2024 PARTITION OF touches FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
  CREATE TABLE touches_rest PARTITION OF touches DEFAULT;
  CREATE TABLE usage (code text NOT NULL, day date NOT NULL, n numeric(40,15), UNIQUE (code, day)) PARTITION BY LIST (code);
  CREATE TABLE usage_rest PARTITION OF usage DEFAULT;
  ALTER TABLE usage REPLICA IDENTITY FULL; ALTER TABLE usage_rest REPLICA IDENTITY FULL;
  CREATE TABLE document (id int PRIMARY KEY, title text);
  CREATE TABLE invoice (total numeric(12,2), PRIMARY KEY (id)) INHERITS (document);

  -- Keys.
  CREATE DOMAIN email AS citext CHECK (value ~ '@');
  CREATE TABLE k_text (k text PRIMARY KEY, v int);
  CREATE TABLE k_email (k email PRIMARY KEY, v int);
  CREATE TABLE k_enum (k workspace_7fq."deal_stage_enum" PRIMARY KEY, v int);
  CREATE TABLE k_numeric (k numeric PRIMARY KEY, v int);
  CREATE TABLE k_bytes (k bytea PRIMARY KEY, v int);
  CREATE TABLE k_interval (k interval PRIMARY KEY, v int);
  CREATE TABLE k_path (k ltree PRIMARY KEY, v int);
  CREATE TABLE k_many (a text, b varchar(50), c uuid, d timestamptz, e numeric(30,4), f workspace_7fq."deal_stage_enum", g date, v int,
    PRIMARY KEY (g, a, b, c, d, e, f));
  CREATE TABLE k_last (v int, z int, y int, PRIMARY KEY (z, y));

  -- What is refused or left out.
  CREATE VIEW partner_names AS SELECT name FROM partner;
  CREATE MATERIALIZED VIEW partner_count AS SELECT count(*) FROM partner;
  CREATE UNLOGGED TABLE sessions (id int PRIMARY KEY);
  CREATE TABLE no_columns ();

  COMMENT ON TABLE partner IS E'Partners: "all", {of: [them]} # and\\r\\n- more\\u2028key: value';
  COMMENT ON COLUMN partner.name IS E'two\\nlines';`;

/** Patterns of tables as the command line takes them. */
export const wanted = ['workspace_7fq.*', '"tenant.eu-1".*', 'public.*'];

export const changes = `
  INSERT INTO workspace_7fq.company (id, "name", "annualRevenueMicros")
    VALUES ('0a000000-0000-0000-0000-000000000001', 'Acme', 12345678901234567.25), ('0a000000-0000-0000-0000-000000000002', '', NULL);
  INSERT INTO workspace_7fq.person (id, "companyId", tags, source, emails, "order", "user", "from")
    VALUES ('0b000000-0000-0000-0000-000000000001', '0a000000-0000-0000-0000-000000000001', '{"Hot lead","",NULL,2nd}', 'ß,"x"', '{"a": [1.50]}', 1, 'u', 'f'),
      ('0b000000-0000-0000-0000-000000000002', '0a000000-0000-0000-0000-000000000002', '{}', '', NULL, NULL, NULL, NULL);
  INSERT INTO workspace_7fq.deal (stage, "pointOfContactId") VALUES ('MEETING', '0b000000-0000-0000-0000-000000000001');
  DELETE FROM workspace_7fq.company WHERE "name" = '';
  INSERT INTO "tenant.eu-1".person VALUES ('0c000000-0000-0000-0000-000000000001', 'Zoë 😀');
  INSERT INTO "Lead" VALUES (1, 'upper'); INSERT INTO lead VALUES (1, 'lower'), (2, 'two'); DELETE FROM lead WHERE id = 2;
  INSERT INTO "tab Sales Order" VALUES ('SO-1', 0, ',x', 'p', 'i', 'q', 99.5), ('so-1', 1, NULL, NULL, NULL, NULL, NULL);
  UPDATE "tab Sales Order" SET name = 'SO-2' WHERE name = 'SO-1';
  INSERT INTO "quotes.v2" VALUES (1, 10.50); INSERT INTO "group" VALUES (1, 'w'); INSERT INTO "Kunden Ü" VALUES (1, 'Hauptstraße');
  INSERT INTO same_names VALUES (1, 'a', 'b', 'c', 'd', 'e', 'f', '2024-02-29 12:00:00.000001+00', 'g', 'h', 'i', 'j', true);
  INSERT INTO app_settings VALUES ('environment', 'production', '2024-01-01 00:00:00.123456', '2024-01-01 00:00:00'), ('Environment', '', now(), NULL);
  INSERT INTO partner (id, name, parent_id, credit_limit, latitude, barcode) VALUES (1, 'p', NULL, 0.1, 52.5, '"x"'), (2, 'c', 1, NULL, NULL, NULL), (3, 's', 3, 1e27, -0.5, 'null');
  UPDATE partner SET parent_id = 2 WHERE id = 1;
  INSERT INTO partner_category_rel VALUES (1, 1), (1, 2), (2, 1); UPDATE partner_category_rel SET category_id = 9 WHERE partner_id = 2;
  DELETE FROM partner_category_rel WHERE category_id = 2;
  BEGIN; INSERT INTO teams VALUES (1, 1); INSERT INTO members (team_id) VALUES (1); COMMIT;
  INSERT INTO touches VALUES (1, '2024-05-05', 'mail'), (2, '2030-01-01', 'call'); UPDATE touches SET at = '2031-01-01' WHERE id = 1;
  INSERT INTO usage VALUES ('a', '2024-01-01', 1), ('b', '2024-01-01', 2); UPDATE usage SET code = 'c', n = 3.5 WHERE n = 1; DELETE FROM usage WHERE n = 2;
  INSERT INTO document VALUES (1, 'd'); INSERT INTO invoice VALUES (2, 'i', 5.5); UPDATE document SET title = 'new';
  INSERT INTO k_text VALUES ('a', 1), ('A', 2), ('ä', 3); UPDATE k_text SET k = 'b' WHERE k = 'a';
  INSERT INTO k_email VALUES ('A@b', 1); UPDATE k_email SET k = 'a@B';
  INSERT INTO k_enum VALUES ('NEW', 1), ('WON', 2); DELETE FROM k_enum WHERE k = 'NEW';
  INSERT INTO k_numeric VALUES (1.50, 1), (2, 2); UPDATE k_numeric SET k = 1.5000, v = 3 WHERE k = 1.5; DELETE FROM k_numeric WHERE k = 2.0;
  INSERT INTO k_bytes VALUES ('\\x00', 1), ('\\x0000', 2), ('\\x', 3); DELETE FROM k_bytes WHERE k = '\\x';
  INSERT INTO k_interval VALUES ('1 mon', 1), ('31 days', 2); UPDATE k_interval SET v = 5 WHERE v = 1;
  INSERT INTO k_path VALUES ('top.sales', 1);
  INSERT INTO k_many VALUES ('a', 'b', gen_random_uuid(), now(), 1.5, 'NEW', '2024-01-01', 1); UPDATE k_many SET v = 2; UPDATE k_many SET f = 'WON';
  INSERT INTO k_last VALUES (1, 2, 3); UPDATE k_last SET z = 4;
  INSERT INTO sessions VALUES (1);`;
