import { hostFiles } from '../../src/agent/files.ts';
import { ownInterfaces, readAddresses, readNetwork } from '../../src/agent/netfs.ts';

/** Prints what an agent sees of the network in which it runs: for tests that make one of their own. */
const files = hostFiles('/');
const addresses = readAddresses(files, ownInterfaces);
process.stdout.write(JSON.stringify({ addresses, network: readNetwork(files, addresses) }));
