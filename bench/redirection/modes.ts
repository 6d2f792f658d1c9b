import { chosenVariants } from "../arguments.ts";

/** A way from the client to the server. */
export interface Mode {
  readonly name: string;
  /** Whether what the client reads has come through the proxy. */
  readonly isProxied: boolean;
  /** The backend that leads it there; without one nobody does. */
  readonly backend?: { readonly name: string; readonly config: Readonly<Record<string, unknown>> };
  /** How `millrace` is run there; default: as it is in this checkout. */
  readonly millrace?: readonly string[];
}

/** Nothing between the two. */
export const DIRECT: Mode = { name: "direct", isProxied: false };

/** The client dials the proxy itself, which knows the server: what a user would do without any redirection. */
export const EXPLICIT: Mode = { name: "explicit", isProxied: true };

/** Both of them, and each way of redirecting. */
export const MODES: readonly Mode[] = [
  DIRECT,
  EXPLICIT,
  ...chosenVariants("ebpf-tcx,ebpf-clsact,iptables-nft,iptables-legacy").map(({ name, plugin, config }) => ({
    name,
    isProxied: true,
    backend: { name: plugin, config: { ...config } },
  })),
];

/** The modes of these names, in the order of {@link MODES}. Throws RangeError for a name that is none. */
export function chosenModes(names: readonly string[]): readonly Mode[] {
  const unknown = names.find((name) => MODES.every((mode) => mode.name !== name));
  if (unknown === undefined) return MODES.filter(({ name }) => names.includes(name));
  throw new RangeError(`${unknown} is no mode; there are ${MODES.map(({ name }) => name).join(", ")}`);
}
