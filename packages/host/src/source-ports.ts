import type { NetnsHandle, SysctlChange, SysctlJournal } from "@millrace/core/host";
import { readSysctl } from "linux-ts";

/** Inclusive. */
interface PortRange {
  readonly low: number;
  readonly high: number;
}

const PATH = "net/ipv4/ip_local_port_range";
export const SOURCE_PORTS = PATH;

/** What a new namespace has (net/ipv4/af_inet.c, inet_init_net()). */
const USUAL: PortRange = { low: 32_768, high: 60_999 };

/** As the kernel prints it. */
export const USUAL_PORTS = `${USUAL.low}\t${USUAL.high}`;

/** A range that has fewer ports is left whole: its halves would be too small for a proxy that speaks for many clients. */
const FEWEST = 2_048;

/**
 * Gives the kernel of a proxy's namespace one half of its range to choose source ports from, for both families
 * (Documentation/networking/ip-sysctl.rst, ip_local_port_range). An old proxy and the one after it speak for the same clients to the same
 * servers, and neither kernel knows which ports the other's has in use: where they choose alike, one of two connections cannot be. The
 * new proxy gets the half that fewer of the node's other proxies are in; what it was given once, it keeps. Half of the usual range is not
 * halved again: another agent, with a journal of its own, has given it.
 */
export function ownSourcePorts(
  journal: SysctlJournal,
  netns: NetnsHandle,
  proxies: readonly NetnsHandle[],
): SysctlChange[] {
  const given = journal.written(netns, PATH);
  if (given !== undefined) return [{ path: PATH, value: given }];
  const whole = read(netns);
  if (whole.high - whole.low + 1 < FEWEST) return [];
  if (halves(USUAL).some(({ low, high }) => low === whole.low && high === whole.high)) return [];
  const taken = proxies.filter(({ inode }) => inode !== netns.inode).map(read);
  const crowd = (half: PortRange): number =>
    taken.filter(({ low, high }) => low <= half.high && half.low <= high).length;
  const [lower, upper] = halves(whole);
  const { low, high } = crowd(lower) <= crowd(upper) ? lower : upper;
  return [{ path: PATH, value: `${low}\t${high}` }];
}

/** The upper half begins where connect(2) begins in the whole: at ports as even or odd as the lowest (net/ipv4/inet_hashtables.c). */
function halves({ low, high }: PortRange): readonly [PortRange, PortRange] {
  const middle = low + 2 * Math.ceil((high - low + 1) / 4);
  return [
    { low, high: middle - 1 },
    { low: middle, high },
  ];
}

/** Whether a range is one that {@link ownSourcePorts} makes of another. */
export const isHalfOf = (value: string, whole: string): boolean =>
  halves(parse(whole)).some(({ low, high }) => low === parse(value).low && high === parse(value).high);

const read = (netns: NetnsHandle): PortRange => parse(readSysctl(netns.fd, PATH));

function parse(text: string): PortRange {
  const [low = 0, high = 0] = text.split(/\s+/).map(Number);
  return { low, high };
}
