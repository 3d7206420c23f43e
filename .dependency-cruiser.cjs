// Which file may import which. The layers of the server, the entries of the packages, and no cycles; type imports count.

const server = '^packages/server/src/'
const tests = '[.](test|fixture)[.]ts$'

/**
 * The layers of packages/server/src, from the top. A file imports from lower layers and from its own place, never sideways or
 * upwards, type imports included: what a folder needs from above is handed to it.
 */
const layers = [
  { main: 'main[.]ts', index: 'index[.]ts' },
  { server: 'server[.]ts' },
  { compose: 'compose/' },
  { sockets: 'sockets/', http: 'http/' },
  { receive: 'receive/' },
  { commands: 'commands/' },
  { connections: 'connections/' },
  { presence: 'presence/', subscriptions: 'subscriptions/' },
  { publish: 'publish/' },
  { telemetry: 'telemetry/' },
  { delivery: 'delivery/', webhooks: 'webhooks/' },
  { persistence: 'persistence/', cluster: 'cluster/' },
  { state: 'state/' },
  { 'log/redis': 'log/redis/' },
  { 'log/remote': 'log/remote/', redis: 'redis/' },
  { log: 'log/[^/]+$' },
  { auth: 'auth/', limits: 'limits/', peers: 'peers/' },
  { observability: 'observability/' },
  { config: 'config/', kit: 'kit/' },
].map((layer) => Object.entries(layer).map(([name, path]) => ({ name, path: server + path })))

const places = layers.flat().map(({ path }) => path)

/** For each place: whatever is higher, or beside it on its layer, is out of reach. */
const layerRules = layers.flatMap((layer, level) =>
  layer.map(({ name, path }) => ({
    name: `layer-of-${name}`,
    comment: 'A folder of the server imports downwards only (see the layers in this file).',
    severity: 'error',
    from: { path, pathNot: tests },
    to: {
      path: [...layers.slice(0, level).flat(), ...layer].map((other) => other.path).filter((other) => other !== path),
    },
  })),
)

module.exports = {
  forbidden: [
    ...layerRules.filter((rule) => rule.to.path.length > 0),
    {
      name: 'every-file-has-a-layer',
      comment: 'A new folder of the server gets a place among the layers in this file.',
      severity: 'error',
      from: { path: server, pathNot: [...places, tests] },
      to: {},
    },
    {
      name: 'every-imported-file-has-a-layer',
      comment: 'A new folder of the server gets a place among the layers in this file.',
      severity: 'error',
      from: {},
      to: { path: server, pathNot: [...places, tests] },
    },
    {
      name: 'no-cycles',
      comment: 'A cycle hides which of its files can be understood first.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'packages-are-imported-by-name',
      comment: 'Another package is imported by its name, through the `exports` of its package.json.',
      severity: 'error',
      from: { path: '^packages/([^/]+)/' },
      to: { path: '^packages/', pathNot: '^packages/$1/', dependencyTypesNot: ['aliased-workspace'] },
    },
    {
      name: 'packages-are-imported-by-name-by-the-rest-too',
      comment: 'Another package is imported by its name, through the `exports` of its package.json.',
      severity: 'error',
      from: { path: '^(bench|examples|scripts|test)/' },
      to: { path: '^packages/', dependencyTypesNot: ['aliased-workspace'] },
    },
    {
      name: 'protocol-stands-alone',
      comment: 'The protocol outlives the server: it imports nothing of ours.',
      severity: 'error',
      from: { path: '^packages/protocol/src/', pathNot: tests },
      to: { path: '^(packages|bench|scripts|test|examples)/', pathNot: '^packages/protocol/' },
    },
    {
      name: 'client-knows-the-protocol-only',
      comment: 'The client is what others put into their own programs and pages.',
      severity: 'error',
      from: { path: '^packages/client/src/', pathNot: tests },
      to: { path: '^(packages|bench|scripts|test|examples)/', pathNot: '^packages/(client|protocol)/' },
    },
    {
      name: 'console-knows-client-and-protocol-only',
      comment: 'The console is a client of the bus like any other.',
      severity: 'error',
      from: { path: '^packages/console/(src|page)/', pathNot: tests },
      to: { path: '^(packages|bench|scripts|test|examples)/', pathNot: '^packages/(console|client|protocol)/' },
    },
    {
      name: 'server-knows-the-protocol-only',
      severity: 'error',
      from: { path: server, pathNot: tests },
      to: { path: '^(packages|bench|scripts|test|examples)/', pathNot: '^packages/(server|protocol)/' },
    },
    {
      name: 'cli-composes-server-console-and-client',
      comment: 'The command line starts the server with its console, and speaks to a bus as a client.',
      severity: 'error',
      from: { path: '^packages/cli/src/', pathNot: tests },
      to: {
        path: '^(packages|bench|scripts|test|examples)/',
        pathNot: '^packages/(cli|server|console|client|protocol)/',
      },
    },
    {
      name: 'no-runtime-in-protocol-and-client',
      comment: 'They also run in browsers, as the page of the console does: nothing of Node or Bun.',
      severity: 'error',
      from: { path: '^packages/((protocol|client)/src|console/page)/', pathNot: tests },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-tests-in-the-product',
      severity: 'error',
      from: { path: '^packages/', pathNot: [tests, '^packages/testing/', '^packages/[^/]+/test/'] },
      to: { path: [tests, '^packages/testing/', '^(bench|test|scripts|examples)/'] },
    },
    {
      name: 'examples-use-what-users-have',
      comment: 'An example imports what its reader can install: the client, and the protocol.',
      severity: 'error',
      from: { path: '^examples/', pathNot: tests },
      to: { path: '^packages/', pathNot: '^packages/(client|protocol)/' },
    },
    {
      name: 'resolvable',
      comment: 'An import that leads nowhere, or past the `exports` of a package.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^bun(:|$)' },
    },
    {
      name: 'declared',
      comment: 'A package that the code needs stands in the package.json of the one that needs it.',
      severity: 'error',
      from: { path: '^packages/[^/]+/(src|page)/', pathNot: tests },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-dev-dependencies-in-the-product',
      severity: 'error',
      from: { path: '^packages/(protocol|server|client|cli|console)/(src|page)/', pathNot: tests },
      to: {
        dependencyTypes: ['npm-dev'],
        dependencyTypesNot: ['type-only', 'npm'],
        pathNot: '^node_modules/(@types|bun-types)/',
      },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    combinedDependencies: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'bun', 'node', 'default'],
    },
  },
}
