import { hostFiles } from '../../src/agent/files.ts';
import { readAddresses, readNetwork } from '../../src/agent/netfs.ts';

/** Prints what an agent sees of the network in which it runs: for tests that make one of their own. */
const files = hostFiles('/');
process.stdout.write(JSON.stringify({ addresses: readAddresses(files), network: readNetwork(files) }));
