import { parseArgs } from 'node:util';
import { canRunHere, type Cni, type Family, startRealCluster } from './index.ts';

const USAGE = `Starts a cluster of real kubelets and keeps it until Ctrl-C. Needs root on Linux.
  --control-planes 1|3                 default 1
  --workers N                          default 1
  --families IPv4|IPv6|IPv4,IPv6|IPv6,IPv4   default IPv4
  --cni bridge|flannel|calico|none     default bridge
  --own-etcd-disk                      so that it can be made slow
  --operator                           install the operator, too
  --keep                               leave logs and disks behind`;

const { values } = parseArgs({
  options: {
    'control-planes': { type: 'string', default: '1' },
    workers: { type: 'string', default: '1' },
    families: { type: 'string', default: 'IPv4' },
    cni: { type: 'string', default: 'bridge' },
    'own-etcd-disk': { type: 'boolean', default: false },
    operator: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
if (!(await canRunHere())) process.exit(0);

const families = values.families.split(',') as Family[];
const started = Date.now();
const since = (): string => `${((Date.now() - started) / 1000).toFixed(1)} s`;
const cluster = await startRealCluster({
  controlPlanes: values['control-planes'] === '3' ? 3 : 1,
  workers: Number(values.workers),
  families: families.length === 2 ? [families[0] ?? 'IPv4', families[1] ?? 'IPv6'] : (families[0] ?? 'IPv4'),
  cni: values.cni as Cni,
  ownEtcdDisk: values['own-etcd-disk'],
  keep: values.keep,
  log: (line) => console.error(`[${since()}] ${line}`),
});
console.log(`ready after ${since()}
export KUBECONFIG=${cluster.kubeconfig}`);
for (const node of cluster.nodes) {
  console.log(`inside ${node.name}:  nsenter --target ${node.machine.pid} --all --wd=/ bash`);
}
if (values.operator) {
  await cluster.installOperator();
  console.log(`operator and agents ready after ${since()}`);
}
