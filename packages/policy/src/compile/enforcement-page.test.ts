/** docs/enforcement.md says what the compilers report. */
import fs from 'node:fs';
import { expect, it } from 'vitest';
import { BACKENDS } from './_backends.ts';
import { enforcementTables, PAGE, withTables } from './_enforcement-page.ts';

const page = fs.readFileSync(PAGE, 'utf8');

it('the tables of docs/enforcement.md are what the compilers report; renew them by running _enforcement-page.ts', () => {
  expect(page).toBe(withTables(page, enforcementTables()));
});

it('the page says which backends were run, and that no other was', () => {
  const [run] = page.split('\n').filter((line) => line.startsWith('Run: '));
  expect(run).toBe(
    `Run: ${BACKENDS.filter((backend) => backend.run)
      .map(({ name }) => name)
      .join(', ')}.`,
  );
  const [compiled] = page.split('\n').filter((line) => line.startsWith('Only compiled and checked against the contract: '));
  expect(compiled).toBe(
    `Only compiled and checked against the contract: ${[...new Set(BACKENDS.filter((backend) => !backend.run).map(({ name }) => name.split(',')[0]))].join(', ')}.`,
  );
});
