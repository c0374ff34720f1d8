// `npm run sandbox`: starts everything, seeds the CRM, says where it is, runs until Ctrl-C.
import { startSandbox } from './stack.ts';

const startedAt = performance.now();
const sandbox = await startSandbox({ redis: true });
const { sqlServer } = sandbox.address;
const port = /,(\d+)/.exec(sqlServer)?.[1];
const password = /Password=([^;]*)/.exec(sqlServer)?.[1];

console.log(`The sandbox is up after ${((performance.now() - startedAt) / 1000).toFixed(1)} s.

CRM        ${sandbox.crm}
queue      ${sandbox.queue}
Redis      ${'url' in sandbox.redis ? sandbox.redis.url : sandbox.redis.missing}
warehouse  ${sandbox.warehouse}

Look into the warehouse:  tsql -H 127.0.0.1 -p ${port} -U sa -P '${password}' -D warehouse

Ctrl-C stops it and removes its data.`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => sandbox.stop().then(() => process.exit(0)));
}
