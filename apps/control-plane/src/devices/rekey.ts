/** What a rotation of a device's key must prove. Pure. */
import type { DeviceJwk } from '@cordon/policy/protocol/enrollment.ts';
import { RekeyStatement } from '@cordon/policy/protocol/enrollment.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { openGeneral } from '@cordon/policy/trust/envelope.ts';
import { admit, checkPublicKey, thumbprint } from '@cordon/policy/trust/keys.ts';
import type { Static } from 'typebox';
import { Compile } from 'typebox/compile';

const MAX_STATEMENT = 8192;
const validator = Compile(RekeyStatement);

/**
 * Exactly two signatures over the same bytes: by the key before and by the next, which the statement names. Neither a thief of the old key alone nor whoever
 * offers a key that is not theirs gets through.
 * @throws CordonError rekey.signatures, rekey.statement, jws.*, key.refused
 */
export const verifyRekey = async (text: string, from: DeviceJwk, to: DeviceJwk): Promise<Static<typeof RekeyStatement>> => {
  const [before, next] = [thumbprint(checkPublicKey(from)), thumbprint(checkPublicKey(to))];
  if (before === next) throw new CordonError('rekey.signatures', 'the next key must be another one');
  const { payload, kids } = await openGeneral(text, {
    typ: 'cordon-rekey+jws',
    keys: admit(from, to),
    maxBytes: MAX_STATEMENT,
  });
  const { signatures } = JSON.parse(text) as { signatures: readonly unknown[] };
  if (signatures.length !== 2 || kids.size !== 2)
    throw new CordonError('rekey.signatures', 'the statement must be signed exactly twice: by the key before and by the next');
  if (!validator.Check(payload) || payload.from !== before || payload.to !== next)
    throw new CordonError('rekey.statement', 'the statement is not one about these two keys');
  return payload;
};
