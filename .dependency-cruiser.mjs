// What may import what. docs/adr and the tour say why; here it is checked.
const only = (name, comment, path, pathNot, to) => ({
  name,
  severity: 'error',
  comment,
  from: { path, pathNot },
  to,
});

// Pure files: they decide, and everything they need comes in as a value.
const DOMAIN = [
  '^apps/[^/]+/src/.*/(order|stock|reservation|wallet|authorization|ledger)\\.ts$',
  '^apps/[^/]+/src/.*/[^/]+\\.(saga|decider)\\.ts$',
  '^libs/transactions/[^/]+/src/(decide|definition|state)\\.ts$',
  '^libs/simulation/',
];
const TESTS = '\\.spec(-data)?\\.ts$|/test/|^libs/(testing|harness)/|^(e2e|bench)/';

export default {
  forbidden: [
    only('no-circles', 'Two files that need each other are one file.', '.', undefined, {
      circular: true,
      viaOnly: { dependencyTypesNot: ['type-only'] },
    }),
    only(
      'apps-are-islands',
      'Services share contracts and messages, never code.',
      '^apps/([^/]+)/',
      undefined,
      { path: '^apps/', pathNot: '^apps/$1/' },
    ),
    only('libs-know-no-app', 'A library serves any service.', '^libs/', undefined, { path: '^apps/' }),
    only(
      'contracts-import-zod-alone',
      'Whoever reads a message needs nothing else.',
      '^libs/contracts/src/',
      TESTS,
      { pathNot: '^libs/contracts/|node_modules/zod/' },
    ),
    only(
      'protocols-are-independent',
      'Saga, TCC and 2PC share the outbox and due work, not each other.',
      '^libs/transactions/(saga|tcc|two-phase-commit)/',
      undefined,
      {
        path: '(^libs|@faultline)/(transactions/)?(saga|tcc|two-phase-commit)/',
        pathNot: '(^libs/transactions|node_modules/@faultline)/$1/',
      },
    ),
    only(
      'domain-is-pure',
      'A decision runs in the service and in the simulator: no framework, no driver, no clock, no randomness.',
      DOMAIN,
      TESTS,
      {
        path: 'node_modules/(@nestjs|@prisma|pg|kafkajs|opossum|pino|uuid|@opentelemetry)/|^libs/platform/|node_modules/@faultline/(database|messaging|http-server|http-client|telemetry|health|operations|chaos)/|/src/generated/',
      },
    ),
    only('domain-has-no-clock', 'Time and chance come in as values.', DOMAIN, TESTS, {
      dependencyTypes: ['core'],
    }),
    only(
      'kafkajs-behind-its-wall',
      'The client can be replaced in one folder.',
      '.',
      '^libs/platform/messaging/',
      { path: 'node_modules/kafkajs/' },
    ),
    only(
      'opossum-behind-its-wall',
      'Its traps are handled in one folder.',
      '.',
      '^libs/platform/resilience/',
      { path: 'node_modules/opossum/' },
    ),
    only(
      'pg-in-stores',
      'SQL lies in stores, queries and the database package.',
      '^(apps|libs)/',
      [TESTS, '^libs/platform/database/', '\\.(store|queries)\\.ts$', '/sql/'],
      { path: 'node_modules/pg/', dependencyTypesNot: ['type-only'] },
    ),
    only(
      'prisma-for-readers',
      'Prisma reads for people; steps are SQL.',
      '^(apps|libs)/',
      [
        TESTS,
        '^libs/platform/database/',
        '\\.queries\\.ts$',
        'app\\.module\\.ts$',
        '/src/generated/',
        'prisma\\.config\\.ts$',
      ],
      { path: 'node_modules/@prisma/|/src/generated/', dependencyTypesNot: ['type-only'] },
    ),
    only(
      'chaos-is-wired-once',
      'A fault wraps a port from outside.',
      '^(apps|libs)/',
      ['app\\.module\\.ts$', '^libs/platform/chaos/'],
      { path: '(^libs/platform|node_modules/@faultline)/chaos/' },
    ),
    only('through-the-front-door', 'A package is entered by its index.', '^(apps|libs|e2e)/', undefined, {
      path: 'node_modules/@faultline/[^/]+/(src|dist)/',
      pathNot: '/(src|dist)/index\\.',
    }),
    only(
      'no-way-around-the-front-door',
      'A package is entered by its name.',
      '^libs/(contracts|testing|harness|[^/]+/[^/]+)/',
      undefined,
      { path: '^libs/[^/]+/', pathNot: '^libs/$1/', dependencyTypes: ['local'] },
    ),
    only('no-way-into-a-lib-from-an-app', 'A package is entered by its name.', '^apps/', undefined, {
      path: '^libs/',
      dependencyTypes: ['local'],
    }),
    only('tests-stay-tests', 'What runs in production never imports a test.', '^(apps|libs)/', TESTS, {
      path: '\\.spec\\.ts$|^libs/testing/|node_modules/@faultline/testing/',
    }),
    only('everything-resolves', 'An import that cannot be found was never checked.', '^(apps|libs)/', TESTS, {
      couldNotResolve: true,
    }),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/|\\.d\\.m?ts$' },
    tsConfig: { fileName: 'tsconfig.base.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'default', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.json'],
    },
    skipAnalysisNotInRules: true,
  },
};
