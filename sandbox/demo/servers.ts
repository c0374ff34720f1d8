// The sandbox as a process of its own, for the demo: servers, an empty CRM, an empty queue, an empty warehouse. Says where they are
// and ends with the process that forked it, however that ends.
import { createCrm, createQueue, createWarehouse } from '../address.ts';
import { startServers } from '../stack.ts';

export interface DemoServers {
  readonly crm: string;
  readonly queue: string;
  readonly warehouse: string;
}

const servers = await startServers();
const stop = () => servers.stop().then(() => process.exit(0));
// A terminal's Ctrl-C reaches this process too; it stays until the demo has ended what uses it.
process.on('SIGINT', () => {}).on('SIGTERM', () => {});
process.once('disconnect', stop);
if (!process.connected) await stop();
// By name: Node warns about TLS to an IP address.
const address = {
  ...servers.address,
  sqlServer: servers.address.sqlServer.replace('127.0.0.1', 'localhost'),
};
const [crm, queue, warehouse] = await Promise.all([
  createCrm(address, 'crm'),
  createQueue(address, 'queue'),
  createWarehouse(address, 'warehouse'),
]);
process.send?.({ crm, queue, warehouse } satisfies DemoServers);
