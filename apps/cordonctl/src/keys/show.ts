/** `cordonctl keys show FILE`: what an organisation's root says. */
import { CordonError } from '@cordon/policy/errors.ts';
import { ROLE_NAMES } from '@cordon/policy/trust/founding.ts';
import { visible } from '@cordon/policy/visible.ts';
import { readOrganisation } from './organisation-file.ts';

export const showCommand = async (args: readonly string[]): Promise<number> => {
  const [file] = args;
  if (file === undefined) throw new CordonError('cli.usage', 'cordonctl keys show FILE: an organisation.json');
  const { org, fingerprint, trusted } = await readOrganisation(file, new Date());
  const { version, epoch, expiresAt } = trusted.document;
  const roles = ROLE_NAMES.map((role) => {
    const keys = [...trusted.keys(role).keys()];
    const { threshold = 0 } = trusted.document.roles[role] ?? {};
    return `  ${role.padEnd(11)} ${keys.length === 0 ? 'none' : `${threshold} of ${keys.length}: ${keys.join(', ')}`}`;
  });
  process.stdout.write(
    `${[`organisation ${org}`, `fingerprint  ${fingerprint}`, `root         version ${version}, epoch ${epoch}, until ${expiresAt}`, ...roles].map(visible).join('\n')}\n`,
  );
  return 0;
};
