import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { everyAddress } from '../../src/address/every-address.js';
import {
  defaultSettings,
  describeSettings,
  loadSettings,
  settingRows,
  sourcesByField,
} from '../../src/config/index.js';
import { ConfigError } from '../../src/errors.js';

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'settings-'));
});

afterEach(() => {
  rmSync(cwd, { recursive: true, force: true });
});

function load(options: { flags?: Record<string, string>; env?: Record<string, string>; yaml?: string } = {}) {
  if (options.yaml !== undefined) {
    writeFileSync(join(cwd, 'media-aggregator.yaml'), options.yaml);
  }
  return loadSettings({ flags: options.flags ?? {}, env: options.env ?? {}, cwd });
}

function failure(options: Parameters<typeof load>[0]): ConfigError {
  try {
    load(options);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    if (error instanceof ConfigError) {
      return error;
    }
  }
  throw new Error('the settings were accepted');
}

describe('where values come from', () => {
  test('nothing said: the defaults', () => {
    const { settings, sources } = load();
    expect(settings).toEqual(defaultSettings());
    expect(settings).toMatchObject({ rtmpPort: 1935, apiPort: 5000, host: everyAddress(), dataDir: './data' });
    expect(settings).toMatchObject({ backend: 'native', resourceId: hostname(), logLevel: 'info', logFormat: 'auto' });
    expect(settings.media).toEqual({
      outChunkBytes: 65536,
      flushWindowMs: 0,
      audioWindowMs: 30,
      socketMode: 'auto',
      withoutKeyFrames: 'pass',
      srtLatencyMs: 120,
      mediaMaxBytes: 1 << 30,
      maxBitrateKbps: 200_000,
      maxAmfDepth: 32,
      maxCommandBytes: 1 << 16,
      gopMaxBytes: 16 << 20,
      queueMaxBytes: 8 << 20,
      queueMaxAgeMs: 5000,
      pushRetryMinMs: 250,
      pushRetryMaxMs: 15000,
      connectTimeoutMs: 5000,
      stallTimeoutMs: 10000,
      sourceDials: 16,
      sourceFollowAfterMs: 120_000,
      sourceLingerMs: 10_000,
      ffmpeg: 'ffmpeg',
      handshakeTimeoutMs: 10000,
      idleTimeoutMs: 30000,
      publishTakeoverMs: 3000,
      publishGraceMs: 10000,
      standbyAfterMs: 500,
      publishAuth: 'name',
      playAuth: 'off',
      onPublishFormat: 'form',
      onPlayFormat: 'form',
      hookTimeoutMs: 3000,
      hookQueueTimeoutMs: 5000,
      hookFailure: 'closed',
      maxConnections: 4000,
      maxConnectionsPerAddress: 1000,
      maxMessageBytes: 8 << 20,
      unfinishedMaxBytes: 128 << 20,
      maxChunkStreams: 64,
      maxViewersPerCamera: 1000,
      maxViewersPerAddress: 250,
      shutdownTimeoutMs: 3000,
    });
    expect(settings).not.toHaveProperty('location');
    expect(settings).not.toHaveProperty('advertiseHost');
    expect(new Set(Object.values(sources))).toEqual(new Set(['default']));
  });

  test('flag over environment over file over default', () => {
    const yaml = 'rtmp-port: 1001\napi-port: 1002\nlocation: file\nqueue-max-bytes: 1MB\n';
    const env = { MEDIA_AGGREGATOR_RTMP_PORT: '2001', MEDIA_AGGREGATOR_API_PORT: '2002' };
    const { settings, sources } = load({ yaml, env, flags: { 'rtmp-port': '3001' } });
    expect(settings).toMatchObject({ rtmpPort: 3001, apiPort: 2002, location: 'file', host: everyAddress() });
    expect(settings.media.queueMaxBytes).toBe(1 << 20);
    expect(sources).toMatchObject({
      'rtmp-port': 'flag --rtmp-port',
      'api-port': 'environment MEDIA_AGGREGATOR_API_PORT',
      location: 'file media-aggregator.yaml',
      host: 'default',
    });
  });

  test('in a cluster the node is known by its id, unless another one is said', () => {
    const flags = { cluster: 'etcd://a:1', 'cluster-secret-file': '/secret', 'node-id': 'berlin-1' };
    expect(load({ flags }).settings.resourceId).toBe('berlin-1');
    expect(load({ flags: { ...flags, 'resource-id': 'ma-1' } }).settings.resourceId).toBe('ma-1');
    expect(load({ flags, env: { container_name: 'c-1' } }).settings.resourceId).toBe('c-1');
    expect(load({ flags: { 'node-id': 'berlin-1' } }).settings.resourceId).toBe(hostname());
  });

  test('sources by field', () => {
    const { sources } = load({ flags: { 'rtmp-port': '1', 'queue-max-bytes': '1MB' } });
    expect(sourcesByField(sources)).toMatchObject({
      rtmpPort: 'flag --rtmp-port',
      'media.queueMaxBytes': 'flag --queue-max-bytes',
      'media.queueMaxAgeMs': 'default',
    });
  });

  test('every setting can be set by its flag, its variable and the file', () => {
    const other: Record<string, string> = { host: '::1', 'data-dir': '/d', 'advertise-host': 'a.example' };
    Object.assign(other, {
      location: 'l',
      backend: 'native',
      'resource-id': 'r',
      'log-level': 'debug',
      'log-file': 'f',
    });
    Object.assign(other, {
      'content-manager': 'http://c:1',
      'nginx-binary': '/b',
      'nginx-template': '/t',
      'nginx-conf': '/c',
      'push-allow': '10.0.0.0/8,*.engines.example:1935',
      'source-allow': '192.168.7.0/24',
      'source-deny': '192.168.7.1',
      'push-deny': '[fd00::/8]:443',
      'push-tls-ca': '/ca',
      'webhook-url': 'https://a.example/hook,http://127.0.0.1:1/',
      'webhook-types': 'push,camera.live',
      'on-publish': 'http://b/publish?x=1',
      'on-play': 'https://b:8443/play',
    });
    Object.assign(other, {
      'api-allow': '10.0.0.0/8,fd00::1',
      'api-cors-origin': 'https://a.example,http://localhost:3000',
      'api-names': 'a.example,b',
      'api-tls-cert': '/cert',
      'api-tls-key': '/key',
      'admin-token-file': '/token',
      'jwt-jwks-url': 'https://idp.example/keys',
      'jwt-jwks-file': '/keys',
      'jwt-issuer': 'i',
      'jwt-audience': 'a',
    });
    Object.assign(other, {
      cluster: 'etcds://a:1,b:2',
      'cluster-secret-file': '/secret',
      'cluster-user-file': '/user',
      'cluster-ca': '/ca',
      'cluster-cert': '/cert',
      'cluster-key': '/key',
      'node-id': 'n1',
      'seal-key': '/seal-key',
      'capacity-out-mbps': '900',
      'capacity-cameras': '40',
      'location-networks': 'berlin=10.1.0.0/16,paris=2001:db8::/32',
    });
    const cluster = { cluster: 'etcds://a:1', 'cluster-secret-file': '/secret' };
    const jwt = { 'jwt-jwks-url': 'https://idp.example/keys', 'jwt-issuer': 'i', 'jwt-audience': 'a' };
    Object.assign(other, { 'srt-port': '2', 'srt-passphrase-file': '/p' });
    Object.assign(other, { 'slate-dir': '/slates', 'rtmps-port': '1', 'rtmps-cert': '/c', 'rtmps-key': '/k' });
    const rtmps = { 'rtmps-port': '1', 'rtmps-cert': '/c', 'rtmps-key': '/k' };
    /** What some need beside them. */
    const companions: Record<string, Record<string, string>> = {
      'api-tls-cert': { 'api-tls-key': '/key' },
      'api-tls-key': { 'api-tls-cert': '/cert' },
      'rtmps-port': rtmps,
      'rtmps-cert': rtmps,
      'rtmps-key': rtmps,
      'srt-passphrase-file': { 'srt-port': '2' },
      'jwt-jwks-url': jwt,
      'jwt-jwks-file': { 'jwt-issuer': 'i', 'jwt-audience': 'a' },
      'jwt-issuer': jwt,
      'jwt-audience': jwt,
      cluster,
      'cluster-secret-file': cluster,
      'cluster-user-file': cluster,
      'cluster-ca': cluster,
      'cluster-cert': { ...cluster, 'cluster-key': '/key' },
      'cluster-key': { ...cluster, 'cluster-cert': '/cert' },
    };
    for (const row of settingRows) {
      const text = other[row.key] ?? (row.key === 'log-format' ? 'json' : (row.defaultText ?? ''));
      const { [row.key]: _, ...beside } = companions[row.key] ?? {};
      const value = (options: Parameters<typeof load>[0]) => {
        const { settings, sources } = load({ ...options, flags: { ...beside, ...options?.flags } });
        const entry = describeSettings(settings, sources).find((each) => each.key === row.key);
        return { value: entry?.value, source: entry?.source };
      };
      expect(value({ flags: { [row.key]: text } })).toEqual({ value: text, source: `flag ${row.flag}` });
      const variable = row.environment[0]!;
      expect(value({ env: { [variable]: text } })).toEqual({ value: text, source: `environment ${variable}` });
      expect(value({ yaml: `${row.key}: "${text}"\n` })).toMatchObject({
        value: text,
        source: expect.stringMatching(/^file/),
      });
      rmSync(join(cwd, 'media-aggregator.yaml'));
    }
  });

  test('lists of networks and hosts come with commas, or as a list of the file; a slip names the entry', () => {
    const yaml = 'push-allow: [10.0.0.0/8, "fd00::/8"]\npush-deny: 10.0.0.1, bad.example\n';
    expect(load({ yaml }).settings.media).toMatchObject({
      pushAllow: ['10.0.0.0/8', 'fd00::/8'],
      pushDeny: ['10.0.0.1', 'bad.example'],
    });
    expect(failure({ flags: { 'push-allow': '10.0.0.0/8,10.0.0.1/8' } }).message).toContain(
      '--push-allow has "10.0.0.1/8", which has an address with bits beyond its prefix /8',
    );
    for (const wrong of ['push-deny: [a.example, 7]', 'push-deny: {a: b}', 'push-deny: "a,,b"']) {
      expect(failure({ yaml: wrong }).code, wrong).toBe('CONFIG_INVALID_VALUE');
    }
  });

  test('with nginx, who may publish and play is not ours to decide', () => {
    for (const [key, text] of [
      ['publish-auth', 'key'],
      ['play-auth', 'local'],
      ['on-publish', 'http://b/'],
      ['on-play', 'http://b/'],
    ] as const) {
      expect(failure({ flags: { backend: 'nginx', [key]: text } }).message).toContain(
        `${key} is set, but nginx decides`,
      );
    }
    for (const url of ['ftp://b/', 'b', 'http://u:p@b/', 'http://b/ x', 'http://']) {
      expect(failure({ flags: { 'on-publish': url } }).code, url).toBe('CONFIG_INVALID_VALUE');
    }
  });

  test('a port with TLS needs a certificate and its key, and backend native', () => {
    for (const key of ['capacity-cameras', 'capacity-out-mbps']) {
      expect(failure({ flags: { [key]: '5', workers: '2' } }).message).toContain('media workers do not count together');
      expect(failure({ flags: { [key]: '5', backend: 'nginx' } }).message).toContain('nginx takes what comes');
    }
    expect(failure({ flags: { 'srt-port': '8890', workers: '1' } }).message).toContain('media workers take no SRT');
    expect(failure({ flags: { 'srt-port': '8890', backend: 'nginx' } }).message).toContain('nginx takes no SRT');
    expect(failure({ flags: { 'srt-passphrase-file': '/p' } }).message).toContain('srt-port is not');
    const tls = { 'rtmps-port': '1936', 'rtmps-cert': '/c', 'rtmps-key': '/k' };
    expect(load({ flags: tls }).settings).toMatchObject({ rtmpsPort: 1936, rtmpsCert: '/c', rtmpsKey: '/k' });
    expect(failure({ flags: { 'rtmps-port': '1936' } }).message).toContain('rtmps-cert is not set');
    expect(failure({ flags: { 'rtmps-port': '1936', 'rtmps-cert': '/c' } }).message).toContain('rtmps-key is not set');
    expect(failure({ flags: { 'rtmps-cert': '/c' } }).message).toContain('rtmps-cert is set, but rtmps-port is not');
    expect(failure({ flags: { ...tls, 'rtmps-port': '1935' } }).message).toContain('they must differ');
    expect(failure({ flags: { ...tls, backend: 'nginx' } }).message).toContain('nginx takes no RTMP with TLS');
  });

  test('an nginx that somebody else runs needs ports that stay the same, and ports differ', () => {
    const external = { backend: 'nginx', 'nginx-external': 'true' };
    expect(failure({ flags: external }).message).toContain('nginx-stat-port is 0');
    expect(failure({ flags: { ...external, 'nginx-stat-port': '8080', 'rtmp-port': '0' } }).message).toContain(
      'rtmp-port',
    );
    const clustered = { cluster: 'etcd://a:1', 'cluster-secret-file': '/secret' };
    expect(failure({ flags: { ...clustered, workers: '2' } })).toMatchObject({ field: 'workers' });
    expect(failure({ flags: { ...clustered, backend: 'nginx' } })).toMatchObject({ field: 'cluster' });
    expect(failure({ flags: { backend: 'nginx', 'nginx-stat-port': '5000' } }).message).toContain('api-port');
    expect(load({ flags: { ...external, 'nginx-stat-port': '8080' } }).settings).toMatchObject({ nginxExternal: true });
    expect(load({ flags: { 'nginx-external': 'true' } }).settings.nginxStatPort).toBe(0);
  });

  test.each([
    [{ 'api-tls-cert': '/c' }, 'api-tls-key is not set, but api-tls-cert is'],
    [{ 'api-tls-key': '/c' }, 'api-tls-cert is not set'],
    [{ 'jwt-issuer': 'i' }, 'say where the keys are'],
    [{ 'jwt-jwks-file': '/k' }, 'jwt-issuer is not set'],
    [{ 'jwt-jwks-file': '/k', 'jwt-issuer': 'i' }, 'jwt-audience is not set'],
    [{ 'jwt-jwks-file': '/k', 'jwt-jwks-url': 'https://h/k' }, 'one of them is enough'],
    [{ 'jwt-jwks-url': 'http://idp.example/k', 'jwt-issuer': 'i', 'jwt-audience': 'a' }, 'must begin with https://'],
    [{ 'api-allow': '10.0.0.0/33' }, '"10.0.0.0/33"'],
    [{ 'api-allow': '10.0.0.1 example.org' }, '"example.org"'],
    [{ 'api-allow': '2001:db8::/32/8' }, 'networks'],
    [{ 'api-cors-origin': '*' }, 'origins like'],
    [{ 'api-names': '192.0.2.1' }, 'host names like'],
    [{ 'api-names': 'a.example:80' }, 'host names like'],
    [{ 'api-cors-origin': 'https://a.example/path' }, 'origins like'],
  ])('what belongs together, and lists: %j', (flags, message) => {
    expect(failure({ flags }).message).toContain(message);
  });

  test('lists have commas or spaces between, or are lists of YAML', () => {
    expect(load({ flags: { 'api-allow': '10.0.0.0/8, FD00::/8 192.0.2.1' } }).settings.apiAllow).toEqual(
      ['10.0.0.0/8', 'fd00::/8', '192.0.2.1'], // as they are compared
    );
    const { settings } = load({ yaml: 'api-cors-origin:\n  - https://a.example\n  - https://b.example:8443/\n' });
    expect(settings.apiCorsOrigin).toEqual(['https://a.example', 'https://b.example:8443']);
  });

  test("the original system's variables, below our own", () => {
    const env = {
      container_name: 'ma-1',
      event: 'stadium',
      name: 'vnf-ma',
      vendor: 'eu.5gtango',
      version: '0.4',
      'vnf-ma_eu.5gtango_0.4_rtmp_ip': '203.0.113.9',
    };
    const seed = load({ env });
    expect(seed.settings).toMatchObject({ resourceId: 'ma-1', location: 'stadium', advertiseHost: '203.0.113.9' });
    expect(seed.sources).toMatchObject({
      'resource-id': 'environment container_name',
      'advertise-host': 'environment vnf-ma_eu.5gtango_0.4_rtmp_ip',
    });
    expect(load({ env: { ...env, MEDIA_AGGREGATOR_LOCATION: 'hall' } }).settings.location).toBe('hall');
    const { vendor: _, ...incomplete } = env;
    expect(load({ env: incomplete }).settings).not.toHaveProperty('advertiseHost');
  });

  test.each([
    ['10.0.0.9', 'http://10.0.0.9:50000'],
    ['cms', 'http://cms:50000'],
    ['cms.example.org:8080', 'http://cms.example.org:8080'],
    ['::1', 'http://[::1]:50000'],
    ['[::1]', 'http://[::1]:50000'],
    ['http://cms:50000/', 'http://cms:50000'],
    ['https://gate.example.org/cms//', 'https://gate.example.org/cms'],
    ['HTTP://CMS', 'http://cms'],
  ])('the content manager %s is %s', (text, expected) => {
    expect(load({ env: { CMS_IP: text } }).settings.contentManager).toBe(expected);
    expect(load({ flags: { 'content-manager': text }, env: { CMS_IP: 'other' } }).settings.contentManager).toBe(
      expected,
    );
  });

  test.each([
    'ftp://cms',
    'http://',
    'http://a b',
    'cms/x',
    'cms:99999',
    'http://c?x=1',
    'http://c#x',
    'a@b',
    '-',
    'x'.repeat(2000),
  ])('no content manager: case %#', (text) => {
    expect(failure({ env: { CMS_IP: text } })).toMatchObject({ code: 'CONFIG_INVALID_VALUE', field: 'CMS_IP' });
  });

  test('a password of the content manager is refused and not repeated', () => {
    const error = failure({ flags: { 'content-manager': 'http://me:SECRET@cms' } });
    expect(error.message).toContain('user name or password');
    expect(error.message).not.toContain('SECRET');
  });

  test('an empty variable and an empty file are nothing', () => {
    expect(load({ env: { MEDIA_AGGREGATOR_LOCATION: '', container_name: ' ' }, yaml: '# nothing\n' }).settings).toEqual(
      defaultSettings(),
    );
  });

  test("Kubernetes' variables of a service that is called as we are do no harm", () => {
    const env = {
      MEDIA_AGGREGATOR_SERVICE_HOST: '10.0.0.1',
      MEDIA_AGGREGATOR_SERVICE_PORT: '1935',
      MEDIA_AGGREGATOR_SERVICE_PORT_RTMP: '1935',
      MEDIA_AGGREGATOR_PORT: 'tcp://10.0.0.1:1935',
      MEDIA_AGGREGATOR_PORT_1935_TCP_ADDR: '10.0.0.1',
      MEDIA_AGGREGATOR_RTMP_PORT: 'tcp://10.0.0.1:1935',
      MEDIA_AGGREGATOR_API_PORT: 'tcp://10.0.0.2:5000',
    };
    expect(load({ env }).settings).toEqual(defaultSettings());
  });

  test('--config names another file, which must then be there', () => {
    writeFileSync(join(cwd, 'other.yaml'), 'location: there\n');
    expect(load({ flags: { config: 'other.yaml' } }).settings.location).toBe('there');
    expect(load({ env: { MEDIA_AGGREGATOR_CONFIG: 'other.yaml' } }).settings.location).toBe('there');
    const error = failure({ flags: { config: 'missing.yaml' } });
    expect(error.code).toBe('CONFIG_UNREADABLE');
    expect(error.message).toContain('missing.yaml');
  });
});

