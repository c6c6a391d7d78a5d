/**
 * Adds the entries that npm leaves out of package-lock.json when a registry does not hold an optional package for
 * another platform. Without them `npm ci` calls the lock file out of date. Run it after `npm install`; a test says
 * when that is needed. The entries have no integrity: they are only ever fetched on the platform they name.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const systems = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'];
const processors = ['arm64', 'arm', 'x64', 'ia32', 'ppc64', 'riscv64', 's390x'];

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
for (const owner of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(owner.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`;
    if (lock.packages[path] !== undefined) continue;
    const words = name.split(/[-/]/);
    const os = systems.filter((it) => words.includes(it));
    const cpu = processors.filter((it) => words.includes(it));
    if (os.length === 0 || cpu.length === 0) throw new Error(`Cannot tell the platform of ${name}`);
    lock.packages[path] = { version, cpu, ...(owner.dev ? { dev: true } : {}), optional: true, os };
    console.log(`added ${name}`);
  }
}
const sorted = Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en'));
lock.packages = Object.fromEntries(sorted);
writeFileSync('package-lock.json', `${JSON.stringify(lock, undefined, 2)}\n`);
