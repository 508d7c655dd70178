import type { LookupAddress } from 'node:dns';
import { describe, expect, it } from 'vitest';
import { resolveHost } from './resolve-host.ts';

const answers =
  (...addresses: string[]): (() => Promise<LookupAddress[]>) =>
  async () =>
    addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
const dialled = async (lookup: () => Promise<LookupAddress[]>, allowPrivate = false, own: string[] = []): Promise<string[]> =>
  (await resolveHost('name.example', allowPrivate, lookup, new Set(own))).map(({ address }) => address);

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

describe('resolveHost', () => {
  it('gives every public answer', async () => {
    expect(await dialled(answers('93.184.216.34', '2606:2800:220:1::1'))).toEqual(['93.184.216.34', '2606:2800:220:1::1']);
  });

  it.each(PRIVATE)('%s is reached only where the rule says private', async (address) => {
    await expect(dialled(answers(address))).rejects.toMatchObject({ code: 'egress.private' });
    expect(await dialled(answers(address), true)).toEqual([address]);
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
    expect(await resolveHost('93.184.216.34', false, none, new Set())).toEqual([{ address: '93.184.216.34', family: 4 }]);
    await expect(resolveHost('127.0.0.1', false, none, new Set())).rejects.toMatchObject({ code: 'egress.private' });
    await expect(resolveHost('::1', false, none, new Set())).rejects.toMatchObject({ code: 'egress.private' });
  });

  it('a name without an answer is unresolved', async () => {
    await expect(dialled(answers())).rejects.toMatchObject({ code: 'egress.unresolved' });
    await expect(dialled(() => Promise.reject(new Error('ENOTFOUND')))).rejects.toMatchObject({ code: 'egress.unresolved' });
  });
});