describe('values', () => {
  test.each([
    ['push-retry-min', '1.5s', 'pushRetryMinMs', 1500],
    ['push-retry-max', '2m', 'pushRetryMaxMs', 120_000],
    ['idle-timeout', '1h', 'idleTimeoutMs', 3_600_000],
    ['queue-max-bytes', '512KB', 'queueMaxBytes', 512 << 10],
    ['queue-max-bytes', '70000', 'queueMaxBytes', 70_000],
    ['gop-max-bytes', '0', 'gopMaxBytes', 0],
    ['gop-max-bytes', '2 MiB', 'gopMaxBytes', 2 << 20],
  ] as const)('%s %s', (key, text, field, value) => {
    expect(load({ flags: { [key]: text } }).settings.media[field]).toBe(value);
    expect(load({ yaml: `${key}: ${text}\n` }).settings.media[field]).toBe(value);
  });

  test('port 0 may stand twice; another port may not', () => {
    expect(load({ flags: { 'rtmp-port': '0', 'api-port': '0' } }).settings).toMatchObject({ rtmpPort: 0, apiPort: 0 });
    expect(failure({ flags: { 'rtmp-port': '5000' } }).message).toContain('api-port is 5000');
  });

  test('IPv6 in brackets', () => {
    expect(load({ flags: { host: '[::1]' } }).settings.host).toBe('::1');
  });

  test.each([
    // Key, value, what the message must say beside the key.
    ['push-retry-min', '250', '250ms'],
    ['push-retry-min', '3x', '3x'],
    ['push-retry-min', '1ms', '10ms to 1h'],
    ['rtmp-port', '70000', '0 to 65535'],
    ['rtmp-port', '-1', '0 to 65535'],
    ['rtmp-port', '19.35', '19.35'],
    ['rtmp-port', 'rtmp', 'whole number'],
    ['queue-max-bytes', '8 megabytes', '8 megabytes'],
    ['queue-max-bytes', '1KB', '64KB to 1GB'],
    ['log-level', 'loud', 'debug, info, warn, error'],
    ['backend', 'apache', 'native, nginx'],
    ['nginx-external', 'perhaps', 'true or false'],
    ['advertise-host', '10.0.0.7:1935', 'without a port'],
    ['advertise-host', '10.0.0', 'IP address'],
    ['host', 'a b', 'host name'],
    ['location', 'x\u001b[31m', 'printable'],
  ])('refused: %s %j', (key, value, hint) => {
    for (const error of [
      failure({ flags: { [key]: value } }),
      failure({ yaml: `${key}: ${JSON.stringify(value)}\n` }),
    ]) {
      expect(error.code).toBe('CONFIG_INVALID_VALUE');
      expect(error.message).toContain(key);
      expect(error.message).toContain(hint);
      expect(error.message).not.toContain('\u001b');
    }
  });

  test('the message names who said it', () => {
    expect(failure({ flags: { 'rtmp-port': 'x' } }).field).toBe('--rtmp-port');
    expect(failure({ env: { MEDIA_AGGREGATOR_RTMP_PORT: 'x' } }).message).toMatch(/^MEDIA_AGGREGATOR_RTMP_PORT is "x"/);
    expect(failure({ yaml: 'rtmp-port: x\n' }).message).toContain('in media-aggregator.yaml');
  });

  test('YAML numbers where a unit or text is needed', () => {
    expect(failure({ yaml: 'push-retry-min: 250\n' }).message).toContain('250ms');
    expect(failure({ yaml: 'location: 12\n' }).message).toContain('quotes');
    expect(failure({ yaml: 'rtmp-port: [1935]\n' }).message).toContain('[1935]');
  });

  test('values that contradict each other', () => {
    expect(failure({ flags: { 'push-retry-min': '20s' } }).message).toContain('push-retry-max, 15s');
    expect(failure({ flags: { 'publish-takeover': '1m' } }).message).toContain('idle-timeout, 30s');
  });
});

