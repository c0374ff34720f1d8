// Who may import whom. Rooms stand in one order, lowest first; imports run downwards only.
const rooms = [
  'text',
  'fault',
  'change',
  'config',
  'capture',
  'canonical',
  'mapping',
  'quality',
  'lanes',
  'warehouse',
  'ops',
  'daemon',
  'cli',
];
// What a room must not know although it stands higher.
const blind = {
  capture: ['config'],
  canonical: ['config', 'capture'],
  mapping: ['config', 'capture'],
  quality: ['config', 'capture'],
  lanes: ['config', 'capture', 'canonical', 'mapping', 'quality'],
  warehouse: ['config', 'capture', 'lanes'],
  ops: ['change', 'config', 'capture', 'canonical', 'mapping', 'quality', 'lanes', 'warehouse'],
};
const drivers = {
  'pg-logical-replication': ['capture'],
  pg: ['capture', 'lanes'],
  mssql: ['warehouse'],
  tedious: ['warehouse'],
  bullmq: ['lanes'],
  ioredis: ['lanes'],
  avsc: ['canonical'],
  'prom-client': ['ops'],
};

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'src-stands-alone',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(sandbox|test|bench)/' },
    },
    ...rooms.map((room, rank) => ({
      name: `downwards-only-${room}`,
      severity: 'error',
      from: { path: `^src/${room}/` },
      to: { path: `^src/(${rooms.slice(rank + 1).join('|') || 'none'})/` },
    })),
    ...Object.entries(blind).map(([room, unseen]) => ({
      name: `${room}-knows-nothing-of`,
      severity: 'error',
      from: { path: `^src/${room}/` },
      to: { path: `^src/(${unseen.join('|')})/` },
    })),
    ...Object.entries(drivers).map(([driver, owners]) => ({
      name: `only-${owners.join('-')}-speaks-${driver}`,
      severity: 'error',
      from: { path: '^src/', pathNot: `^src/(${owners.join('|')})/` },
      to: { path: `node_modules/(@types/)?${driver}/` },
    })),
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
  },
};
