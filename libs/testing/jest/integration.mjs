import preset from './preset.mjs';

export default {
  ...preset,
  rootDir: process.cwd(),
  testMatch: ['**/*.int.spec.ts'],
  testTimeout: 60_000,
  maxWorkers: 1,
};