describe('unknown keys', () => {
  test.each([
    ['rtmp-prot: 1\n', 'rtmp-prot', 'rtmp-port'],
    ['rtmpPort: 1\n', 'rtmpPort', 'rtmp-port'],
    ['media:\n  queue-max-byte: 1\n', 'media.queue-max-byte', 'queue-max-bytes'],
    ['__proto__:\n  rtmp-port: 1\n', '__proto__.rtmp-port', 'rtmp-port'],
    ['constructor: 1\n', 'constructor', 'docs/settings.md'],
  ])('in the file: %j', (yaml, path, hint) => {
    const error = failure({ yaml });
    expect(error).toMatchObject({ code: 'CONFIG_UNKNOWN_KEY', field: path });
    expect(error.message).toContain(hint);
    expect(error.message).toContain('media-aggregator.yaml');
  });

  test('in flags and variables', () => {
    expect(failure({ flags: { 'api-prot': '1' } }).message).toContain('did you mean --api-port?');
    expect(failure({ env: { MEDIA_AGGREGATOR_RTMP_PROT: '1' } }).message).toContain('MEDIA_AGGREGATOR_RTMP_PORT');
  });

  test("a variable that is near to none of ours is someone else's", () => {
    expect(load({ env: { MEDIA_AGGREGATOR_IMAGE_REGISTRY: 'x' } }).settings).toEqual(defaultSettings());
  });
});

describe('files that are no settings', () => {
  test.each([
    ['a: [1\n', 'not YAML, line'],
    ['rtmp-port: 1\nrtmp-port: 2\n', 'line 2'],
    ['- rtmp-port\n', 'rtmp-port: 1935'],
    ['just words\n', 'rtmp-port: 1935'],
    [`x: ${'y'.repeat(1 << 20)}\n`, 'larger than 1MB'],
  ])('%#', (yaml, hint) => {
    const error = failure({ yaml });
    expect(error.code).toBe('CONFIG_UNREADABLE');
    expect(error.message).toContain(hint);
  });

  test('aliases that grow without end', () => {
    const levels = Array.from(
      { length: 9 },
      (_, level) => `  l${level + 1}: &l${level + 1} [${`*l${level}, `.repeat(9)}*l${level}]`,
    );
    const error = failure({ yaml: `x:\n  l0: &l0 [a]\n${levels.join('\n')}\n` });
    expect(error.code).toBe('CONFIG_UNREADABLE');
  });
});
