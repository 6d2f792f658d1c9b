import { z } from "zod";

/** How programs are attached to an interface. `auto`: tcx links where the kernel has them (6.6), else clsact filters. */
export const attachModes = ["auto", "tcx", "clsact"] as const;
export type AttachChoice = (typeof attachModes)[number];

/** `sockmap`: programs on sockets, for workloads that ask for it by annotation. */
export const accelerationModes = ["off", "sockmap"] as const;

/** The eBPF backend's part of the configuration file. Every value has a default that suits a node nobody has touched. */
export const configSchema = z
  .strictObject({
    attach: z.enum(attachModes).default("auto").describe("How programs are attached to interfaces"),
    clsact: z
      .strictObject({
        priority: z.int().min(1).max(0xffff).default(1).describe("Priority of our filters; the lowest runs first"),
        handle: z
          .int()
          .min(1)
          .max(0xffff_ffff)
          .default(0x4d52)
          .describe("Handle of our filters: tells them from others'"),
      })
      .prefault({})
      .describe("Where our filters stand when clsact is used"),
    routing: z
      .strictObject({
        table: z
          .int()
          .min(1)
          .max(0xffff_ffff)
          .default(15_001)
          .describe("Routing table in the proxy's network namespace"),
        priority: z
          .int()
          .min(1)
          .max(32_765)
          .default(20_000)
          .describe("Priority of the ip rule that leads to that table"),
      })
      .prefault({})
      .describe(
        "Policy routing that makes redirected packets local to the proxy; in the proxy's network namespace only",
      ),
    maxWorkloads: z.int().min(1).max(65_536).default(1024).describe("Members that a node may have"),
    maxMembers: z
      .int()
      .min(1)
      .max(1_048_576)
      .default(4096)
      .describe("Addresses of all members together, both families"),
    maxAddresses: z
      .int()
      .min(1)
      .max(65_536)
      .default(1024)
      .describe("Addresses of the node and its proxies, both families"),
    maxExclusions: z
      .int()
      .min(1)
      .max(1_048_576)
      .default(4096)
      .describe("Ports, and networks, that all members together exclude"),
    pins: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/, "letters, digits, dashes and underscores only: bpffs refuses dots")
      .default("millrace")
      .describe("Directory of our pins, below the mount point of the BPF file system"),
    acceleration: z
      .enum(accelerationModes)
      .default("off")
      .describe("What annotated members and the proxy send each other goes from socket to socket"),
    accelerationCgroup: z
      .string()
      .regex(/^(auto|\/.*)$/, "auto, or the path of a cgroup 2 directory")
      .default("auto")
      .describe("The cgroup that pods are below; auto: kubepods.slice, kubepods, or the root"),
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
      .describe("How long the proxy may go on with a workload's connections after it has left the mesh"),
  })
  .prefault({});

export type EbpfConfig = z.output<typeof configSchema>;
