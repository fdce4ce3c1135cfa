import type { Finding } from './finding.ts';
import type { Direction } from './phase.ts';
import type { Recordable } from './record.ts';
import type { Step } from './step.ts';
import type { Wanted } from './wanted.ts';

export interface Plan {
  readonly direction: Direction;
  readonly wanted: Wanted;
  /** Names the whole of what is wanted and which kinds of step lead there; the same before, during and after the work. */
  readonly hash: string;
  /** In the order in which they are done. */
  readonly steps: readonly Step[];
  readonly findings: readonly Finding[];
  readonly recordables: readonly Recordable[];
}
