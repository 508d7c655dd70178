/** A device in a company's network: through a proxy that wants a password, opens TLS and lets no WebSocket through, with the same channel as anywhere. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { someFacts } from '../apps/control-plane/tests/_util.ts';
import { enroll } from '../apps/endpoint-agent/src/identity/enroll.ts';
import { openNetwork, type Network } from '../apps/endpoint-agent/src/network/network.ts';
import { HOST, startCompanyProxy, type CompanyProxy } from './_company-proxy.ts';
import { makeFolder, start, wake, type Fleeting, type Running } from './_fleet.ts';
import { loosen, makeOrganisation, reach, type Organisation } from './_recovery.ts';

const PASSWORD = 'a%word: with signs';

interface House {
  readonly plane: Running;
  readonly organisation: Organisation;
  readonly proxy: CompanyProxy;
  readonly network: Network;
  readonly server: string;
}

const build = async (): Promise<House> => {
  const organisation = await makeOrganisation('--root-keys', '1', '--root-threshold', '1');
  const plane = await start(organisation.site, organisation.at('org/server'));
  await loosen(plane, organisation, 1);
  const folder = makeFolder();
  const proxy = await startCompanyProxy(folder, plane.deviceUrl, `device:${PASSWORD}`);
  onTestFinished(proxy.stop);
  const proxyAuthFile = path.join(folder, 'auth');
  fs.writeFileSync(proxyAuthFile, `device:${PASSWORD}\n`, { mode: 0o600 });
  const network = openNetwork({ caFile: proxy.caFile, proxy: proxy.url, straight: 'localhost', proxyAuthFile });
  return { plane, organisation, proxy, network, server: `https://${HOST}:${new URL(plane.deviceUrl).port}` };
};

const join = async ({ plane, network, server }: House, name: string): Promise<Fleeting> => {
  const { token } = await plane.ask<{ token: string }>('POST', '/enrollment-tokens', { name });
  const stateDir = makeFolder();
  await enroll({ stateDir, server, token, facts: someFacts(name), now: new Date(), means: { network } });
  const device = await wake(stateDir, network);
  await expect.poll(device.inForce, { timeout: 30_000, message: device.said.join('\n') }).toBeDefined();
  return device;
};

const acknowledged = async (plane: Running, device: Fleeting): Promise<number | null> =>
  (await plane.ask<{ enforced: { serial: number | null } }>('GET', `/devices/${device.id}/compliance`)).enforced.serial;

describe('a company’s network', () => {
  it('that lets no WebSocket through has the same channel by plain requests', { timeout: 120_000 }, async () => {
    const house = await build();
    const { plane, organisation, proxy } = house;
    const device = await join(house, 'one');
    // Twice a WebSocket was tried, then it went otherwise.
    expect(proxy.requests.filter((request) => request.startsWith('UPGRADE'))).toHaveLength(2);
    expect(proxy.requests).toContain('POST /agent/v1/tunnel');
    expect(proxy.tunnels.every(({ isKnown }) => isKnown)).toBe(true);
    expect(device.said.join('\n')).toContain('the channel goes by plain requests');
    // A publish is in force and acknowledged, as on any channel.
    await loosen(plane, organisation, 2);
    await reach(device, 2);
    await expect.poll(() => acknowledged(plane, device), { timeout: 10_000 }).toBe(device.inForce()?.serial);
    // Answers that are lost on the way cost no session, and nothing that was in them.
    const sessions = proxy.requests.filter((request) => request === 'POST /agent/v1/session').length;
    proxy.lose = 2;
    await loosen(plane, organisation, 3);
    await reach(device, 3);
    expect(proxy.lose).toBe(0);
    expect(proxy.requests.filter((request) => request === 'POST /agent/v1/session')).toHaveLength(sessions);
    // Nothing of the password is in what it says.
    expect(device.said.join('\n')).not.toContain('word');
    // Revoked on the server, closed on the device: close codes come through too.
    await plane.ask('POST', `/devices/${device.id}/revoke`);
    await expect.poll(() => device.said.join('\n'), { timeout: 10_000 }).toContain('channel closed (4401');
  });

  it('that answers an Upgrade with a page of its own is found out as well', { timeout: 120_000 }, async () => {
    const house = await build();
    house.proxy.upgrades = 'strip';
    const device = await join(house, 'one');
    expect(house.proxy.requests).toContain('POST /agent/v1/tunnel');
    expect(device.channel.connected()).toBe(true);
  });

  it('that lets WebSockets through is used with them', { timeout: 120_000 }, async () => {
    const house = await build();
    house.proxy.upgrades = 'pass';
    const device = await join(house, 'one');
    expect(house.proxy.requests).toContain('UPGRADE /agent/v1/channel');
    expect(house.proxy.requests).not.toContain('POST /agent/v1/tunnel');
    await loosen(house.plane, house.organisation, 2);
    await reach(device, 2);
  });
});
