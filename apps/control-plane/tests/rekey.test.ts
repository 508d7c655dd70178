/** A device's next key, as the control plane takes it. */
import { signGeneral, type ObjectType } from '@cordon/policy/trust/envelope.ts';
import { thumbprint, type KeyPair } from '@cordon/policy/trust/keys.ts';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, enrol, sessionProof, ticketOf, upgrade } from './_channel.ts';
import { enrolDevice, newKey, startPlane, type Answer, type TestPlane } from './_util.ts';

let test: TestPlane;
beforeAll(async () => {
  test = await startPlane();
});
afterAll(() => test.close());

type Reply = Answer<{ key?: string; code?: string }>;
const nonceFor = async (path: string, device: string): Promise<string> =>
  (await test.device<{ nonce: string }>('POST', `${path}/challenge`, { device })).body.nonce;
interface Change {
  readonly signers?: readonly KeyPair[];
  readonly stated?: object;
  readonly nonce?: string;
  readonly typ?: ObjectType;
}
const rekey = async (device: string, from: KeyPair, to: KeyPair, change: Change = {}): Promise<Reply> => {
  const statement = {
    org: test.plane.context.organisation.orgId,
    device,
    nonce: change.nonce ?? (await nonceFor('/rekey', device)),
    from: thumbprint(from.jwk),
    to: thumbprint(to.jwk),
    ...change.stated,
  };
  return test.device('POST', '/rekey', {
    device,
    from: from.jwk,
    to: to.jwk,
    statement: await signGeneral(statement, change.typ ?? 'cordon-rekey+jws', change.signers ?? [from, to]),
  });
};
const opens = async (device: string, key: KeyPair): Promise<number> =>
  (await test.device('POST', '/session', { device, proof: await sessionProof(test, device, await nonceFor('/session', device), key) }))
    .status;
const refusal = ({ status, body }: Reply): unknown => [status, body.code];
const make = async (): Promise<{ id: string; key: KeyPair }> => {
  const key = newKey();
  return { id: (await enrol(test, undefined, key)).id, key };
};
const audited = async (device: string): Promise<unknown[]> =>
  (await test.admin<{ items: { detail: unknown }[] }>('GET', `/audit?subject=${device}&action=device.rekey`)).body.items.map(
    ({ detail }) => detail,
  );

