import { z } from "zod";

const text = z.string().min(1);
/** On the node. `..` and commas would not be taken as they stand by mounts and by flags. (Helm's expressions look neither ahead nor back.) */
const directory = z.string().regex(/^(\/\.?[\w-][\w.-]*)+\/?$/, "must be the absolute path of a directory");
/** Parts of a pod whose schema is Kubernetes' own. */
const fragment = z.record(z.string(), z.unknown());
const tolerations = z.array(fragment);
const strings = z.record(z.string(), z.string());

const image = z.strictObject({
  // A tag or a digest would be followed by another one.
  repository: z.string().regex(/^([^\s/@]+\/)*[^\s/:@]+$/, "must be a name without tag and digest"),
  tag: z.string(),
  digest: z.string().regex(/^(sha256:[0-9a-f]{64})?$/),
  pullPolicy: z.enum(["Always", "IfNotPresent", "Never"]),
});

const resources = z.strictObject({ requests: fragment.optional(), limits: fragment.optional() });

/** What redirectMode may be without further plugins. "" lets the other name of the setting, or the default, decide. */
export const MODES = ["", "auto", "ebpf", "iptables"] as const;
/** And with them: any plugin's name, as the agent's own configuration has it. */
export const PLUGIN_MODE = "^([a-z0-9][a-z0-9-]*)?$";

/** Everything that values.yaml may hold. `config` is the agent's, see `json-schema.ts`; `global` is Helm's. */
export const valuesSchema = z.strictObject({
  global: fragment.optional(),
  redirectMode: z.string(),
  image,
  imagePullSecrets: z.array(z.strictObject({ name: text })),
  cni: z.strictObject({
    cniBinDir: directory,
    cniConfDir: directory,
    cniNetnsDir: directory,
    excludeNamespaces: z.array(text),
    ownConfig: z.boolean(),
    keepPlugin: z.boolean(),
    ambient: z.strictObject({ enabled: z.literal(true), redirectMode: z.string(), configDir: directory }),
  }),
  config: fragment,
  resources,
  maxOldSpaceMiB: z.int().min(64),
  tolerations,
  affinity: fragment,
  nodeSelector: strings,
  httpPort: z.int().min(1).max(65_535),
  podAnnotations: strings,
  podLabels: strings,
  maxUnavailable: z.union([z.int().positive(), z.string().regex(/^[1-9][0-9]?%$|^100%$/)]),
  seLinuxOptions: z.strictObject({
    user: text.optional(),
    role: text.optional(),
    type: text.optional(),
    level: text.optional(),
  }),
  bpffs: z.strictObject({ mount: z.boolean() }),
  startupTaint: z.strictObject({ enabled: z.boolean(), key: z.string().regex(/^[a-z0-9.-]+\/[A-Za-z0-9._-]+$/) }),
  admissionPolicy: z.strictObject({ enabled: z.boolean() }),
  resourceQuota: z.strictObject({ enabled: z.boolean(), pods: z.int().positive() }),
  openshift: z.strictObject({ securityContextConstraints: z.boolean() }),
  namespace: z.strictObject({ create: z.boolean() }),
  nodeProxy: z.strictObject({
    enabled: z.boolean(),
    // There is no version of ours to take its place.
    image: image.extend({ tag: text }),
    threads: z.int().positive(),
    maxConnections: z.int().positive(),
    drainSeconds: z.int().positive().max(86_400),
    resources,
    tolerations,
  }),
});
