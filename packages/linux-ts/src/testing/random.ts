/** xorshift32: the same bytes in every run, so that a failure can be looked at. */
export function randomBytes(seed: number): (length: number) => Uint8Array {
  let state = seed | 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 0xff;
  };
  return (length) => Uint8Array.from({ length }, next);
}
