// SQL functions on dates that every sandbox database carries: datetimeoffset as a type, reading, printing, parts and sums.
// (Formats: https://learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql#date-and-time-styles)
export const DATES = String.raw`
-- datetimeoffset: the instant decides every comparison, the offset only how it is shown.
CREATE TYPE _sandbox.dto AS (instant timestamp, minutes smallint);
CREATE FUNCTION _sandbox.dto_eq(a _sandbox.dto, b _sandbox.dto) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT (a).instant = (b).instant';
CREATE FUNCTION _sandbox.dto_ne(a _sandbox.dto, b _sandbox.dto) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT (a).instant <> (b).instant';
CREATE FUNCTION _sandbox.dto_lt(a _sandbox.dto, b _sandbox.dto) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT (a).instant < (b).instant';
CREATE FUNCTION _sandbox.dto_le(a _sandbox.dto, b _sandbox.dto) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT (a).instant <= (b).instant';
CREATE FUNCTION _sandbox.dto_gt(a _sandbox.dto, b _sandbox.dto) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT (a).instant > (b).instant';
CREATE FUNCTION _sandbox.dto_ge(a _sandbox.dto, b _sandbox.dto) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT (a).instant >= (b).instant';
CREATE FUNCTION _sandbox.dto_cmp(a _sandbox.dto, b _sandbox.dto) RETURNS int LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT timestamp_cmp((a).instant, (b).instant)';
CREATE OPERATOR = (LEFTARG = _sandbox.dto, RIGHTARG = _sandbox.dto, FUNCTION = _sandbox.dto_eq, COMMUTATOR = =, NEGATOR = <>, MERGES);
CREATE OPERATOR <> (LEFTARG = _sandbox.dto, RIGHTARG = _sandbox.dto, FUNCTION = _sandbox.dto_ne, COMMUTATOR = <>, NEGATOR = =);
CREATE OPERATOR < (LEFTARG = _sandbox.dto, RIGHTARG = _sandbox.dto, FUNCTION = _sandbox.dto_lt, COMMUTATOR = >, NEGATOR = >=);
CREATE OPERATOR <= (LEFTARG = _sandbox.dto, RIGHTARG = _sandbox.dto, FUNCTION = _sandbox.dto_le, COMMUTATOR = >=, NEGATOR = >);
CREATE OPERATOR > (LEFTARG = _sandbox.dto, RIGHTARG = _sandbox.dto, FUNCTION = _sandbox.dto_gt, COMMUTATOR = <, NEGATOR = <=);
CREATE OPERATOR >= (LEFTARG = _sandbox.dto, RIGHTARG = _sandbox.dto, FUNCTION = _sandbox.dto_ge, COMMUTATOR = <=, NEGATOR = <);
CREATE OPERATOR CLASS _sandbox.dto_ops DEFAULT FOR TYPE _sandbox.dto USING btree AS
 OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 _sandbox.dto_cmp(_sandbox.dto, _sandbox.dto);
CREATE FUNCTION _sandbox.dto_smaller(a _sandbox.dto, b _sandbox.dto) RETURNS _sandbox.dto LANGUAGE sql IMMUTABLE STRICT AS 'SELECT CASE WHEN (a).instant <= (b).instant THEN a ELSE b END';
CREATE FUNCTION _sandbox.dto_larger(a _sandbox.dto, b _sandbox.dto) RETURNS _sandbox.dto LANGUAGE sql IMMUTABLE STRICT AS 'SELECT CASE WHEN (a).instant >= (b).instant THEN a ELSE b END';
CREATE AGGREGATE _sandbox.min(_sandbox.dto) (SFUNC = _sandbox.dto_smaller, STYPE = _sandbox.dto);
CREATE AGGREGATE _sandbox.max(_sandbox.dto) (SFUNC = _sandbox.dto_larger, STYPE = _sandbox.dto);

-- From a local time and its offset in minutes.
CREATE FUNCTION _sandbox.moment(local timestamp, minutes int) RETURNS _sandbox.dto LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
 $$ SELECT CASE WHEN local IS NOT NULL AND minutes IS NOT NULL THEN ROW(local - minutes * interval '1 minute', minutes)::_sandbox.dto END $$;
CREATE FUNCTION _sandbox.local(v _sandbox.dto) RETURNS timestamp LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT (v).instant + (v).minutes * interval '1 minute' $$;
CREATE FUNCTION _sandbox.switch_offset(v _sandbox.dto, minutes int) RETURNS _sandbox.dto LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT ROW((v).instant, minutes)::_sandbox.dto $$;
CREATE FUNCTION _sandbox.round_to(v timestamp, scale int) RETURNS timestamp LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
SELECT CASE scale WHEN 0 THEN v::timestamp(0) WHEN 1 THEN v::timestamp(1) WHEN 2 THEN v::timestamp(2) WHEN 3 THEN v::timestamp(3) WHEN 4 THEN v::timestamp(4) WHEN 5 THEN v::timestamp(5) ELSE v END $$;
CREATE FUNCTION _sandbox.round_moment(v _sandbox.dto, scale int) RETURNS _sandbox.dto LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT ROW(_sandbox.round_to((v).instant, scale), (v).minutes)::_sandbox.dto $$;
CREATE FUNCTION _sandbox.offset_minutes(v bpchar) RETURNS int LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE m text[] := regexp_match(v::text COLLATE "C", '^([-+])(\d{2}):?(\d{2})$'); BEGIN
 IF m IS NULL OR m[2]::int * 60 + m[3]::int > 840 THEN PERFORM _sandbox.fail(9812, 0, 16, 'The timezone provided to builtin function is invalid.'); END IF;
 RETURN (m[1] || '1')::int * (m[2]::int * 60 + m[3]::int); END $$;
-- datetime counts 1/300 seconds.
CREATE FUNCTION _sandbox.to_datetime(v timestamp) RETURNS timestamp LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE ticks numeric := round(extract(second FROM v) * 300); BEGIN
 IF v < '1753-01-01' OR v > '9999-12-31 23:59:59.998' THEN PERFORM _sandbox.fail(242, 3, 16, 'The conversion of a varchar data type to a datetime data type resulted in an out-of-range value.'); END IF;
 RETURN date_trunc('minute', v) + round(ticks / 300, 3)::float8 * interval '1 second'; END $$;

CREATE FUNCTION _sandbox.bad_date(v text, target text, in_range boolean, attempt boolean) RETURNS void LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
 IF attempt THEN RETURN; END IF;
 IF target IN ('datetime', 'smalldatetime') AND in_range THEN
  PERFORM _sandbox.fail(242, 3, 16, 'The conversion of a varchar data type to a ' || target || ' data type resulted in an out-of-range value.');
 ELSIF target = 'smalldatetime' THEN PERFORM _sandbox.fail(295, 3, 16, 'Conversion failed when converting character string to smalldatetime data type.');
 END IF;
 PERFORM _sandbox.fail(241, 1, 16, 'Conversion failed when converting date and/or time from character string.'); END $$;
CREATE FUNCTION _sandbox.to_moment(v bpchar, target text, style int, scale int, attempt boolean) RETURNS _sandbox.dto LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE t text COLLATE "C" := btrim(_sandbox.t(v)); m text[] COLLATE "C"; y text COLLATE "C"; d text COLLATE "C"; zone int := 0; at timestamp; BEGIN
 IF t = '' THEN RETURN _sandbox.moment('1900-01-01', 0); END IF;
 m := regexp_match(t, '^(?:(\d{4})-(\d{1,2})-(\d{1,2})|(\d{4})(\d{2})(\d{2}))?(?:(?:^|[T ]+)(\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,7})?)?(?: ?[AaPp][Mm])?))?\s*(Z|[-+]\d{2}:\d{2})?$');
 IF m IS NOT NULL THEN
  y := coalesce(m[1], m[4]);
  d := CASE WHEN y IS NULL THEN '1900-01-01' ELSE y || '-' || coalesce(m[2], m[5]) || '-' || coalesce(m[3], m[6]) END || ' ' || coalesce(m[7], '00:00');
  IF m[8] IS NOT NULL AND m[8] <> 'Z' THEN zone := _sandbox.offset_minutes(m[8]::bpchar); END IF;
 ELSE
  m := regexp_match(t, '^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?: +(\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,7})?)?(?: ?[AaPp][Mm])?))?$');
  IF m IS NOT NULL THEN
   d := m[3] || '-' || CASE WHEN style IN (103, 104, 105) THEN m[2] || '-' || m[1] ELSE m[1] || '-' || m[2] END || ' ' || coalesce(m[4], '00:00');
  ELSE
   m := regexp_match(t, '^([A-Za-z]{3})[a-z]* +(\d{1,2}),? +(\d{4})(?: +(\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,7})?)?(?: ?[AaPp][Mm])?))?$');
   IF m IS NULL THEN PERFORM _sandbox.bad_date(t, target, false, attempt); RETURN NULL; END IF;
   d := m[2] || ' ' || m[1] || ' ' || m[3] || ' ' || coalesce(m[4], '00:00');
  END IF;
 END IF;
 IF NOT pg_input_is_valid(d, 'timestamp') OR d ~ '(^0000| 24:)' THEN PERFORM _sandbox.bad_date(t, target, true, attempt); RETURN NULL; END IF;
 -- Half a microsecond is rounded up; PostgreSQL alone would round it to even.
 at := _sandbox.round_to(regexp_replace(d, '(\.\d{7})', '\11')::timestamp, scale);
 IF at >= '10000-01-01' OR (target = 'datetime' AND at < '1753-01-01') THEN PERFORM _sandbox.bad_date(t, target, true, attempt); RETURN NULL; END IF;
 RETURN _sandbox.moment(at, zone); END $$;

CREATE FUNCTION _sandbox.fraction(v timestamp, scale int, optional boolean) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
SELECT CASE WHEN scale = 0 OR (optional AND to_char(v, 'US') = '000000') THEN '' ELSE '.' || left(to_char(v, 'US') || '0', scale) END $$;
CREATE FUNCTION _sandbox.offset_text(minutes int) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
SELECT CASE WHEN minutes < 0 THEN '-' ELSE '+' END || lpad((abs(minutes) / 60)::text, 2, '0') || ':' || lpad((abs(minutes) % 60)::text, 2, '0') $$;
CREATE FUNCTION _sandbox.date_text(v _sandbox.dto, type text, scale int, style int) RETURNS bpchar LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE l timestamp := CASE WHEN style = 127 THEN (v).instant ELSE _sandbox.local(v) END; digits int := CASE WHEN type = 'datetime' THEN 3 ELSE scale END;
 code int := CASE WHEN style <> 0 THEN style WHEN type IN ('datetime', 'smalldatetime') THEN 0 ELSE 121 END;
 zone text := CASE WHEN type = 'datetimeoffset' THEN ' ' || _sandbox.offset_text((v).minutes) ELSE '' END; day text; clock text; BEGIN
 IF code IN (126, 127) THEN
  clock := to_char(l, 'HH24:MI:SS') || _sandbox.fraction(l, digits, true);
  zone := CASE WHEN type <> 'datetimeoffset' THEN '' WHEN code = 127 THEN 'Z' ELSE _sandbox.offset_text((v).minutes) END;
  RETURN CASE type WHEN 'date' THEN to_char(l, 'YYYY-MM-DD') WHEN 'time' THEN clock ELSE to_char(l, 'YYYY-MM-DD"T"') || clock || zone END;
 END IF;
 day := CASE code WHEN 0 THEN to_char(l, 'Mon ') || lpad(to_char(l, 'FMDD'), 2) || to_char(l, ' YYYY') WHEN 100 THEN to_char(l, 'Mon ') || lpad(to_char(l, 'FMDD'), 2) || to_char(l, ' YYYY')
  WHEN 101 THEN to_char(l, 'MM/DD/YYYY') WHEN 102 THEN to_char(l, 'YYYY.MM.DD') WHEN 103 THEN to_char(l, 'DD/MM/YYYY') WHEN 104 THEN to_char(l, 'DD.MM.YYYY')
  WHEN 105 THEN to_char(l, 'DD-MM-YYYY') WHEN 110 THEN to_char(l, 'MM-DD-YYYY') WHEN 111 THEN to_char(l, 'YYYY/MM/DD') WHEN 112 THEN to_char(l, 'YYYYMMDD')
  WHEN 20 THEN to_char(l, 'YYYY-MM-DD') WHEN 23 THEN to_char(l, 'YYYY-MM-DD') WHEN 120 THEN to_char(l, 'YYYY-MM-DD') WHEN 21 THEN to_char(l, 'YYYY-MM-DD') WHEN 25 THEN to_char(l, 'YYYY-MM-DD') WHEN 121 THEN to_char(l, 'YYYY-MM-DD') WHEN 108 THEN '' WHEN 114 THEN '' END;
 IF day IS NULL THEN PERFORM _sandbox.fail(281, 1, 16, code || ' is not a valid style number when converting from ' || type || ' to a character string.'); END IF;
 IF type = 'date' OR code IN (23, 101, 102, 103, 104, 105, 110, 111, 112) THEN RETURN day; END IF;
 clock := CASE WHEN code IN (0, 100) THEN lpad(to_char(l, 'FMHH12:MIAM'), 7) WHEN code IN (20, 120, 108) THEN to_char(l, 'HH24:MI:SS') ELSE to_char(l, 'HH24:MI:SS') || _sandbox.fraction(l, digits, false) END;
 RETURN CASE WHEN type = 'time' OR day = '' THEN clock ELSE day || ' ' || clock || zone END; END $$;

CREATE FUNCTION _sandbox.date_part(unit text, v timestamp, minutes int) RETURNS int LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
SELECT (CASE unit WHEN 'year' THEN extract(year FROM v) WHEN 'quarter' THEN extract(quarter FROM v) WHEN 'month' THEN extract(month FROM v) WHEN 'dayofyear' THEN extract(doy FROM v)
 WHEN 'day' THEN extract(day FROM v) WHEN 'week' THEN (extract(doy FROM v)::int - 1 + extract(dow FROM date_trunc('year', v))::int) / 7 + 1 WHEN 'weekday' THEN extract(dow FROM v) + 1
 WHEN 'hour' THEN extract(hour FROM v) WHEN 'minute' THEN extract(minute FROM v) WHEN 'second' THEN floor(extract(second FROM v)) WHEN 'millisecond' THEN floor(extract(milliseconds FROM v))::int % 1000
 WHEN 'microsecond' THEN extract(microseconds FROM v)::int % 1000000 WHEN 'nanosecond' THEN (extract(microseconds FROM v)::int % 1000000) * 1000 WHEN 'isoweek' THEN extract(week FROM v) WHEN 'tzoffset' THEN minutes END)::int $$;
CREATE FUNCTION _sandbox.date_name(unit text, v timestamp, minutes int) RETURNS bpchar LANGUAGE sql IMMUTABLE STRICT AS $$
SELECT (CASE unit WHEN 'month' THEN to_char(v, 'FMMonth') WHEN 'weekday' THEN to_char(v, 'FMDay') WHEN 'tzoffset' THEN _sandbox.offset_text(minutes) ELSE _sandbox.date_part(unit, v, minutes)::text END)::bpchar $$;
-- Counts the boundaries crossed, as DATEDIFF does.
CREATE FUNCTION _sandbox.date_diff(unit text, a timestamp, b timestamp) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
SELECT (CASE unit WHEN 'year' THEN extract(year FROM b) - extract(year FROM a)
 WHEN 'quarter' THEN (extract(year FROM b) - extract(year FROM a)) * 4 + extract(quarter FROM b) - extract(quarter FROM a)
 WHEN 'month' THEN (extract(year FROM b) - extract(year FROM a)) * 12 + extract(month FROM b) - extract(month FROM a)
 WHEN 'week' THEN ((b::date - extract(dow FROM b)::int) - (a::date - extract(dow FROM a)::int)) / 7
 WHEN 'day' THEN b::date - a::date WHEN 'dayofyear' THEN b::date - a::date
 WHEN 'hour' THEN extract(epoch FROM date_trunc('hour', b) - date_trunc('hour', a)) / 3600 WHEN 'minute' THEN extract(epoch FROM date_trunc('minute', b) - date_trunc('minute', a)) / 60
 WHEN 'second' THEN extract(epoch FROM date_trunc('second', b) - date_trunc('second', a)) WHEN 'millisecond' THEN extract(epoch FROM date_trunc('milliseconds', b) - date_trunc('milliseconds', a)) * 1000
 WHEN 'microsecond' THEN extract(epoch FROM b - a) * 1000000 WHEN 'nanosecond' THEN extract(epoch FROM b - a) * 1000000000 END)::bigint $$;
CREATE FUNCTION _sandbox.date_add(unit text, n bigint, v timestamp, type text) RETURNS timestamp LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE r timestamp; BEGIN
 r := v + CASE unit WHEN 'year' THEN n * interval '1 year' WHEN 'quarter' THEN n * interval '3 months' WHEN 'month' THEN n * interval '1 month' WHEN 'week' THEN n * interval '7 days'
  WHEN 'hour' THEN n * interval '1 hour' WHEN 'minute' THEN n * interval '1 minute' WHEN 'second' THEN n * interval '1 second' WHEN 'millisecond' THEN n * interval '1 millisecond'
  WHEN 'microsecond' THEN n * interval '1 microsecond' WHEN 'nanosecond' THEN n / 1000.0 * interval '1 microsecond' ELSE n * interval '1 day' END;
 IF type <> 'time' AND (r < '0001-01-01' OR r >= '10000-01-01' OR (type = 'datetime' AND r < '1753-01-01')) THEN PERFORM _sandbox.fail(517, 1, 16, 'Adding a value to a ''' || type || ''' column caused an overflow.'); END IF;
 RETURN r; END $$;
`;
