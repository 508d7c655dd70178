/** What the policy in force says of an agent that was found: the same resolution as for a launch. */
import { PRIVACY, type Privacy, type Settings, type Uncontained } from '@cordon/policy/effective.ts';
import type { Inventory } from '@cordon/policy/protocol/inventory.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Account } from '../local-api/accounts.ts';
import { effectiveFor } from '../runs/decide.ts';
import { subjectOf } from '../runs/subject.ts';
import { pathShown } from '../telemetry/privacy.ts';

/** Nothing in force says nothing: what is found is reported, in full. */
const UNSAID: Pick<Settings, 'uncontained' | 'privacy'> = {
  uncontained: 'report',
  privacy: { paths: PRIVACY.paths[0], hosts: PRIVACY.hosts[0], users: PRIVACY.users[0] },
};

/** @param file what shows that it is that agent */
export const settingsFor = (
  state: VerifiedState | undefined,
  agent: string,
  file: string,
  account: Account,
): Pick<Settings, 'uncontained' | 'privacy'> => {
  if (state === undefined) return UNSAID;
  const subject = subjectOf([file.startsWith('/') ? file : '/'], '/', account, agent);
  return effectiveFor(state, subject, '/', account).settings;
};

export const uncontainedFor = (state: VerifiedState | undefined, agent: string, file: string, account: Account): Uncontained =>
  settingsFor(state, agent, file, account).uncontained;

/** A user by a name that means nothing elsewhere, and the same each time. */
const pseudonymOf = (device: string, user: string): string => (user === '' ? '' : `user-${sha256Hex(`${device} ${user}`).slice(0, 16)}`);

/** What telemetry may say, of one thing. */
export const discreet = <T extends { readonly osUser: string; readonly place?: string; readonly program?: string }>(
  one: T,
  { paths, users }: Privacy,
  device: string,
): T => {
  const place = (text: string): string => (text === '' ? '' : pathShown(text, paths));
  return {
    ...one,
    osUser: users === 'full' ? one.osUser : users === 'pseudonym' ? pseudonymOf(device, one.osUser) : '',
    ...(one.place !== undefined && { place: place(one.place) }),
    // Of an MCP server it is a name and no path.
    ...(one.program?.includes('/') === true && { program: place(one.program) }),
  };
};

/** The same for all of an inventory. @param privacyOf of an agent and its user */
export const discreetInventory = (
  { agents, servers, uncontained, leftOut }: Inventory,
  privacyOf: (agent: string, user: string) => Privacy,
  device: string,
): Inventory => ({
  agents: agents.map((one) => discreet(one, privacyOf(one.agent, one.osUser), device)),
  servers: servers.map((one) => discreet(one, privacyOf(one.agent, one.osUser), device)),
  uncontained: uncontained.map((one) => discreet(one, privacyOf(one.agent, one.osUser), device)),
  leftOut,
});
