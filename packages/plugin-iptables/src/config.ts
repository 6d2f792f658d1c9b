import { z } from "zod";
import { MAX_SLOTS } from "./marks.ts";

/** Which iptables programs are used. `auto`: those that kube-proxy or the CNI plugin uses on this host. */
export const flavourChoices = ["auto", "nft", "legacy"] as const;
/** What first packets travel in. `auto`: Geneve where the kernel has it, else VXLAN. */
export const tunnelChoices = ["auto", "geneve", "vxlan"] as const;

/** Rules take one priority for each step of the lookup, and tables one for each direction and proxy slot. */
export const BLOCK = 16;
const LAST_PRIORITY = 32_765;
/** Of a mark: nothing, passed, out, in, and one value for each of eight proxies. */
const MARK_BITS = 4;

const priority = z.int().min(1);
const table = z.int().min(1).max(0xffff_ffff);
const vni = z.int().min(1).max(0xff_ffff);
const linkName = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,15}$/, "at most 15 letters, digits, dashes and underscores: the kernel's IFNAMSIZ");

/** The iptables backend's part of the configuration file. Every value has a default that suits a node nobody has touched. */
export const configSchema = z
  .strictObject({
    flavour: z.enum(flavourChoices).default("auto").describe("Which iptables programs are used, for every part"),
    tunnel: z.enum(tunnelChoices).default("auto").describe("What the first packet of a connection travels in"),
    port: z
      .int()
      .min(1)
      .max(0xffff)
      .default(6081)
      .describe("UDP port of the tunnel; where somebody else has it, the next free one is taken"),
    vni: z
      .strictObject({ outbound: vni.default(1001), inbound: vni.default(1000) })
      .prefault({})
      .refine(({ outbound, inbound }) => outbound !== inbound, "outbound and inbound have to differ")
      .describe("Network identifiers of the tunnels"),
    marks: z
      .strictObject({
        mask: z
          .int()
          .min(1)
          .max(0xffff_ffff)
          .default(0x7f)
          .refine(isContiguous, `at least ${MARK_BITS} bits in a row, for instance 0x7f`)
          .describe("Bits of packet and connection marks that are ours; no others are touched"),
      })
      .prefault({})
      .describe("Packet marks (fwmark) and connection marks (ctmark)"),
    rules: z
      .strictObject({
        priority: priority
          .max(LAST_PRIORITY - BLOCK + 1)
          .default(60)
          .describe(`First of ${BLOCK} priorities of ip rules on the node`),
      })
      .prefault({})
      .describe("Policy routing on the node"),
    tables: z
      .strictObject({
        first: table
          .max(0xffff_ffff - BLOCK + 1)
          .default(15_100)
          .describe(`First of ${BLOCK} routing tables on the node`),
      })
      .prefault({})
      .describe("Routing tables on the node"),
    proxyRouting: z
      .strictObject({
        table: table.default(15_002).describe("Routing table in the proxy's network namespace"),
        priority: priority
          .max(LAST_PRIORITY)
          .default(20_010)
          .describe("Priority of the ip rules that lead to that table"),
      })
      .prefault({})
      .describe("Policy routing that makes redirected packets local to the proxy; in its network namespace only"),
    links: z
      .strictObject({
        outbound: linkName.default("millrace-out").describe("Tunnel for what members send"),
        inbound: linkName.default("millrace-in").describe("Tunnel for what is sent to members"),
        gateway4: z
          .ipv4()
          .default("169.254.77.77")
          .describe("Next hop behind the tunnels: the proxy's end has this address"),
        gateway6: z.ipv6().default("fe80::4d52").describe("The same for IPv6"),
      })
      .prefault({})
      .refine(({ outbound, inbound }) => outbound !== inbound, "outbound and inbound have to differ")
      .describe("Tunnel devices, by the same names on the node and in the proxy's network namespace"),
    conntrackZone: z
      .int()
      .min(1)
      .max(0xffff - MAX_SLOTS + 1)
      .default(0x4d52)
      .describe(
        `First of ${MAX_SLOTS} zones, one for what each proxy opens, so that none is mistaken for another's or a member's`,
      ),
    drainSeconds: z
      .int()
      .min(0)
      .max(86_400)
      .default(600)
      .describe("How long connections older than their pod's enrolment may go on uncaptured (enrolExisting: drain)"),
    releaseSeconds: z
      .int()
      .min(0)
      .max(3_600)
      .default(5)
      .describe("How long the proxies may go on with their connections when the redirection is removed from the node"),
    maxMembers: z
      .int()
      .min(1)
      .max(1_048_576)
      .default(4096)
      .describe("Addresses of all members together, in each family"),
  })
  .prefault({});

export type IptablesConfig = z.output<typeof configSchema>;

function isContiguous(mask: number): boolean {
  const bits = (mask >>> 0).toString(2).replace(/0+$/, "");
  return bits.length >= MARK_BITS && !bits.includes("0");
}
