import { isIP } from "node:net";
import { hostname } from "node:os";
import { isAbsolute } from "node:path";
import { z } from "zod";

const text = z.string().min(1);
/** Told apart from other text by identity: flags may give it relative to the working directory. */
export const pathSchema = text.refine(isAbsolute, "must be an absolute path");
const names = z.array(text);
const labels = z.record(text, z.string());
/** Bounded well below what a timer can wait: setTimeout takes 2^31 - 1 ms at most and makes 1 ms of anything longer. */
const seconds = z.number().positive().max(86_400);
const milliseconds = z.number().positive().max(60_000);

/** A redirectMode: `auto` or a plugin's name. Whether a plugin of that name exists is known only after the plugins are loaded. */
const mode = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]*$/, "must be `auto` or a plugin's name: lower case, digits and dashes");

const configurationObject = z.strictObject({
  node: z
    .strictObject({
      name: text.default(() => hostname()).describe("Kubernetes name of this node; default: the host's name"),
    })
    .prefault({}),
  redirectMode: mode.default("auto").describe("backend: auto, or the name of a plugin"),
  shadow: z
    .enum(["off", "ebpf", "iptables"])
    .default("off")
    .describe("backend that only plans, and counts where it can, what it would do beside the one that serves"),
  failurePolicy: z
    .enum(["closed", "open"])
    .default("closed")
    .describe("without a ready proxy, members' new TCP is dropped (closed) or passes unproxied (open)"),
  enrolExisting: z
    .enum(["drain", "reset"])
    .default("drain")
    .describe("connections older than the enrolment go on for a bounded time (drain) or are reset (reset)"),
  localDelivery: z
    .enum(["direct", "routed"])
    .default("direct")
    .describe(
      "what a proxy sends to a member of its node goes straight there (direct) or through the node's stack and NetworkPolicy (routed)",
    ),
  dnsCapture: z
    .boolean()
    .default(false)
    .describe("members' DNS, UDP and TCP to port 53, goes to port 15053 of the proxy; a pod's annotation overrides it"),
  proxy: z
    .strictObject({
      namespace: text.default("istio-system").describe("namespace of the node proxy's pods"),
      labels: labels
        .refine((selector) => Object.keys(selector).length > 0, "must have at least one label")
        .default({ app: "ztunnel" })
        .describe("labels of the node proxy's pods, all of them"),
    })
    .prefault({}),
  membership: z
    .strictObject({
      namespaceLabel: z
        .strictObject({
          key: text.default("istio.io/dataplane-mode").describe("key of the namespace label that makes members"),
          value: z.string().default("ambient").describe("value of the namespace label that makes members"),
        })
        .prefault({}),
      excludeNamespaces: names
        .default(["istio-system", "kube-system", "millrace-system"])
        .describe("namespaces whose pods are never members"),
    })
    .prefault({}),
  manifests: z
    .strictObject({
      enabled: z.boolean().default(true).describe("read Kubernetes objects from a directory of manifests"),
      directory: pathSchema.default("/etc/millrace/manifests").describe("directory of the manifests"),
    })
    .prefault({}),
  kubernetes: z
    .strictObject({
      enabled: z.boolean().default(false).describe("watch this node's pods, the namespaces and the node in a cluster"),
      kubeconfig: pathSchema
        .optional()
        .describe("kubeconfig file to reach the API server with; default: the pod's own service account"),
      watch: z
        .strictObject({
          timeoutSeconds: seconds
            .min(1)
            .default(300)
            .describe("longest that the API server keeps one watch request open; it is then resumed"),
          silenceSeconds: seconds
            .min(1)
            .default(90)
            .describe("a watch without an event or a bookmark for so long is ended and resumed"),
        })
        .prefault({}),
      daemonSet: z
        .string()
        .regex(/^[a-z0-9.-]+\/[a-z0-9.-]+$/, "must be namespace/name")
        .optional()
        .describe("the agent's own DaemonSet; an agent that is told to stop removes everything when it is gone"),
      startupTaint: z
        .string()
        .regex(/^([a-z0-9.-]+\/)?[A-Za-z0-9._-]+$/, "must be the key of a taint")
        .optional()
        .describe("key of the taint that is taken off this node once agent and node proxy are ready"),
    })
    .prefault({}),
  http: z
    .strictObject({
      enabled: z.boolean().default(true).describe("serve /healthz, /readyz and /metrics"),
      address: text
        .refine((address) => isIP(address) !== 0, "must be an IP address")
        .optional()
        .describe("address that they are served at; default: every address of the node"),
      port: z.int().min(1).max(65_535).default(15_090).describe("TCP port that they are served at"),
    })
    .prefault({}),
  sockets: z
    .strictObject({
      admin: pathSchema.default("/run/millrace/admin.sock").describe("admin socket"),
      cni: pathSchema.default("/run/millrace/cni.sock").describe("socket of the CNI plugin"),
    })
    .prefault({}),
  eventLog: z
    .strictObject({
      path: pathSchema.default("/var/lib/millrace/events.db").describe("event log"),
      appendDeadlineMs: milliseconds
        .default(500)
        .describe("longest a decision waits for the log, in milliseconds; past it the agent goes on unlogged"),
      keepEvents: z
        .int()
        .positive()
        .default(1_000_000)
        .describe("as many events are kept, as far as maxAgeDays and maxBytes allow; older ones go"),
      maxAgeDays: z.number().positive().max(36_500).default(30).describe("events older than this go, in days"),
      maxBytes: z
        .int()
        .min(4_194_304)
        .default(1_073_741_824)
        .describe("what the event log takes on the disk at most, in bytes; the oldest events go"),
    })
    .prefault({}),
  paths: z
    .strictObject({
      bpffs: pathSchema.default("/sys/fs/bpf").describe("mount point of the BPF file system"),
      journal: pathSchema.default("/var/lib/millrace/journal").describe("journal of what was changed on the host"),
      ambientConfig: pathSchema
        .default("/etc/ambient-config/config.json")
        .describe("where readiness and mode are published"),
    })
    .prefault({}),
  // Drift that nobody announces is to be found and mended within 30 s: the reading before, the one that finds it, and the mending take their time too.
  resync: z
    .strictObject({ intervalSeconds: seconds.default(25).describe("time between two comparisons with the kernel") })
    .prefault({}),
  cni: z
    .strictObject({ deadlineSeconds: seconds.default(10).describe("longest a CNI ADD waits for its enrolment") })
    .prefault({}),
  install: z
    .strictObject({
      enabled: z
        .boolean()
        .default(false)
        .describe(
          "keep the CNI plugin and its entry installed while the agent runs, as `millrace install --watch` does",
        ),
      cniBinDir: pathSchema.default("/opt/cni/bin").describe("directory the runtime executes CNI plugins from"),
      cniConfDir: pathSchema
        .default("/etc/cni/net.d")
        .describe("directory the runtime has network configurations from"),
      ownConfig: z
        .boolean()
        .default(false)
        .describe(
          "write a network configuration of our own, a copy of the primary's, instead of an entry in the primary's",
        ),
      pluginSource: pathSchema
        .default("/usr/lib/millrace/cni/millrace")
        .describe("the CNI plugin's binary in the agent's image"),
      keepPlugin: z
        .boolean()
        .default(false)
        .describe("an agent that removes everything at its end leaves the CNI plugin, by which CRI-O ends pods"),
      // As long as a namespace's name, and a pod's, may be (RFC 1123 label and subdomain): the plugin takes no more.
      agentNamespace: text
        .max(63)
        .default("millrace-system")
        .describe("namespace of the agent's own pod, which starts without the agent"),
      agentPodNamePrefix: text
        .max(253)
        .default("millrace-agent-")
        .describe("what the name of the agent's own pod begins with"),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z
        .enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"])
        .default("info")
        .describe("lowest level shown"),
      format: z.enum(["json", "text"]).default("json").describe("one JSON object per line, or text for people"),
    })
    .prefault({}),
  plugins: names.default([]).describe("further plugins: package names, or paths of modules"),
  backends: z
    .record(text, z.record(z.string(), z.unknown()))
    .default({})
    .describe("each plugin's own configuration, by its name"),
});

/** Everything that can be set, with its default. Unknown keys are refused: a misspelt setting must not be a silent default. */
export const configurationSchema = configurationObject.refine(
  ({ kubernetes, manifests }) => !(kubernetes.enabled && manifests.enabled),
  {
    path: ["manifests", "enabled"],
    message:
      "must be false where kubernetes.enabled is true: either would take away the objects that only the other knows",
  },
);

export type Configuration = z.output<typeof configurationSchema>;
