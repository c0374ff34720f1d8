-- The CRM that the sandbox watches. Between them its tables have every common column type and what makes change data capture
-- hard: foreign keys that cascade, a self reference, a composite key, REPLICA IDENTITY FULL, a second unique key whose values
-- swap, and text beyond 8 kB that PostgreSQL moves to TOAST.
CREATE TYPE lead_status AS ENUM ('new', 'contacted', 'qualified', 'converted', 'lost');
CREATE TYPE opportunity_stage AS ENUM ('prospecting', 'proposal', 'negotiation', 'won', 'lost');

CREATE TABLE accounts (
  id             bigint PRIMARY KEY,
  parent_id      bigint REFERENCES accounts ON UPDATE CASCADE ON DELETE SET NULL,
  external_id    uuid NOT NULL,
  name           text NOT NULL,
  industry       varchar(40),
  annual_revenue numeric(18,2),
  -- Kept by traffic.ts, in the transaction of the change: see its invariant.
  contact_count  integer NOT NULL DEFAULT 0,
  open_amount    numeric(20,4) NOT NULL DEFAULT 0,
  attributes     jsonb NOT NULL DEFAULT '{}',
  created_at     timestamptz NOT NULL DEFAULT now(),
  updated_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON accounts (parent_id);

CREATE TABLE contacts (
  id          bigint PRIMARY KEY,
  account_id  bigint NOT NULL REFERENCES accounts ON UPDATE CASCADE,
  -- Checked at the end of a statement, so that one UPDATE can swap two rows' addresses.
  email       varchar(254) NOT NULL UNIQUE DEFERRABLE,
  first_name  text,
  last_name   text NOT NULL,
  phone       varchar(40),
  birth_date  date,
  is_opted_in boolean NOT NULL DEFAULT false,
  tags        text[] NOT NULL DEFAULT '{}',
  photo       bytea,
  notes       text,
  created_at  timestamptz NOT NULL DEFAULT now(),
  updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON contacts (account_id);

CREATE TABLE leads (
  id          uuid PRIMARY KEY,
  company     text NOT NULL,
  email       varchar(254),
  status      lead_status NOT NULL DEFAULT 'new',
  score       double precision,
  priority    smallint,
  payload     jsonb,
  notes       text,
  contact_id  bigint REFERENCES contacts ON UPDATE CASCADE ON DELETE SET NULL,
  -- Local time of the web form: no zone.
  received_at timestamp NOT NULL DEFAULT localtimestamp,
  updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON leads (contact_id);
ALTER TABLE leads REPLICA IDENTITY FULL;

CREATE TABLE opportunities (
  id          bigint PRIMARY KEY,
  account_id  bigint NOT NULL REFERENCES accounts ON UPDATE CASCADE,
  name        text NOT NULL,
  stage       opportunity_stage NOT NULL DEFAULT 'prospecting',
  amount      numeric(18,4) NOT NULL DEFAULT 0,
  probability real,
  close_date  date,
  created_at  timestamptz NOT NULL DEFAULT now(),
  updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON opportunities (account_id);

CREATE TABLE opportunity_contacts (
  opportunity_id bigint NOT NULL REFERENCES opportunities ON UPDATE CASCADE ON DELETE CASCADE,
  contact_id     bigint NOT NULL REFERENCES contacts ON UPDATE CASCADE ON DELETE CASCADE,
  role           varchar(40) NOT NULL,
  weight         numeric(5,4) NOT NULL DEFAULT 1,
  PRIMARY KEY (opportunity_id, contact_id)
);
CREATE INDEX ON opportunity_contacts (contact_id);

CREATE TABLE activities (
  id             bigint PRIMARY KEY,
  contact_id     bigint REFERENCES contacts ON UPDATE CASCADE ON DELETE SET NULL,
  opportunity_id bigint REFERENCES opportunities ON UPDATE CASCADE ON DELETE SET NULL,
  kind           varchar(20) NOT NULL,
  subject        varchar(200) NOT NULL,
  body           text,
  attachment     bytea,
  is_done        boolean NOT NULL DEFAULT false,
  starts_at      time,
  occurred_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON activities (contact_id);
CREATE INDEX ON activities (opportunity_id);
