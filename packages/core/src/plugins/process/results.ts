import { z } from "zod";
import type { Observation, Probe, UsedProxy, WorkloadObservation } from "../../backend/contract.ts";
import type { Explanation } from "../../backend/explanation.ts";
import type { Trace } from "../../backend/traces.ts";
import { CoreError } from "../../errors.ts";
import type { IsolatedVerb } from "../deadlines.ts";
import type { Loaded } from "./messages.ts";

const texts = z.array(z.string());
const state = z.enum(["complete", "partial"]);
const foreign = z.array(z.object({ kind: z.string(), where: z.string(), owner: z.string(), effect: z.string() }));

const workload: z.ZodType<WorkloadObservation> = z.object({
  uid: z.string(),
  state,
  problems: texts,
  foreign,
  addresses: texts,
  hostIndex: z.int(),
});

const observation = z.object({
  workloads: z.array(workload),
  proxies: z.array(
    z.object({ key: z.string(), role: z.enum(["active", "draining"]), state, problems: texts, foreign }),
  ),
  problems: texts,
  nodeAddresses: texts,
  counters: z.record(z.string(), z.number()),
  maps: z.record(z.string(), z.object({ entries: z.number(), max: z.number() })).exactOptional(),
}) satisfies z.ZodType<Observation>;

const probe = z.object({
  features: z.array(
    z.object({
      name: z.string(),
      description: z.string(),
      available: z.boolean(),
      required: z.boolean(),
      detail: z.string(),
    }),
  ),
  capable: z.boolean(),
  summary: z.string(),
}) satisfies z.ZodType<Probe>;

const usedProxies = z.array(
  z.object({
    key: z.string(),
    name: z.string(),
    role: z.enum(["active", "draining"]),
    interface: z.object({
      netns: z.string(),
      netnsInode: z.int(),
      name: z.string(),
      mac: z.string(),
      hostName: z.string(),
      hostIndex: z.int(),
    }),
  }),
) satisfies z.ZodType<readonly UsedProxy[]>;

const explanation = z.object({
  fate: z.enum(["captured", "bypassed", "dropped", "untouched"]),
  to: z.object({ proxy: z.string(), port: z.int() }).exactOptional(),
  steps: z.array(z.object({ object: z.string(), does: z.string() })),
  problems: texts,
}) satisfies z.ZodType<Explanation>;

const traces = z.array(
  z.object({
    kind: z.string(),
    where: z.string(),
    what: z.string(),
    mark: z.string(),
    elsewhere: z.literal(true).exactOptional(),
  }),
) satisfies z.ZodType<readonly Trace[]>;

const loaded = z.object({
  name: z.string(),
  description: z.string(),
  apiVersion: z.int(),
}) satisfies z.ZodType<Loaded>;

/** What a backend and its redirection have of what the contract leaves open. */
export const optionalVerbs = ["usedProxies", "observeWorkloads", "explain", "handOver", "carryOn", "withdraw"] as const;

/** What verbs resolve to, as the contract has it. */
const schemas = {
  load: loaded,
  check: z.array(z.object({ path: z.array(z.union([z.string(), z.number()])), message: z.string() })),
  create: z.array(z.literal("traces")),
  open: z.array(z.enum(optionalVerbs)),
  probe,
  // Undefined of a backend that has no such verb: whether it has is not known before its process runs.
  traces: traces.optional(),
  usedProxies,
  observe: observation,
  observeWorkloads: z.array(workload),
  explain: explanation,
  withdraw: z.enum(["gone", "standby"]),
} satisfies Partial<Record<IsolatedVerb, z.ZodType>>;

type Checked = typeof schemas;
/** What a verb resolves to once it has crossed the border. */
export type Result<Verb extends IsolatedVerb> = Verb extends keyof Checked ? z.output<Checked[Verb]> : undefined;

/** Makes sure that a result is what the contract says. Throws ERR_PLUGIN_RESULT. */
export function checkedResult<Verb extends IsolatedVerb>(verb: Verb, value: unknown): Result<Verb> {
  const schema: z.ZodType | undefined = (schemas as Partial<Record<IsolatedVerb, z.ZodType>>)[verb];
  if (schema === undefined) return undefined as Result<Verb>;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data as Result<Verb>;
  throw new CoreError(
    "ERR_PLUGIN_RESULT",
    `what ${verb} resolved to is not what the contract says: ${z.prettifyError(parsed.error)}`,
    { cause: parsed.error },
  );
}
