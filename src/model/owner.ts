import { asString, type KubeObject } from './object.ts';

/** What else keeps an object, as people read it. */
export interface Owner {
  readonly text: string;
  /** It puts its own values back by itself; else only its next upgrade does. */
  readonly watches: boolean;
}

/** Marks that programs leave on what they keep. */
const OWNER_MARKS = [
  { at: 'labels', key: 'app.kubernetes.io/managed-by', value: 'tigera-operator', watches: true },
  // On all that the addon controller of KKP applies (github.com/kubermatic/kubermatic, `addonLabelKey` of its addon controller).
  { at: 'labels', key: 'kubermatic-addon', value: null, watches: true },
  // On all that a k0s controller applies from its manifests (github.com/k0sproject/k0s, pkg/applier).
  { at: 'labels', key: 'k0s.k0sproject.io/stack', value: null, watches: true },
  { at: 'labels', key: 'argocd.argoproj.io/instance', value: null, watches: true },
  { at: 'annotations', key: 'argocd.argoproj.io/tracking-id', value: null, watches: true },
  { at: 'labels', key: 'kustomize.toolkit.fluxcd.io/name', value: null, watches: true },
  { at: 'labels', key: 'helm.toolkit.fluxcd.io/name', value: null, watches: true },
  { at: 'labels', key: 'app.kubernetes.io/managed-by', value: 'Helm', watches: false },
] as const;

/** Null: nobody that can be told. */
export function ownerOf(object: KubeObject): Owner | null {
  const reference = object.metadata.ownerReferences?.[0];
  if (reference !== undefined) {
    return {
      text: `owner reference to ${asString(reference['kind']) ?? ''} ${asString(reference['name']) ?? ''}`,
      watches: true,
    };
  }
  for (const mark of OWNER_MARKS) {
    const value = object.metadata[mark.at]?.[mark.key];
    if (value !== undefined && (mark.value === null || mark.value === value)) {
      return { text: `${mark.at === 'labels' ? 'label' : 'annotation'} ${mark.key}: ${value}`, watches: mark.watches };
    }
  }
  return null;
}

/** When an object was last changed (RFC 3339), where the server tells. */
export function lastChange(object: KubeObject): string | null {
  const times = (object.metadata.managedFields ?? []).flatMap((entry) => asString(entry['time']) ?? []);
  return times.length === 0 ? null : times.reduce((latest, time) => (time > latest ? time : latest));
}
