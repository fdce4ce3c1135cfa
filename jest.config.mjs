/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2024' }, module: { type: 'es6' }, sourceMaps: 'inline' },
    ],
  },
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  globalSetup: '<rootDir>/hack/jest-global-setup.mjs',
  // Files with a control plane of their own wait more than they compute: two go well side by side on two cores.
  maxWorkers: 2,
  testTimeout: 120_000,
  reporters: ['default', '<rootDir>/hack/summary-reporter.mjs'],
};
