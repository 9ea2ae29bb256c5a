import preset from './preset.mjs';

export default {
  ...preset,
  rootDir: process.cwd(),
  testMatch: ['**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '\\.int\\.spec\\.ts$'],
  testTimeout: 10_000,
};
