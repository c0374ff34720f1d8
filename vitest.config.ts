// Test projects: `unit` does no I/O; the others share one sandbox started by the global set-up.
import { defineConfig } from 'vitest/config';

/** A project on the sandbox: its test files run in parallel, each with databases of its own. */
const onSandbox = (name: string, testTimeout: number) => ({
  test: {
    name,
    // Of the sandbox's tests a real SQL Server is held to the contract only.
    include: [
      `test/${name}/**/${name === 'sandbox' && process.env.WALBRIDGE_TEST_MSSQL ? 'contract-' : ''}*.test.ts`,
    ],
    globalSetup: ['sandbox/vitest-setup.ts'],
    testTimeout,
    hookTimeout: 60_000,
  },
});

export default defineConfig({
  test: {
    projects: [
      // Property tests take seconds on a busy machine.
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 30_000 } },
      onSandbox('sandbox', 30_000),
      onSandbox('integration', 60_000),
      {
        test: {
          ...onSandbox('faults', 600_000).test,
          // They run the built command line; they kill processes and measure delays: one file at a time.
          globalSetup: ['test/faults/build.ts', 'sandbox/vitest-setup.ts'],
          fileParallelism: false,
        },
      },
    ],
  },
});
