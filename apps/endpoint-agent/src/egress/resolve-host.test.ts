import type { LookupAddress } from 'node:dns';
import { describe, expect, it } from 'vitest';
import { LIMITS } from './limits.ts';
import { createResolver, type Lookup } from './resolve-host.ts';

const answers =
  (...addresses: string[]): (() => Promise<LookupAddress[]>) =>
  async () =>
    addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
const dialled = async (lookup: Lookup, isPrivate = false, own: string[] = [], host = 'name.example'): Promise<string[]> =>
  (await createResolver(lookup, () => new Set(own)).resolve({ host, private: isPrivate, exact: true })).map(({ address }) => address);

/** Where no name leads, whatever its rule says. */
const METADATA: ReadonlySet<string> = new Set([
  '169.254.169.254',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  'fe80::1',
  'fd00:ec2::254',
  '::ffff:169.254.169.254',
  '64:ff9b::a9fe:a9fe',
]);
const PRIVATE = [
  '127.0.0.1',
  '127.8.8.8',
  '0.0.0.0',
  '10.0.0.1',
  '172.16.0.1',
  '192.168.1.1',
  '169.254.169.254',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '240.0.0.1',
  '::',
  '::1',
  'fe80::1',
  'fd00:ec2::254',
  'ff02::1',
  '::ffff:127.0.0.1',
  '::ffff:169.254.169.254',
  '::127.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b::a9fe:a9fe',
  '2002:7f00:1::',
  '2001:0:1:2:3:4:80ff:fffe',
];

describe('names to addresses', () => {
  it('gives every public answer', async () => {
    expect(await dialled(answers('93.184.216.34', '2606:2800:220:1::1'))).toEqual(['93.184.216.34', '2606:2800:220:1::1']);
  });

  it.each(PRIVATE)('%s is reached only where the rule says private', async (address) => {
    await expect(dialled(answers(address))).rejects.toMatchObject({ code: 'egress.private' });
    if (METADATA.has(address)) {
      await expect(dialled(answers(address), true)).rejects.toMatchObject({ code: 'egress.metadata' });
      expect(await dialled(answers(address, '10.0.0.1'), true)).toEqual(['10.0.0.1']);
      expect(await dialled(answers(), true, [], address)).toEqual([address]);
    } else expect(await dialled(answers(address), true)).toEqual([address]);
  });

  it('of several answers only the public ones are dialled', async () => {
    expect(await dialled(answers('127.0.0.1', '93.184.216.34', '::1', '169.254.169.254'))).toEqual(['93.184.216.34']);
  });

  it('this machine’s own public addresses are private too, however they are written', async () => {
    const own = ['93.184.216.34', '2606:2800:220:1::1'];
    for (const address of [
      '93.184.216.34',
      '::ffff:93.184.216.34',
      '::FFFF:5DB8:D822',
      '2606:2800:220:1::1',
      '2606:2800:0220:0001:0:0:0:1',
    ])
      await expect(dialled(answers(address), false, own), address).rejects.toMatchObject({ code: 'egress.private' });
  });

  it('an address in the rule is judged without a lookup', async () => {
    const none = (): Promise<LookupAddress[]> => Promise.reject(new Error('looked up'));
    expect(await dialled(none, false, [], '93.184.216.34')).toEqual(['93.184.216.34']);
    for (const address of ['127.0.0.1', '::1'])
      await expect(dialled(none, false, [], address)).rejects.toMatchObject({ code: 'egress.private' });
  });

  it('names that only a wildcard allows are told to name servers up to a number of them', async () => {
    const asked = new Set<string>();
    const resolver = createResolver(
      async (host) => {
        asked.add(host);
        return answers('93.184.216.34')();
      },
      () => new Set(),
    );
    const ask = (host: string, exact = false) => resolver.resolve({ host, private: false, exact });
    for (let i = 0; i < LIMITS.names; i += 1) await ask(`bit${i}.evil.example`);
    await expect(ask('secret.evil.example')).rejects.toMatchObject({ code: 'egress.names' });
    expect(asked.has('secret.evil.example')).toBe(false);
    await ask('bit7.evil.example'); // known already
    await ask('api.example', true); // named by a rule
    expect(asked.has('api.example')).toBe(true);
  });

  it('few are looked up at a time, and the others in turn', async () => {
    let now = 0;
    let most = 0;
    const resolver = createResolver(
      async () => {
        most = Math.max(most, (now += 1));
        await new Promise((resolve) => setImmediate(resolve));
        now -= 1;
        return answers('93.184.216.34')();
      },
      () => new Set(),
    );
    await Promise.all(Array.from({ length: 50 }, (_, i) => resolver.resolve({ host: `n${i}.example`, private: false, exact: true })));
    expect([most, now]).toEqual([LIMITS.lookups, 0]);
  });

  it('a name without an answer is unresolved', async () => {
    await expect(dialled(answers())).rejects.toMatchObject({ code: 'egress.unresolved' });
    await expect(dialled(() => Promise.reject(new Error('ENOTFOUND')))).rejects.toMatchObject({ code: 'egress.unresolved' });
  });
});
