// Configuration: defaults, the environment, secrets from files, and findings that can be mended at once.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatConfigFinding, loadSettings, parseSettings } from '../../src/config/load.ts';
import { settingKeys } from '../../src/config/settings.ts';
import { YamlText } from '../../src/text/yaml-text.ts';

const minimal = `source:
  url: postgresql://crm/crm
warehouse:
  connectionString: Server=w
queue:
  url: redis://r
`;

const noFile = (path: string): string => {
  throw Object.assign(new Error(path), { code: 'ENOENT' });
};
const parse = (text: string, environment = {}, readSecret = noFile) =>
  parseSettings('/etc/walbridge/walbridge.yaml', text, environment, readSecret);
const findings = (text: string, environment = {}) =>
  parse(text, environment).findings.map(formatConfigFinding);

describe('configuration', () => {
  it('fills defaults, resolves folders beside the file and is frozen', () => {
    const { settings } = parse(minimal);
    expect(settings).toMatchObject({
      source: { slot: 'walbridge', publications: ['walbridge'] },
      queue: { backend: 'redis', prefix: 'walbridge' },
      schemas: '/etc/schemas',
      lane: { maxBatchRows: 10_000 },
    });
    expect(Object.isFrozen(settings?.lane)).toBe(true);
  });

  it('takes a cron expression of five fields for verify.cron, and no other', () => {
    expect(parse(`${minimal}verify: {cron: '0 3 * * 1-5', samplePercent: 2.5}\n`).settings?.verify).toEqual({
      cron: '0 3 * * 1-5',
      samplePercent: 2.5,
    });
    expect(parse(minimal, { WALBRIDGE_VERIFY_SAMPLE_PERCENT: '0.5' }).settings?.verify).toEqual({
      samplePercent: 0.5,
    });
    for (const cron of ['daily', '0 0 3 * * *', '61 * * * *', '']) {
      expect(findings(`${minimal}verify: {cron: '${cron}'}\n`)).toEqual([
        expect.stringContaining(
          `walbridge.yaml:7:16: found verify.cron: "${cron}", expected a cron expression of five fields`,
        ),
      ]);
    }
  });

  it('takes an address and a port for http.listen, and nothing else', () => {
    const listen = (text: string) => parse(`${minimal}http: {listen: '${text}'}\n`).settings?.http.listen;
    for (const text of ['127.0.0.1:9464', 'localhost:0', '[::1]:65535', 'ops.internal:80'])
      expect(listen(text)).toBe(text);
    expect(parse(minimal).settings?.http).toEqual({});
    expect(parse(minimal, { WALBRIDGE_HTTP_LISTEN: '0.0.0.0:9464' }).settings?.http.listen).toBe(
      '0.0.0.0:9464',
    );
    for (const text of [
      '9464',
      ':9464',
      'localhost',
      '127.0.0.1:65536',
      '::1:9464',
      'http://localhost:9464',
      '',
    ]) {
      expect(findings(`${minimal}http: {listen: '${text}'}\n`)).toEqual([
        `WB1002 /etc/walbridge/walbridge.yaml:7:16: found http.listen: "${text}", expected an address and a port, such as 127.0.0.1:9464 or [::]:9464`,
      ]);
    }
    expect(findings(minimal, { WALBRIDGE_HTTP_LISTEN: '9464' })[0]).toMatch(
      /^WB1002 WALBRIDGE_HTTP_LISTEN: /,
    );
  });

  it('takes no offence at what Kubernetes says of a service of its name', () => {
    const ofService = {
      WALBRIDGE_SERVICE_HOST: '10.0.0.1',
      WALBRIDGE_SERVICE_PORT: '9464',
      WALBRIDGE_SERVICE_PORT_HTTP: '9464',
      WALBRIDGE_PORT: 'tcp://10.0.0.1:9464',
      WALBRIDGE_PORT_9464_TCP: 'tcp://10.0.0.1:9464',
      WALBRIDGE_PORT_9464_TCP_ADDR: '10.0.0.1',
    };
    expect(findings(minimal, ofService)).toEqual([]);
    expect(findings(minimal, { WALBRIDGE_PORTS: '1' })).toHaveLength(1);
  });

  it('takes every key from the environment, and secrets from files', () => {
    const environment = {
      WALBRIDGE_LANE_MAX_BATCH_ROWS: '7',
      WALBRIDGE_SOURCE_PUBLICATIONS: 'a, b',
      WALBRIDGE_SOURCE_PASSWORD_FILE: '/run/secrets/crm',
      WALBRIDGE_QUEUE_URL: 'redis://other',
      PATH: '/bin',
    };
    const { settings, findings: found } = parse(minimal, environment, (path) => `${path}!\n`);
    expect(found).toEqual([]);
    expect(settings?.lane.maxBatchRows).toBe(7);
    expect(settings?.source.publications).toEqual(['a', 'b']);
    expect(settings?.source.password).toBe('/run/secrets/crm!');
    expect(settings?.queue.url).toBe('redis://other');
  });

  it('names every mistake with its place, what was expected, and the nearest key', () => {
    const text = `source:
  url: mysql://crm
  slto: x
warehouse: {}
queue:
  url: redis://r
  backend: kafka
lane:
  maxBatchRows: many
`;
    expect(findings(text)).toEqual([
      'WB1002 /etc/walbridge/walbridge.yaml:2:8: found source.url: a value of another form, expected a postgresql:// URL',
      'WB1002 /etc/walbridge/walbridge.yaml:3:3: found unknown key "source.slto", expected one of url, password, slot, publications; nearest: slot',
      'WB1002 /etc/walbridge/walbridge.yaml:4:12: found no warehouse.connectionString, expected a text',
      'WB1002 /etc/walbridge/walbridge.yaml:7:12: found queue.backend: "kafka", expected one of redis, postgres',
      'WB1002 /etc/walbridge/walbridge.yaml:9:17: found lane.maxBatchRows: "many", expected a number',
    ]);
  });

  it.each([
    ['lane: 5', '7:7: found lane: 5, expected keys such as maxBatchRows:'],
    ['lane: []', '7:7: found lane: a list, expected keys such as maxBatchRows:'],
    ['lane: {maxBatchRows: -3}', '7:22: found lane.maxBatchRows: -3, expected more than 0'],
    ['lane: {maxBatchRows: 1.5}', '7:22: found lane.maxBatchRows: 1.5, expected a whole number'],
    ['verify: {samplePercent: 200}', '7:25: found verify.samplePercent: 200, expected at most 100'],
    ['log: {level:}', '7:13: found log.level: nothing, expected one of trace, debug, info'],
    ['log: {level: wran}', 'fatal, silent; nearest: warn'],
    ['compatibility: backward', 'FULL_TRANSITIVE; nearest: BACKWARD'],
  ])('says of %s: %s', (line, text) => {
    expect(findings(`${minimal}${line}\n`)).toEqual([expect.stringContaining(text)]);
  });

  it('refuses URLs that no client could use, and prints none of them', () => {
    const password = 'postgresql://crm:s3cr#t@crm/crm';
    const [finding] = findings(minimal, { WALBRIDGE_SOURCE_URL: password });
    expect(finding).toMatch(/^WB1002 WALBRIDGE_SOURCE_URL: .*the key password$/);
    expect(finding).not.toContain('s3cr');
    // The queue's client would try for ever.
    expect(findings(minimal.replace('queue:', 'queue:\n  backend: postgres'))).toEqual([
      expect.stringMatching(/:7:8: found queue.url: .* queue.backend says/),
    ]);
    expect(findings(minimal, { WALBRIDGE_LANE_MAX_BATCH_ROWS: 'five' })).toEqual([
      'WB1002 WALBRIDGE_LANE_MAX_BATCH_ROWS: found lane.maxBatchRows: "five", expected a number',
    ]);
  });

  it('names a broken file, a wrong variable and an unreadable secret', () => {
    expect(findings('source: [')).toHaveLength(1);
    expect(findings('source: [')[0]).toMatch(/^WB1001 .*walbridge.yaml:1:/);
    expect(findings('just text')[0]).toMatch(/a single value/);
    expect(findings(minimal, { WALBRIDGE_SOURCE_SLOTS: 'x' })[0]).toMatch(/nearest: WALBRIDGE_SOURCE_SLOT$/);
    expect(findings(minimal, { WALBRIDGE_SOURCE_PASSWORD_FILE: '/none' })[0]).toMatch(/ENOENT/);
    expect(findings(minimal, { WALBRIDGE_LANE_MAX_BATCH_ROWS: '-1' })[0]).toMatch(
      /^WB1002 WALBRIDGE_LANE_MAX_BATCH_ROWS/,
    );
    expect(() => loadSettings('/nowhere/walbridge.yaml', {})).toThrowError(/WB1000.*ENOENT/);
  });

  it('ships an example that is valid and shows every key', () => {
    const path = 'config/walbridge.example.yaml';
    const text = readFileSync(path, 'utf8');
    expect(parseSettings(path, text, {}, noFile).findings).toEqual([]);
    const yaml = YamlText.parse(text, { error: () => expect.unreachable() });
    for (const { path: key } of settingKeys) expect(yaml?.has(key), key.join('.')).toBe(true);
  });
});
