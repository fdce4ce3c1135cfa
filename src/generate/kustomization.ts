import type { GeneratedFile } from './contract.ts';
import { yamlText } from './yaml.ts';

/** Lays patches over a manifest that its project publishes: `kubectl kustomize FOLDER | kubectl create -f -`. */
export const kustomization = (manifest: string, about: string, patches: readonly GeneratedFile[]): GeneratedFile => ({
  name: 'kustomization.yaml',
  text: yamlText([
    {
      about: `${about}\nPut ${manifest} of that release beside this file, then:\n  kubectl kustomize . | kubectl create -f -`,
      value: {
        apiVersion: 'kustomize.config.k8s.io/v1beta1',
        kind: 'Kustomization',
        resources: [manifest],
        patches: patches.map(({ name }) => ({ path: name })),
      },
    },
  ]),
});
