import type { Finding } from '../../model/finding.ts';
import { PROXY, PROXY_CONFIG } from '../../model/kube-proxy.ts';
import type { ObjectRef } from '../../model/object.ts';
import { fromPhase, type Phase } from '../../model/phase.ts';
import type { Wanted } from '../../model/wanted.ts';
import { readClusterConfig } from './cluster-config.ts';
import { KUBEADM_CONFIG, type KubeadmFacts } from './facts.ts';
import { flagOf } from './instances.ts';
import { wantedClusterConfig } from './kubeadm-config.ts';
import { mirrorPodRef } from './check-health.ts';
import { proxyFeatureGates } from './proxy-config.ts';
import { wantedProxyConfig } from './proxy.ts';

/** Texts that the conversion has to edit. What could not be finished is not begun; the way back is not held up by it. */
export function checkConfigs(wanted: Wanted, own: KubeadmFacts): readonly Finding[] {
  const blocks = wanted.direction === 'Forward' ? fromPhase('NodeIPs', 'Forward') : [];
  return [...clusterConfigFindings(wanted, own, blocks), ...proxyFindings(wanted, own, blocks)];
}

function clusterConfigFindings(wanted: Wanted, own: KubeadmFacts, blocks: readonly Phase[]): readonly Finding[] {
  const why = clusterConfigProblem(wanted, own);
  return why === null
    ? []
    : [
        {
          reason: 'KubeadmConfigMissing',
          object: KUBEADM_CONFIG,
          message: `ConfigMap kube-system/kubeadm-config, data.ClusterConfiguration: ${why}.`,
          remedy:
            'Restore it with `kubeadm init phase upload-config kubeadm --config <file>`; an upgrade without it would undo the conversion.',
          blocks,
        },
      ];
}

function clusterConfigProblem(wanted: Wanted, own: KubeadmFacts): string | null {
  if (!own.clusterConfig.known) return `it cannot be read: ${own.clusterConfig.why}`;
  if (own.clusterConfig.value === null) return 'it is not there';
  const after = wantedClusterConfig(wanted, own, own.clusterConfig.value.text);
  return after.ok ? null : after.error;
}

function proxyFindings(wanted: Wanted, own: KubeadmFacts, blocks: readonly Phase[]): readonly Finding[] {
  const problem = proxyProblem(wanted, own);
  if (problem !== null) {
    return [
      {
        reason: 'KubeProxyMissing',
        object: PROXY_CONFIG,
        message: `ConfigMap kube-system/kube-proxy, data["config.conf"]: ${problem}.`,
        remedy:
          'Restore it with `kubeadm init phase addon kube-proxy`, or remove DaemonSet kube-system/kube-proxy if something else does its work.',
        blocks,
      },
    ];
  }
  if (!own.proxy.known || own.proxy.value !== null) return [];
  return [
    {
      reason: 'KubeProxyMissing',
      object: PROXY,
      message:
        'DaemonSet kube-system/kube-proxy is not there: whatever does its work must serve both families by itself.',
      remedy: 'Check that the replacement of kube-proxy has both families on.',
      blocks: [],
    },
  ];
}

function proxyProblem(wanted: Wanted, own: KubeadmFacts): string | null {
  if (!own.proxy.known) return `DaemonSet kube-system/kube-proxy cannot be read: ${own.proxy.why}`;
  if (own.proxy.value === null) return null;
  if (!own.proxyConfig.known) return `it cannot be read: ${own.proxyConfig.why}`;
  if (own.proxyConfig.value === null) return 'it is not there';
  const after = wantedProxyConfig(wanted, own.proxyConfig.value.text);
  return after.ok ? null : after.error;
}

/** The gate went with Kubernetes 1.25. A component that is told of it does not start again. */
export function checkFeatureGates(own: KubeadmFacts): readonly Finding[] {
  const config =
    own.clusterConfig.known && own.clusterConfig.value ? readClusterConfig(own.clusterConfig.value.text) : null;
  const proxy = own.proxyConfig.known && own.proxyConfig.value ? own.proxyConfig.value.text : '';
  const extraArgs = Object.values(config?.extraArgs ?? {}).flat();
  const inConfig =
    hasGate(config?.featureGates) || extraArgs.some((arg) => arg.name === 'feature-gates' && namesGate(arg.value));
  return [
    ...own.instances
      .filter((instance) => namesGate(flagOf(instance, 'feature-gates') ?? ''))
      .map((instance) =>
        gateFinding(
          `${instance.component} on ${instance.node} has it in --feature-gates`,
          mirrorPodRef(instance.component, instance.node),
          [instance.component === 'kube-apiserver' ? 'APIServer' : 'ControllerManager'],
        ),
      ),
    ...(inConfig ? [gateFinding('ConfigMap kube-system/kubeadm-config has it', KUBEADM_CONFIG, [])] : []),
    ...(hasGate(proxyFeatureGates(proxy))
      ? [gateFinding('ConfigMap kube-system/kube-proxy has it', PROXY_CONFIG, ['Proxy'])]
      : []),
  ];
}

const GATE = 'IPv6DualStack';
const hasGate = (gates: Readonly<Record<string, unknown>> | undefined): boolean => gates !== undefined && GATE in gates;
const namesGate = (text: string): boolean => text.split(',').some((item) => item.trim().startsWith(`${GATE}=`));

const gateFinding = (where: string, object: ObjectRef, blocks: readonly Phase[]): Finding => ({
  reason: 'RemovedFeatureGate',
  object,
  message: `Feature gate ${GATE} no longer exists, and ${where}: the component does not start again with it.`,
  remedy: `Take ${GATE} out there.`,
  blocks,
});
