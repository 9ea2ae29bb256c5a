import preset from './preset.mjs';

// One file at a time: each starts whole systems.
export default {
  ...preset,
  rootDir: process.cwd(),
  testMatch: ['**/*.e2e.spec.ts'],
  testTimeout: 120_000,
  maxWorkers: 1,
  // What a failed test left waiting must not keep the run from ending and from saying so.
  forceExit: true,
};
