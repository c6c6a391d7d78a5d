import { defineConfig } from 'vitest/config';
import { countReporter } from './test/support/count-reporter.ts';

const minuteMs = 60_000;

export default defineConfig({
  test: {
    reporters: ['default', countReporter()],
    // Two cores, and the servers want some of them too.
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/house/**/*.test.ts', '{demo,testbed,bench}/**/*.test.ts'],
          // Some handle 16 MB documents, beside servers that take both cores.
          testTimeout: minuteMs,
        },
      },
      {
        test: {
          name: 'servers',
          include: ['test/{integration,fault,compat}/**/*.test.ts'],
          globalSetup: 'test/support/setup-servers.ts',
          testTimeout: minuteMs,
          hookTimeout: 2 * minuteMs,
        },
      },
    ],
  },
});
