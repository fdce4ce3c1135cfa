/** An Event, told when something became otherwise, never while it stays as it is. */
export interface Told {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
}
