// The sandbox's servers as a process of their own: sends its parent the SQL Server's connection string, ends with it.
import { startServers } from '../sandbox/stack.ts';

const sandbox = await startServers();
process.once('disconnect', () => sandbox.stop().then(() => process.exit(0)));
process.send!(sandbox.address.sqlServer);
