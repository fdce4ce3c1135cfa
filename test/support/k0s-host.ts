import { parse } from 'yaml';
import { readK0sSettings } from '../../src/model/k0s.ts';
import { TestHost } from './agent-host.ts';
import { managerFlags, serviceRange } from './k0s-rules.ts';

export const K0S_FILE = '/etc/k0s/k0s.yaml';
export const K0S_TEXT = `# of the data centre in town
apiVersion: k0s.k0sproject.io/v1beta1
kind: ClusterConfig
metadata: {name: k0s}
spec:
  api: {address: 192.0.2.1}
  network:
    provider: kuberouter # BGP
    podCIDR: 10.244.0.0/16
    serviceCIDR: 10.96.0.0/16
`;
export const K0S_WISH = {
  set: {
    'spec.network.dualStack.enabled': 'true',
    'spec.network.dualStack.IPv6podCIDR': 'fd00:10:244::/108',
    'spec.network.dualStack.IPv6serviceCIDR': 'fd00:10:96::/112',
  },
  absent: ['spec.controllerManager.extraArgs.node-cidr-mask-size'],
  shows: {
    'kube-apiserver': { 'service-cluster-ip-range': '10.96.0.0/16,fd00:10:96::/112' },
    'kube-controller-manager': { 'cluster-cidr': '10.244.0.0/16,fd00:10:244::/108' },
  },
};
export const K0S_DUAL_TEXT = `${K0S_TEXT}    dualStack:
      enabled: true
      IPv6podCIDR: fd00:10:244::/108
      IPv6serviceCIDR: fd00:10:96::/112
`;

/** A host of a k0s controller with a kubelet: k0s is played, and reads its file whenever its service is started. */
export class K0sHost extends TestHost {
  /** Whether what k0s reads lets it, and what it begins, run. */
  works: (text: string) => boolean = () => true;
  version = 'v1.36.3+k0s';

  constructor() {
    super();
    for (const component of ['kube-apiserver', 'kube-controller-manager']) {
      this.remove(`/etc/kubernetes/manifests/${component}.yaml`);
    }
    this.write(K0S_FILE, K0S_TEXT);
    this.write('/run/dbus/system_bus_socket', '');
    this.onK0sRestart = () => this.startK0s();
    this.startK0s();
  }

  stopK0s(): void {
    for (const program of ['k0s', 'kube-apiserver', 'kube-controller-manager']) this.stop(program);
  }

  startK0s(argv: readonly string[] = ['--enable-worker', `--config=${K0S_FILE}`]): void {
    this.stopK0s();
    const text = this.read(K0S_FILE);
    if (!this.works(text)) return;
    const pid = this.start(['/usr/local/bin/k0s', 'controller', ...argv]);
    this.write(`/proc/${pid}/cgroup`, '0::/system.slice/k0scontroller.service\n');
    const settings = readK0sSettings(parse(text));
    const range = serviceRange(settings);
    this.start(['/var/lib/k0s/bin/kube-apiserver', `--service-cluster-ip-range=${range}`]);
    this.startManager();
  }

  startManager(): void {
    this.stop('kube-controller-manager');
    const settings = readK0sSettings(parse(this.read(K0S_FILE)));
    const flags = Object.entries(managerFlags(settings, serviceRange(settings), this.version));
    this.start(['/var/lib/k0s/bin/kube-controller-manager', ...flags.map(([flag, value]) => `--${flag}=${value}`)]);
  }
}
