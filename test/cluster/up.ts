import { parseArgs } from 'node:util';
import { type ClusterOptions, startCluster } from './index.ts';

const USAGE = `Starts a test cluster and keeps it until Ctrl-C.
  --control-planes 1|3   default 1
  --workers N            default 0
  --profile fast|slow    default fast
  --calico none|bird|vxlan|FILE   default none
  --keep                 leave logs and host folders behind`;

const { values } = parseArgs({
  options: {
    'control-planes': { type: 'string', default: '1' },
    workers: { type: 'string', default: '0' },
    profile: { type: 'string', default: 'fast' },
    calico: { type: 'string', default: 'none' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}

function calico(value: string): ClusterOptions['calico'] {
  if (value === 'none') return 'none';
  return { manifest: value === 'bird' || value === 'vxlan' ? value : { file: value } };
}

const started = Date.now();
const cluster = await startCluster({
  controlPlanes: values['control-planes'] === '3' ? 3 : 1,
  workers: Number(values.workers),
  profile: values.profile === 'slow' ? 'slow' : 'fast',
  calico: calico(values.calico),
  keep: values.keep,
  log: (line) => console.error(`[${((Date.now() - started) / 1000).toFixed(1)} s] ${line}`),
});
console.log(`ready after ${((Date.now() - started) / 1000).toFixed(1)} s\nexport KUBECONFIG=${cluster.kubeconfig}`);
