const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
] as const;

/** A duration the way `kubectl get` shows ages: two units at most, `5m30s`, `3h`, `12d4h`. Negative ones count as none. */
export function duration(milliseconds: number): string {
  let seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const parts: string[] = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    if (count > 0 || parts.length > 0) parts.push(count > 0 ? `${count}${unit}` : "");
  }
  parts.push(seconds > 0 || parts.length === 0 ? `${seconds}s` : "");
  return parts.slice(0, 2).join("");
}

/** How long before `now` a time was; `-` for none. Both RFC 3339. */
export function age(time: string | undefined, now: string): string {
  return time === undefined ? "-" : duration(Date.parse(now) - Date.parse(time));
}
