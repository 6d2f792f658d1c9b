/** enum rt_scope_t (include/uapi/linux/rtnetlink.h), in the words of ip(8). */
const scopes = { global: 0, site: 200, link: 253, host: 254, nowhere: 255 } as const;

/** A number is a scope that somebody defined for himself (1 to 199). */
export type Scope = keyof typeof scopes | number;

export function scopeNumber(scope: Scope): number {
  return typeof scope === "number" ? scope : scopes[scope];
}

export function scopeOf(number: number): Scope {
  for (const [name, value] of Object.entries(scopes)) {
    if (value === number) return name as Scope;
  }
  return number;
}
