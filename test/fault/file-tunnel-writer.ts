/**
 * Writes numbered entries through a file tunnel until it is killed, and says on standard output which are durable:
 * one line `lane number` for each receipt. Arguments: path, number to begin with.
 */
import { writeSync } from 'node:fs';
import { silentLogger } from '../../src/shared/logger.ts';
import { MemoryBudget } from '../../src/shared/memory-budget.ts';
import { FileTunnel } from '../../src/tunnel/file/file-tunnel.ts';
import { makeHeader } from '../support/oplog-entry.ts';

const LANES = 3;
const [, , path, first] = process.argv;

const tunnel = new FileTunnel({
  path,
  lanes: LANES,
  message: 'raw',
  jsonFormat: '',
  compressor: 'none',
  maxFileBytes: 200_000,
  budget: new MemoryBudget(4 * 1024 * 1024),
  logger: silentLogger,
});
await tunnel.open();
for (let number = Number(first); ; number++) {
  const lane = number % LANES;
  await tunnel.lane(lane).append(makeHeader({ lane, number, padBytes: (number * 37) % 3000 }));
  // Synchronous, so that what is said has left the process when it is killed.
  tunnel.lane(lane).flush(() => writeSync(1, `${lane} ${number}\n`));
  if (number % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
}
