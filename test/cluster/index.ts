export { startCluster, type TestCluster } from './cluster.ts';
export type { TestNode } from './node.ts';
export { type CalicoOptions, type ClusterOptions, DUAL_STACK, type HostOptions, type Timing } from './options.ts';
export type { ApiClient, KubeObject } from './client.ts';
export type { AuditedWrite } from './audit.ts';
export type { ProcessRecord } from './history.ts';
export type { PlugIn } from './podplayer.ts';
