import { describe, expect, it } from 'vitest';
import { canonicalAddress, isPrivateAddress } from './address.ts';

describe('an address that is not public', () => {
  it.each([
    '127.0.0.1',
    '127.255.255.254',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '169.254.169.254',
    '100.64.0.1',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    '224.0.0.1',
    '255.255.255.255',
    '198.18.0.1',
    '::1',
    '::',
    'fe80::1',
    'fc00::1',
    'fd00:ec2::254',
    'ff02::1',
    '2001:db8::1',
    'fec0::1',
    '::ffff:127.0.0.1',
    '::ffff:a9fe:a9fe',
    '64:ff9b::7f00:1',
    '64:ff9b:1::a00:1',
    '2002:7f00:1::',
    '2001:0:1:2:3:4:80ff:fffe',
    '::127.0.0.1',
    '::ffff:0:127.0.0.1',
    'not an address',
    '0x7f.0.0.1',
    '127.1',
    '',
  ])('%s', (address) => expect(isPrivateAddress(address)).toBe(true));

  it.each([
    '1.1.1.1',
    '8.8.8.8',
    '172.15.0.1',
    '172.32.0.1',
    '192.169.0.1',
    '100.63.255.255',
    '100.128.0.1',
    '2606:4700::1111',
    '::ffff:8.8.8.8',
    '64:ff9b::808:808',
  ])('is not %s', (address) => expect(isPrivateAddress(address)).toBe(false));
});

describe('the one form of an address', () => {
  it.each([
    ['::FFFF:127.0.0.1', '127.0.0.1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ])('of %s is %s', (text, canonical) => expect(canonicalAddress(text)).toBe(canonical));

  it.each(['127.1', '0127.0.0.1', '1.2.3', '::1%lo', '[::1]', 'localhost', '1.2.3.4 '])('is not had by %j', (text) =>
    expect(canonicalAddress(text)).toBeUndefined(),
  );
});
