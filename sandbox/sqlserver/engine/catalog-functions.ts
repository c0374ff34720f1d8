// SQL functions that every sandbox database carries (schema _sandbox): SQL Server's conversions, strings and date arithmetic.
// Those that statements call for each row are SQL, not STRICT, of one CASE: PostgreSQL inlines them, and what is out of the
// ordinary goes to a function of its own, *_slow.
// Errors leave as SQLSTATE MSSQL with `number|state|class|text`, which errors.ts reads.
export const FUNCTIONS = String.raw`
CREATE SCHEMA _sandbox;
CREATE COLLATION _sandbox.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION _sandbox.bin FROM "pg_c_utf8";

-- Text of a bpchar with its trailing blanks, which the cast to text would drop.
CREATE FUNCTION _sandbox.t(bpchar) RETURNS text LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'bpcharsend';
CREATE FUNCTION _sandbox.fail(number int, state int, class int, message text) RETURNS void LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN RAISE EXCEPTION '%', number || '|' || state || '|' || class || '|' || message USING ERRCODE = 'MSSQL'; END $$;
CREATE FUNCTION _sandbox.concat(bpchar, bpchar) RETURNS bpchar LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT (_sandbox.t($1) || _sandbox.t($2))::bpchar';
-- UTF-16 units.
CREATE FUNCTION _sandbox.units_slow(bpchar) RETURNS int LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
SELECT char_length(_sandbox.t($1)) + char_length(regexp_replace(_sandbox.t($1) COLLATE "C", '[^\U00010000-\U0010FFFF]', '', 'g')) $$;
CREATE FUNCTION _sandbox.units(v bpchar) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT CASE WHEN octet_length(v) < char_length(_sandbox.t(v)) + 3 THEN char_length(_sandbox.t(v)) ELSE _sandbox.units_slow(v) END $$;
CREATE FUNCTION _sandbox.len(v bpchar) RETURNS int LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT _sandbox.units(rtrim(_sandbox.t(v), ' ')::bpchar) $$;
-- The first n UTF-16 units.
CREATE FUNCTION _sandbox.cut_slow(v bpchar, n int) RETURNS bpchar LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE t text COLLATE "C" := _sandbox.t(v); m int := n; BEGIN
 t := left(t, n);
 WHILE _sandbox.units(t::bpchar) > n LOOP m := m - 1; t := left(t, m); END LOOP;
 RETURN t::bpchar; END $$;
CREATE FUNCTION _sandbox.cut(v bpchar, n int) RETURNS bpchar LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT CASE WHEN octet_length(v) <= n THEN v ELSE _sandbox.cut_slow(v, n) END $$;
CREATE FUNCTION _sandbox.pad_slow(v bpchar, n int) RETURNS bpchar LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
SELECT (_sandbox.t(_sandbox.cut(v, n)) || repeat(' ', n - _sandbox.units(_sandbox.cut(v, n))))::bpchar $$;
CREATE FUNCTION _sandbox.pad(v bpchar, n int) RETURNS bpchar LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT CASE WHEN octet_length(v) <= n AND octet_length(v) = char_length(_sandbox.t(v)) THEN rpad(_sandbox.t(v), n)::bpchar ELSE _sandbox.pad_slow(v, n) END $$;
CREATE FUNCTION _sandbox.pad_binary(v bytea, n int) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
SELECT substr(v, 1, n) || decode(repeat('00', greatest(0, n - octet_length(v))), 'hex') $$;
CREATE FUNCTION _sandbox.too_long(v text, place text, col text) RETURNS void LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN PERFORM _sandbox.fail(2628, 1, 16, 'String or binary data would be truncated in table ''%database%.' || place || ''', column ''' || col || '''. Truncated value: ''' || v || '''.'); END $$;
-- A value on its way into a column of n units; blanks beyond it are cut, anything else is 2628.
CREATE FUNCTION _sandbox.fit_slow(v bpchar, n int, place text, col text) RETURNS bpchar LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
 IF _sandbox.units(v) <= n THEN RETURN v; END IF;
 IF _sandbox.len(v) > n THEN PERFORM _sandbox.too_long(_sandbox.t(_sandbox.cut(v, n)), place, col); END IF;
 RETURN _sandbox.cut(v, n); END $$;
CREATE FUNCTION _sandbox.fit(v bpchar, n int, place text, col text) RETURNS bpchar LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT CASE WHEN octet_length(v) <= n THEN v ELSE _sandbox.fit_slow(v, n, place, col) END $$;
CREATE FUNCTION _sandbox.fit_binary(v bytea, n int, place text, col text) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN IF octet_length(v) > n THEN PERFORM _sandbox.too_long('', place, col); END IF; RETURN v; END $$;
CREATE FUNCTION _sandbox.fit_number_slow(v bpchar, n int, type text) RETURNS bpchar LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN PERFORM _sandbox.fail(8115, 2, 16, 'Arithmetic overflow error converting expression to data type ' || type || '.'); RETURN NULL; END $$;
CREATE FUNCTION _sandbox.fit_number(v bpchar, n int, type text) RETURNS bpchar LANGUAGE sql IMMUTABLE AS $$
SELECT CASE WHEN octet_length(v) <= n THEN v ELSE _sandbox.fit_number_slow(v, n, type) END $$;
CREATE FUNCTION _sandbox.narrow(v bigint, type text, low int, high int) RETURNS smallint LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN IF v < low OR v > high THEN PERFORM _sandbox.fail(220, 1, 16, 'Arithmetic overflow error for data type ' || type || ', value = ' || v || '.'); END IF; RETURN v; END $$;
CREATE FUNCTION _sandbox.tiny(v bigint) RETURNS smallint LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN IF v < 0 OR v > 255 THEN PERFORM _sandbox.fail(8115, 2, 16, 'Arithmetic overflow error converting expression to data type tinyint.'); END IF; RETURN v; END $$;

-- Code page 1252, the default collation's: what it lacks becomes a question mark.
CREATE FUNCTION _sandbox.cp1252_slow(v bpchar) RETURNS bpchar LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
SELECT regexp_replace(_sandbox.t(v) COLLATE "C", '[^\u0001-\u007f\u00a0-\u00ff\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178]', '?', 'g')::bpchar $$;
CREATE FUNCTION _sandbox.cp1252(v bpchar) RETURNS bpchar LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT CASE WHEN octet_length(v) = char_length(_sandbox.t(v)) THEN v ELSE _sandbox.cp1252_slow(v) END $$;
CREATE FUNCTION _sandbox.cp1252_bytes(v bpchar) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
SELECT convert_to(_sandbox.t(_sandbox.cp1252(v)), 'WIN1252') $$;
CREATE FUNCTION _sandbox.utf16(v bpchar) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE t text COLLATE "C" := _sandbox.t(v); h text; BEGIN
 IF octet_length(t) = char_length(t) THEN RETURN decode(regexp_replace(encode(convert_to(t, 'UTF8'), 'hex'), '(..)', '\100', 'g'), 'hex'); END IF;
 SELECT string_agg(CASE WHEN c < 65536 THEN lpad(to_hex(c & 255), 2, '0') || lpad(to_hex(c >> 8), 2, '0') ELSE
   lpad(to_hex((55296 + ((c - 65536) >> 10)) & 255), 2, '0') || lpad(to_hex((55296 + ((c - 65536) >> 10)) >> 8), 2, '0') ||
   lpad(to_hex((56320 + ((c - 65536) & 1023)) & 255), 2, '0') || lpad(to_hex((56320 + ((c - 65536) & 1023)) >> 8), 2, '0') END, '' ORDER BY ord)
 INTO h FROM (SELECT ascii(ch) AS c, ord FROM unnest(string_to_array(t, NULL)) WITH ORDINALITY AS u(ch, ord)) AS codes;
 RETURN decode(h, 'hex'); END $$;
CREATE FUNCTION _sandbox.from_utf16(v bytea) RETURNS bpchar LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE r text := ''; i int := 0; u int; w int; BEGIN
 WHILE i + 1 < octet_length(v) LOOP
  u := get_byte(v, i) + 256 * get_byte(v, i + 1); i := i + 2;
  IF u BETWEEN 55296 AND 56319 AND i + 1 < octet_length(v) THEN w := get_byte(v, i) + 256 * get_byte(v, i + 1); i := i + 2; u := 65536 + ((u - 55296) << 10) + (w - 56320); END IF;
  r := r || chr(u);
 END LOOP; RETURN r::bpchar; END $$;
CREATE FUNCTION _sandbox.hex_bytes(v bpchar, style int, attempt boolean) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE h text COLLATE "C" := CASE WHEN style = 1 AND _sandbox.t(v) COLLATE "C" ~* '^0x' THEN substr(_sandbox.t(v), 3) WHEN style = 2 THEN _sandbox.t(v) END; BEGIN
 IF h ~ '^([0-9a-fA-F]{2})*$' THEN RETURN decode(h, 'hex'); END IF;
 IF NOT attempt THEN PERFORM _sandbox.fail(8114, 5, 16, 'Error converting data type varchar to varbinary.'); END IF;
 RETURN NULL; END $$;
-- A number's bytes in a binary of n bytes: zeros or a cut on the left.
CREATE FUNCTION _sandbox.right_bytes(v bytea, n int) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
SELECT CASE WHEN octet_length(v) >= n THEN substr(v, octet_length(v) - n + 1) ELSE decode(repeat('00', n - octet_length(v)), 'hex') || v END $$;
-- The last n bytes as a signed integer; fewer have zeros before them.
CREATE FUNCTION _sandbox.bytes_integer(v bytea, n int) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
SELECT (('x' || encode(_sandbox.right_bytes(v, n), 'hex') || repeat('0', 16 - 2 * n))::bit(64)::bigint) >> (64 - 8 * n) $$;
-- The first three groups of a uniqueidentifier are little-endian.
CREATE FUNCTION _sandbox.swap_guid(v bytea) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
SELECT substr(v, 4, 1) || substr(v, 3, 1) || substr(v, 2, 1) || substr(v, 1, 1) || substr(v, 6, 1) || substr(v, 5, 1) || substr(v, 8, 1) || substr(v, 7, 1) || substr(v, 9, 8) $$;
CREATE FUNCTION _sandbox.bytes_guid(v bytea) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
SELECT encode(_sandbox.swap_guid(_sandbox.pad_binary(v, 16)), 'hex')::uuid $$;

CREATE FUNCTION _sandbox.bad_value(v bpchar, source text, target text, attempt boolean) RETURNS void LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN IF NOT attempt THEN PERFORM _sandbox.fail(245, 1, 16, 'Conversion failed when converting the ' || source || ' value ''' || _sandbox.t(v) || ''' to data type ' || target || '.'); END IF; END $$;
CREATE FUNCTION _sandbox.to_integer(v bpchar, target text, source text, attempt boolean) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE t text COLLATE "C" := btrim(_sandbox.t(v)); n numeric; BEGIN
 IF t !~ '^[-+]?[0-9]+$' THEN
  IF t = '' THEN RETURN 0; END IF;
  IF target = 'bigint' AND NOT attempt THEN PERFORM _sandbox.fail(8114, 5, 16, 'Error converting data type ' || source || ' to bigint.'); END IF;
  PERFORM _sandbox.bad_value(v, source, target, attempt); RETURN NULL;
 END IF;
 n := t::numeric;
 IF n BETWEEN (CASE target WHEN 'tinyint' THEN 0 WHEN 'smallint' THEN -32768 WHEN 'int' THEN -2147483648 ELSE -9223372036854775808 END)
   AND (CASE target WHEN 'tinyint' THEN 255 WHEN 'smallint' THEN 32767 WHEN 'int' THEN 2147483647 ELSE 9223372036854775807 END) THEN RETURN n; END IF;
 IF attempt THEN RETURN NULL; END IF;
 IF target = 'bigint' THEN PERFORM _sandbox.fail(8115, 2, 16, 'Arithmetic overflow error converting expression to data type bigint.'); END IF;
 IF target = 'int' THEN PERFORM _sandbox.fail(248, 1, 16, 'The conversion of the ' || source || ' value ''' || t || ''' overflowed an int column.'); END IF;
 PERFORM _sandbox.fail(244, CASE target WHEN 'tinyint' THEN 1 ELSE 2 END, 16, 'The conversion of the ' || source || ' value ''' || t || ''' overflowed an ' || CASE target WHEN 'tinyint' THEN 'INT1' ELSE 'INT2' END || ' column. Use a larger integer column.');
END $$;
CREATE FUNCTION _sandbox.to_bit(v bpchar, source text, attempt boolean) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE t text COLLATE "C" := lower(btrim(_sandbox.t(v))); BEGIN
 IF t = 'true' THEN RETURN true; END IF;
 IF t IN ('false', '') THEN RETURN false; END IF;
 IF t ~ '^[-+]?[0-9]+$' THEN RETURN t::numeric <> 0; END IF;
 PERFORM _sandbox.bad_value(v, source, 'bit', attempt); RETURN NULL; END $$;
CREATE FUNCTION _sandbox.to_decimal(v bpchar, p int, s int, source text, attempt boolean) RETURNS numeric LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE t text COLLATE "C" := btrim(_sandbox.t(v)); n numeric; BEGIN
 IF t ~ '^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)$' THEN
  n := round(t::numeric, s);
  IF abs(n) < ('1e' || (p - s))::numeric THEN RETURN n; END IF;
  IF NOT attempt THEN PERFORM _sandbox.fail(8115, 6, 16, 'Arithmetic overflow error converting ' || source || ' to data type numeric.'); END IF;
  RETURN NULL;
 END IF;
 IF NOT attempt THEN PERFORM _sandbox.fail(8114, 5, 16, 'Error converting data type ' || source || ' to numeric.'); END IF;
 RETURN NULL; END $$;
CREATE FUNCTION _sandbox.to_float(v bpchar, source text, attempt boolean) RETURNS float8 LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE t text COLLATE "C" := btrim(_sandbox.t(v)); BEGIN
 IF t = '' THEN RETURN 0; END IF;
 IF t ~ '^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$' THEN
  IF pg_input_is_valid(t, 'float8') THEN RETURN t::float8; END IF;
  IF NOT attempt THEN PERFORM _sandbox.fail(8115, 2, 16, 'Arithmetic overflow error converting expression to data type float.'); END IF;
  RETURN NULL;
 END IF;
 IF NOT attempt THEN PERFORM _sandbox.fail(8114, 5, 16, 'Error converting data type ' || source || ' to float.'); END IF;
 RETURN NULL; END $$;
CREATE FUNCTION _sandbox.to_uuid(v bpchar, attempt boolean) RETURNS uuid LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE t text COLLATE "C" := btrim(_sandbox.t(v), ' {}'); BEGIN
 t := left(t, 36);
 IF t ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' THEN RETURN t::uuid; END IF;
 IF NOT attempt THEN PERFORM _sandbox.fail(8169, 2, 16, 'Conversion failed when converting from a character string to uniqueidentifier.'); END IF;
 RETURN NULL; END $$;
-- Style 0: at most six digits.
CREATE FUNCTION _sandbox.float_text(v float8) RETURNS bpchar LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE e int; n numeric; BEGIN
 IF v = 0 THEN RETURN '0'; END IF;
 e := floor(log(abs(v)))::int;
 n := round(v::numeric, 5 - e);
 IF e BETWEEN -5 AND 5 THEN RETURN trim_scale(n)::text; END IF;
 RETURN trim_scale(round(n / ('1e' || e)::numeric, 5))::text || 'e' || CASE WHEN e < 0 THEN '-' ELSE '+' END || lpad(abs(e)::text, 3, '0'); END $$;
-- The decimal number that a float is, to its last digit: its casts to numeric and text round.
CREATE FUNCTION _sandbox.float_exact(v float8) RETURNS numeric LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE bits bigint := ('x' || encode(float8send(abs(v)), 'hex'))::bit(64)::bigint; e int := (bits >> 52)::int; m numeric := bits & 4503599627370495; BEGIN
 IF e = 0 THEN e := 1; ELSE m := m + 4503599627370496; END IF;
 IF e >= 1075 THEN m := m * power(2::numeric, e - 1075); ELSE m := m * power(5::numeric, 1075 - e) * ('1e-' || 1075 - e)::numeric; END IF;
 RETURN CASE WHEN v < 0 THEN -m ELSE m END; END $$;
-- Styles 1, 2 and 3: 8, 16 or 17 digits in scientific notation.
CREATE FUNCTION _sandbox.float_digits(v float8, digits int) RETURNS bpchar LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE n numeric := _sandbox.float_exact(v); e int := CASE WHEN v = 0 THEN 0 ELSE floor(log(abs(v)))::int END; BEGIN
 IF v <> 0 AND abs(n) < ('1e' || e)::numeric THEN e := e - 1; END IF;
 n := round(n * ('1e' || -e)::numeric, digits - 1);
 IF abs(n) >= 10 THEN e := e + 1; n := round(n / 10, digits - 1); END IF;
 RETURN n::text || 'e' || CASE WHEN e < 0 THEN '-' ELSE '+' END || lpad(abs(e)::text, 3, '0'); END $$;

CREATE FUNCTION _sandbox."left"(text, int) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT CASE WHEN $2 < 0 THEN substr($1, 1, $2) ELSE pg_catalog.left($1, $2) END $$;
CREATE FUNCTION _sandbox."right"(text, int) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT CASE WHEN $2 < 0 THEN substr($1, 1, $2) ELSE pg_catalog.right($1, $2) END $$;
CREATE FUNCTION _sandbox.stuff(v text, s int, n int, i text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
SELECT CASE WHEN s < 1 OR n < 0 OR s > char_length(v) THEN NULL ELSE pg_catalog.left(v, s - 1) || coalesce(i, '') || substr(v, s + n) END $$;
CREATE FUNCTION _sandbox.charindex(needle text, v text, start int) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS $$
SELECT CASE WHEN start <= 1 THEN strpos(v, needle) ELSE coalesce(nullif(strpos(substr(v, start), needle), 0) + start - 1, 0) END $$;
CREATE FUNCTION _sandbox.pattern(v bpchar) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN IF position('[' IN _sandbox.t(v)) > 0 THEN PERFORM _sandbox.fail(40510, 1, 16, 'sandbox: LIKE with a character class that is not a literal is not supported'); END IF; RETURN _sandbox.t(v); END $$;

CREATE FUNCTION _sandbox.json_checked(v text) RETURNS json LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
 IF v IS JSON THEN RETURN v::json; END IF;
 PERFORM _sandbox.fail(13609, 4, 16, 'JSON text is not properly formatted. Unexpected character ''' || left(btrim(v), 1) || ''' is found at position 0.'); RETURN NULL; END $$;
CREATE FUNCTION _sandbox.json_value(v json, path text[]) RETURNS bpchar LANGUAGE sql IMMUTABLE STRICT AS $$
SELECT CASE WHEN json_typeof(v #> path) IN ('object', 'array', 'null') THEN NULL ELSE (v #>> path)::bpchar END $$;
CREATE FUNCTION _sandbox.json_query(v json, path text[]) RETURNS bpchar LANGUAGE sql IMMUTABLE STRICT AS $$
SELECT CASE WHEN json_typeof(v #> path) IN ('object', 'array') THEN (v #> path)::text::bpchar END $$;
CREATE FUNCTION _sandbox.json_value(v text, path text[]) RETURNS bpchar LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT _sandbox.json_value(_sandbox.json_checked(v), path) $$;
CREATE FUNCTION _sandbox.json_query(v text, path text[]) RETURNS bpchar LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT _sandbox.json_query(_sandbox.json_checked(v), path) $$;
CREATE FUNCTION _sandbox.json_rows(v text, path text[]) RETURNS SETOF json LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE j json := _sandbox.json_checked(v) #> path; BEGIN
 IF json_typeof(j) = 'array' THEN RETURN QUERY SELECT * FROM json_array_elements(j); ELSIF j IS NOT NULL THEN RETURN NEXT j; END IF; END $$;
CREATE FUNCTION _sandbox.openjson(v text, path text[]) RETURNS TABLE (key bpchar, value bpchar, type smallint) LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE j json := _sandbox.json_checked(v) #> path; BEGIN
 RETURN QUERY SELECT p.k, CASE WHEN json_typeof(p.e) = 'null' THEN NULL WHEN json_typeof(p.e) IN ('object', 'array') THEN p.e::text::bpchar ELSE (p.e #>> '{}')::bpchar END,
   (CASE json_typeof(p.e) WHEN 'null' THEN 0 WHEN 'string' THEN 1 WHEN 'number' THEN 2 WHEN 'boolean' THEN 3 WHEN 'array' THEN 4 ELSE 5 END)::smallint
 FROM (SELECT x.key::bpchar AS k, x.value AS e FROM json_each(CASE WHEN json_typeof(j) = 'object' THEN j ELSE '{}'::json END) AS x
  UNION ALL SELECT (y.ord - 1)::text::bpchar, y.e FROM json_array_elements(CASE WHEN json_typeof(j) = 'array' THEN j ELSE '[]'::json END) WITH ORDINALITY AS y(e, ord)) AS p; END $$;

-- sp_getapplock: 0 at once, 1 after waiting, -1 timed out, -3 deadlock victim.
CREATE FUNCTION _sandbox.get_lock(resource text, shared boolean, session boolean, timeout int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE k bigint := hashtextextended(resource, 0); BEGIN
 IF (CASE WHEN session AND shared THEN pg_try_advisory_lock_shared(k) WHEN session THEN pg_try_advisory_lock(k)
   WHEN shared THEN pg_try_advisory_xact_lock_shared(k) ELSE pg_try_advisory_xact_lock(k) END) THEN RETURN 0; END IF;
 IF timeout = 0 THEN RETURN -1; END IF;
 PERFORM set_config('lock_timeout', CASE WHEN timeout < 0 THEN '0' ELSE timeout::text END, true);
 IF session AND shared THEN PERFORM pg_advisory_lock_shared(k); ELSIF session THEN PERFORM pg_advisory_lock(k);
 ELSIF shared THEN PERFORM pg_advisory_xact_lock_shared(k); ELSE PERFORM pg_advisory_xact_lock(k); END IF;
 RETURN 1;
EXCEPTION WHEN lock_not_available THEN RETURN -1; WHEN deadlock_detected THEN RETURN -3; END $$;
`;
