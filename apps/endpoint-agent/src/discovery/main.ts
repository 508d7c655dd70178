/**
 * A process of its own for each account, with that account's rights: whatever lies in a home can make it read nothing that its owner could not read, and can
 * hold up or end nothing but this process. Asked on standard input, answers on standard output.
 */
import fs from 'node:fs';
import { scanAccount } from './account.ts';
import type { Whose } from './account-scan.ts';
import { thisMachine } from './reader.ts';

const whose = JSON.parse(fs.readFileSync(0, 'utf8')) as Whose;
process.stdout.write(JSON.stringify(scanAccount(thisMachine, whose)));
