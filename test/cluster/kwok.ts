import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { launch } from './launch.ts';

/**
 * kwok plays what runs and ends containers: a Pod that has got its addresses becomes Running and Ready, a Pod that is
 * to be deleted goes. Mirror Pods are the runner's, Nodes the played kubelets': the Node stage matches none, only
 * because kwok brings its own stages for a kind that has none.
 */
const STAGES = `apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: node-left-alone}
spec:
  resourceRef: {apiGroup: v1, kind: Node}
  selector:
    matchLabels: {kwok.x-k8s.io/none: "true"}
  next: {}
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: pod-start}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
    - {key: .metadata.deletionTimestamp, operator: DoesNotExist}
    - {key: '.metadata.annotations["kubernetes.io/config.mirror"]', operator: DoesNotExist}
    - {key: .status.podIP, operator: Exists}
    - {key: .status.phase, operator: In, values: [Pending]}
  next:
    statusTemplate: |
      {{ $now := Now }}
      conditions:
      {{ range list "PodReadyToStartContainers" "Initialized" "Ready" "ContainersReady" }}
      - {type: {{ . }}, status: "True", lastTransitionTime: {{ $now | Quote }}}
      {{ end }}
      containerStatuses:
      {{ range .spec.containers }}
      - name: {{ .name | Quote }}
        image: {{ .image | Quote }}
        imageID: ""
        ready: true
        started: true
        restartCount: 0
        state: {running: {startedAt: {{ $now | Quote }}}}
      {{ end }}
      initContainerStatuses:
      {{ range .spec.initContainers }}
      - name: {{ .name | Quote }}
        image: {{ .image | Quote }}
        imageID: ""
        ready: true
        restartCount: 0
        state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}
      {{ end }}
      phase: Running
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: pod-complete}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
    - {key: .metadata.deletionTimestamp, operator: DoesNotExist}
    - {key: .status.phase, operator: In, values: [Running]}
    - {key: '.metadata.ownerReferences.[].kind', operator: In, values: [Job]}
  next:
    statusTemplate: |
      {{ $now := Now }}
      containerStatuses:
      {{ range .spec.containers }}
      - name: {{ .name | Quote }}
        image: {{ .image | Quote }}
        imageID: ""
        ready: false
        started: false
        restartCount: 0
        state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}
      {{ end }}
      phase: Succeeded
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: pod-delete}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
    - {key: .metadata.deletionTimestamp, operator: Exists}
    - {key: '.metadata.annotations["kubernetes.io/config.mirror"]', operator: DoesNotExist}
  next:
    delete: true
`;

/** Starts kwok for all Nodes. It dies with its owner; `stop` ends it at once. */
export async function startKwok(
  binary: string,
  kubeconfig: string,
  scratch: string,
  server: string,
): Promise<{ stop: () => Promise<void> }> {
  const config = join(scratch, 'kwok.yaml');
  await writeFile(config, STAGES);
  const args = ['--kubeconfig', kubeconfig, '--config', config, '--manage-all-nodes', '--server-address', server];
  const child: ChildProcess = launch('kwok', binary, args, join(scratch, 'kwok.log'));
  const ended = once(child, 'exit');
  return {
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
