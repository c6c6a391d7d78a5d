import { writeSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/** Makes `N passed, N failed` the very last line of a run: tests counted, and what broke outside of any test. */
class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    let passed = 0;
    let failed = unhandled.length;
    for (const module of modules) {
      failed += module.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') passed += 1;
        else if (state !== 'skipped') failed += 1;
      }
    }
    // At the exit: the global teardown and Vitest itself may still print after this call.
    process.once('exit', () => writeSync(process.stdout.fd, `${passed} passed, ${failed} failed\n`));
  }
}

/** The reporter as vitest.config.ts takes it. */
export function countReporter(): Reporter {
  return new CountReporter();
}
