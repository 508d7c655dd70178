/** `cordon doctor`: what is missing here, and how to mend it. Status 1 where something failed. */
import { enrollConfigFile, proxyVariables, readConfig, takeJoinVariables } from '../config.ts';
import type { Check } from '../doctor/check.ts';
import { readEnrollConfig } from '../identity/join-request.ts';
import { printResult } from './output.ts';
import { argumentsOf } from './table.ts';

const MARKS = { ok: 'ok     ', warning: 'warning', failed: 'FAILED ', unknown: '?      ' } as const;
const FAILED_STATUS = 1;

/** What a person reads. */
export const doctorLines = (checks: readonly Check[]): string[] => {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const count = (state: Check['state']): number => checks.filter((check) => check.state === state).length;
  const [wrong, warnings] = [count('failed'), count('warning')];
  return [
    ...checks.flatMap(({ name, state, detail, mend }) => [
      `${MARKS[state]}  ${name.padEnd(width)}  ${detail}`,
      ...(mend === undefined ? [] : [`${' '.repeat(9)}${' '.repeat(width)}  to mend it: ${mend}`]),
    ]),
    wrong === 0
      ? `nothing is missing${warnings === 0 ? '' : `; ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`}`
      : `${wrong} of ${checks.length} checks failed`,
  ];
};

/** Where an unattended enrollment would go, if it was told. */
const unattendedServer = (): string | undefined => {
  const { server } = takeJoinVariables();
  if (server !== undefined) return server;
  try {
    return readEnrollConfig(enrollConfigFile())?.server;
  } catch {
    return undefined; // it is another account's, or wrong: enrollment says so
  }
};

export const doctorCommand = async (args: readonly string[]): Promise<number> => {
  const given = argumentsOf('doctor', args);
  const { examine } = await import('../doctor/doctor.ts');
  const checks = await examine({
    config: readConfig(),
    server: given.options.get('server') ?? unattendedServer(),
    proxies: proxyVariables(),
    now: () => new Date(),
  });
  const passed = checks.every(({ state }) => state !== 'failed');
  printResult(given, { passed, checks }, () => doctorLines(checks));
  return passed ? 0 : FAILED_STATUS;
};
