/** Proxies that a node can send to at once: the active one and those that drain. */
export const MAX_SLOTS = 8;

/** Values of the field before they are shifted into place. The fourth bit says that the packet goes straight to a proxy. */
const PASS = 1;
const OUT = 2;
const IN = 3;
const ARRIVED = 4;
const SENT = 5;
const PROXY = 8;

/** One field of the packet mark and of the connection mark, as iptables and ip-rule(8) take it. */
export interface Marks {
  /** `0x7f`. */
  readonly mask: string;
  /** Nothing decided. */
  readonly none: string;
  /** Goes on as if Millrace were not there. On a connection: so does all of it. */
  readonly pass: string;
  /** A member's first packet, to the outbound tunnel. */
  readonly out: string;
  /** A first packet that goes to the inbound tunnel if a member turns out to be its destination. */
  readonly in: string;
  /** Came in by a member's port of a bridge, and nothing decided. */
  readonly arrived: string;
  /** A proxy has sent it: goes on as if Millrace were not there. */
  readonly sent: string;
  /** Either of those that go on so. */
  readonly passing: string;
  /** Straight to the proxy of a slot. On a connection: that proxy has it. As a packet comes in by a bridge: that proxy has sent it. */
  readonly proxy: (slot: number) => string;
  /** Any of those. */
  readonly anyProxy: string;
}

/** Lays the values into the lowest bits of the mask. The mask is contiguous: see the configuration's schema. */
export function marksOf(mask: number): Marks {
  const shift = 31 - Math.clz32(mask & -mask);
  const all = `0x${(mask >>> 0).toString(16)}`;
  const value = (number: number): string => `0x${((number << shift) >>> 0).toString(16)}`;
  return {
    mask: all,
    none: `0x0/${all}`,
    pass: `${value(PASS)}/${all}`,
    out: `${value(OUT)}/${all}`,
    in: `${value(IN)}/${all}`,
    arrived: `${value(ARRIVED)}/${all}`,
    passing: `${value(PASS)}/0x${((mask & ~((PASS ^ SENT) << shift)) >>> 0).toString(16)}`,
    sent: `${value(SENT)}/${all}`,
    proxy: (slot) => `${value(PROXY + slot)}/${all}`,
    anyProxy: `${value(PROXY)}/${value(PROXY)}`,
  };
}
