import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callerValues, enrollConfigFile, readConfig, takeJoinVariables } from './config.ts';
import { readHosts } from './egress/hosts.ts';

const root = process.getuid?.() === 0;

describe('readConfig', () => {
  it('has places of its own where nothing is said', () => {
    const config = readConfig({});
    expect(config).toMatchObject({ users: [], hostsFile: undefined, keyDays: 90 });
    expect(config.stateDir).toBe(root ? '/var/lib/cordon' : path.join(os.homedir(), '.local/state/cordon'));
    expect(config.runtimeDir).toBe(root ? '/run/cordon' : `/tmp/cordon-${process.getuid?.()}`);
    expect(config.systemRuntime).toBe(root ? undefined : '/run/cordon');
    if (!root) expect(readConfig({ XDG_RUNTIME_DIR: '/run/user/1' }).runtimeDir).toBe('/run/user/1/cordon');
  });

  it('takes what is said', () => {
    expect(
      readConfig({
        CORDON_AGENT_STATE: '/s',
        CORDON_AGENT_RUNTIME: '/r',
        CORDON_AGENT_USERS: 'a,,b',
        CORDON_AGENT_HOSTS_FILE: '/h',
        CORDON_AGENT_KEY_DAYS: '30',
        CORDON_CA_FILE: '/ca',
        HTTPS_PROXY: 'http://p:1',
        no_proxy: '.x',
        CORDON_PROXY_AUTH_FILE: '/auth',
      }),
    ).toEqual({
      stateDir: '/s',
      runtimeDir: '/r',
      users: ['a', 'b'],
      hostsFile: '/h',
      keyDays: 30,
      network: { caFile: '/ca', proxy: 'http://p:1', straight: '.x', proxyAuthFile: '/auth' },
    });
  });

  it.each(['', '-1', '1.5', 'never', '99999', '0x10'])('does not take %j for a number of days', (text) => {
    expect(() => readConfig({ CORDON_AGENT_KEY_DAYS: text })).toThrow(expect.objectContaining({ code: 'config.days' }));
  });
});

describe('the caller’s environment', () => {
  it('is given by name, and only what is there', () => {
    const env = { LANG: 'C', EMPTY: '', SECRET: 'x' };
    expect(callerValues(['LANG', 'EMPTY', 'MISSING'], env)).toEqual({ LANG: 'C', EMPTY: '' });
  });
});

describe('how to join', () => {
  it('is taken out of the environment, where no child finds it', () => {
    const env: Record<string, string | undefined> = {
      CORDON_TOKEN: 't',
      CORDON_ENROLL_TOKEN_FILE: '',
      CORDON_ENROLL_SERVER: 's',
      LANG: 'C',
    };
    expect(takeJoinVariables(env)).toEqual({ server: 's', token: 't', tokenFile: undefined });
    expect(env).toEqual({ LANG: 'C' });
    expect(takeJoinVariables(env)).toEqual({ server: undefined, token: undefined, tokenFile: undefined });
  });

  it('stands in a file of the machine, or where it is said', () => {
    expect(enrollConfigFile({})).toBe('/etc/cordon/enroll.json');
    expect(enrollConfigFile({ CORDON_ENROLL_CONFIG: '/x.json' })).toBe('/x.json');
  });
});

describe('readHosts', () => {
  let folder: string;
  beforeAll(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-hosts-'))));
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
  const file = (content: string): string => {
    const place = path.join(folder, 'hosts.json');
    fs.writeFileSync(place, content);
    return place;
  };

  it('is an object of host to address, or nothing', () => {
    expect(readHosts(undefined)).toEqual({});
    expect(readHosts(file('{"a.example":"192.0.2.1"}'))).toEqual({ 'a.example': '192.0.2.1' });
    for (const content of ['{"a":1}', 'null', '"x"', '{"a":{}}'])
      expect(() => readHosts(file(content)), content).toThrow(expect.objectContaining({ code: 'config.hosts' }));
  });
});
