/**
 * A `MicroTime` as the API wants it: six digits of a second (with three it is refused).
 * @param milliseconds since the epoch
 */
export const microTime = (milliseconds: number): string => new Date(milliseconds).toISOString().replace('Z', '000Z');