describe('the next key of a device', () => {
  it('is in force at once: the old one opens nothing any more, not even with a ticket that it has got before', async () => {
    const { id, key } = await make();
    const next = newKey();
    const early = ticketOf(test, id);
    const channel = connect(test, id);
    await channel.next('welcome');
    const late = ticketOf(test, id);
    expect((await rekey(id, key, next)).body).toEqual({ device: id, key: next.kid });
    expect(await channel.closed).toEqual({ code: 4409, reason: 'device.rekeyed' });
    expect([await opens(id, key), await opens(id, next)]).toEqual([401, 200]);
    for (const ticket of [early, late]) {
      const socket = upgrade(test, ticket);
      socket.on('error', () => undefined);
      const [, { statusCode }] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
      expect(statusCode).toBe(403);
    }
    const open = upgrade(test, ticketOf(test, id, 2));
    await once(open, 'open');
    open.close();
    const view = await test.admin<{ id: string; thumbprint: string; keySince: string; enrolledAt: string }>('GET', `/devices/${id}`);
    expect(view.body).toMatchObject({ id, thumbprint: next.kid });
    expect(view.body.keySince > view.body.enrolledAt).toBe(true);
    expect(await audited(id)).toEqual([{ from: key.kid, to: next.kid, generation: 2 }]);
  });

  it('has the same answer when it is asked for again, also at once, and is counted once', async () => {
    const { id, key } = await make();
    const next = newKey();
    const answers = await Promise.all(Array.from({ length: 6 }, () => rekey(id, key, next)));
    answers.push(await rekey(id, key, next));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.key}`))).toEqual(new Set([`200 ${next.kid}`]));
    expect(await audited(id)).toHaveLength(1);
  });

  it('of two that are asked for at once is one', async () => {
    const { id, key } = await make();
    const keys = Array.from({ length: 6 }, newKey);
    const answers = await Promise.all(keys.map((next) => rekey(id, key, next)));
    const won = keys.filter((_, i) => answers[i]?.status === 200);
    expect(won).toHaveLength(1);
    for (const answer of answers.filter(({ status }) => status !== 200)) expect(refusal(answer)).toEqual([401, 'rekey.refused']);
    expect((await test.admin<{ thumbprint: string }>('GET', `/devices/${id}`)).body.thumbprint).toBe(won[0]?.kid);
  });

  it('is proved by both keys, for this device, organisation and challenge, and by nothing else', async () => {
    const [{ id, key }, other] = [await make(), await make()];
    const [next, thief] = [newKey(), newKey()];
    const enrolment = (await test.device<{ nonce: string }>('POST', '/session/challenge', { device: id })).body.nonce;
    const wrong: readonly Promise<Reply>[] = [
      rekey(id, key, next, { signers: [key] }),
      rekey(id, key, next, { signers: [next] }),
      rekey(id, key, next, { signers: [key, key] }),
      rekey(id, key, next, { signers: [thief, next] }),
      rekey(id, key, next, { signers: [key, thief] }),
      rekey(id, key, next, { signers: [key, next, thief] }),
      rekey(id, thief, next),
      rekey(id, other.key, next),
      rekey(id, key, key, { signers: [key, key] }),
      rekey(id, key, next, { stated: { org: 'org_other' } }),
      rekey(id, key, next, { stated: { device: other.id } }),
      rekey(id, key, next, { stated: { to: thief.kid } }),
      rekey(id, key, next, { stated: { more: 1 } }),
      rekey(id, key, next, { nonce: 'A'.repeat(51) }),
      rekey(id, key, next, { nonce: enrolment }),
      rekey(id, key, next, { nonce: await nonceFor('/rekey', other.id) }),
      rekey(id, key, next, { typ: 'cordon-enroll+jws' }),
      rekey('dev_AAAAAAAAAAAAAAAAAAAA', key, next),
    ];
    for (const answer of await Promise.all(wrong)) expect(refusal(answer)).toEqual([401, 'rekey.refused']);
    expect(
      refusal(
        await test.device('POST', '/rekey', { device: id, from: key.jwk, to: { ...next.jwk, x: `AQ${'A'.repeat(41)}` }, statement: '{}' }),
      ),
    ).toEqual([401, 'rekey.refused']);
    expect((await rekey(id, key, next)).status).toBe(200);
  });

  it('is never one that a device has or had, and neither enrols again', async () => {
    const [one, two] = [await make(), await make()];
    expect(refusal(await rekey(one.id, one.key, two.key))).toEqual([409, 'rekey.key-known']);
    const next = newKey();
    expect((await rekey(one.id, one.key, next)).status).toBe(200);
    expect(refusal(await rekey(one.id, next, one.key))).toEqual([409, 'rekey.key-known']);
    expect(refusal(await rekey(two.id, two.key, one.key))).toEqual([409, 'rekey.key-known']);
    const token = await test.admin<{ token: string }>('POST', '/enrollment-tokens', { body: { name: 'again' } });
    expect(refusal(await enrolDevice(test, token.body.token, one.key))).toEqual([409, 'enroll.key-known']);
    expect(refusal(await enrolDevice(test, token.body.token, next))).toEqual([409, 'enroll.key-known']);
  });

  it('is not for a device that ended', async () => {
    const { id, key } = await make();
    await test.admin('POST', `/devices/${id}/retire`);
    expect(refusal(await rekey(id, key, newKey()))).toEqual([401, 'rekey.refused']);
  });

  it('leaves the one before in a table that nobody changes', async () => {
    const { id, key } = await make();
    expect((await rekey(id, key, newKey())).status).toBe(200);
    const { pool } = test.plane.context;
    await expect(pool.query('DELETE FROM former_key WHERE device_id = $1', [id])).rejects.toThrow(/permission denied/);
    const kept = await test.plane.context.prisma.formerKey.findUniqueOrThrow({ where: { thumbprint: key.kid } });
    expect([kept.deviceId, kept.jwk]).toEqual([id, key.jwk]);
  });
});
