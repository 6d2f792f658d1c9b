/** What a rule of somebody else does with marks. All numbers are unsigned 32-bit masks. */
export interface MarkUse {
  readonly kind: "mark" | "connmark";
  /** `write`: it changes these bits. `read`: what it decides depends on these bits. */
  readonly access: "read" | "write";
  readonly bits: number;
}

/** Of a mark: every bit. */
export const ALL_BITS = 0xffff_ffff;

const NUMBER = "(0x[0-9a-f]+|\\d+)";
const VALUE = `${NUMBER}(?:/${NUMBER})?`;

/** As iptables-save prints matches and targets (iptables 1.8: extensions/libxt_{mark,connmark,MARK,CONNMARK,TPROXY}.c). */
const PATTERNS = {
  match: new RegExp(`-m (mark|connmark) (?:! )?--mark ${VALUE}`, "g"),
  set: new RegExp(`-j (MARK|CONNMARK) --set-x?mark ${VALUE}`),
  copy: new RegExp(`-j CONNMARK --(save|restore)-mark(?: --nfmask ${NUMBER} --ctmask ${NUMBER})?`),
  tproxy: new RegExp(`-j TPROXY .*--tproxy-mark ${VALUE}`),
} as const;

/** The marks that one rule of iptables uses, from its text as `iptables-save` prints it. */
export function marksOfRule(rule: string): MarkUse[] {
  const uses: MarkUse[] = [];
  const add = (kind: MarkUse["kind"], access: MarkUse["access"], bits: number) => {
    if (bits !== 0) uses.push({ kind, access, bits: bits >>> 0 });
  };
  for (const [, kind, , mask] of rule.matchAll(PATTERNS.match)) {
    add(kind as MarkUse["kind"], "read", number(mask, ALL_BITS));
  }
  const [, target, value, mask] = PATTERNS.set.exec(rule) ?? [];
  // `--set-xmark V/M` clears M and then flips V (iptables-extensions(8)), so it changes both.
  if (target !== undefined) {
    add(target === "MARK" ? "mark" : "connmark", "write", number(value, 0) | number(mask, ALL_BITS));
  }
  const [copy, direction, nfmask, ctmask] = PATTERNS.copy.exec(rule) ?? [];
  if (copy !== undefined) {
    add("mark", direction === "save" ? "read" : "write", number(nfmask, ALL_BITS));
    add("connmark", direction === "save" ? "write" : "read", number(ctmask, ALL_BITS));
  }
  const [tproxy, mark, markMask] = PATTERNS.tproxy.exec(rule) ?? [];
  if (tproxy !== undefined) add("mark", "write", number(mark, 0) | number(markMask, ALL_BITS));
  return uses;
}

/** The zone that a rule puts connections into; undefined when it does nothing of the kind. */
export function zoneOfRule(rule: string): number | undefined {
  const zone = /-j CT .*--zone(?:-orig|-reply)? (\d+)/.exec(rule)?.[1];
  return zone === undefined ? undefined : Number(zone);
}

function number(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : Number(text);
}

export const hex = (bits: number): string => `0x${(bits >>> 0).toString(16)}`;
