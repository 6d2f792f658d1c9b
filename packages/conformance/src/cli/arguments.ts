import { parseArgs } from "node:util";
import { behaviours } from "../behaviours/index.ts";
import { LabError } from "../errors.ts";
import type { Family } from "../lab/addresses.ts";
import { POD_NETWORKS } from "../lab/pod-network.ts";
import { SERVICE_MODES } from "../lab/services.ts";
import type { Behaviour, Temperature } from "../suite/behaviour.ts";
import type { SuiteOptions } from "../suite/run.ts";
import { invocation, quoted } from "./invocation.ts";

const OPTIONS = {
  backend: { type: "string" },
  attach: { type: "string" },
  flavour: { type: "string" },
  tunnel: { type: "string" },
  services: { type: "string", default: "nft" },
  pods: { type: "string", default: "routed" },
  "bridge-nf": { type: "string" },
  config: { type: "string", default: "{}" },
  plugin: { type: "string", multiple: true, default: [] as string[] },
  agent: { type: "string" },
  only: { type: "string", multiple: true, default: [] as string[] },
  except: { type: "string", multiple: true, default: [] as string[] },
  "ignore-claims": { type: "boolean", default: false },
  family: { type: "string" },
  temperature: { type: "string" },
  evidence: { type: "boolean", default: false },
  keep: { type: "boolean", default: false },
  report: { type: "string", multiple: true, default: [] as string[] },
  badge: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** What is said of a run, not of its subject: not part of the command that runs one trial again. */
const OF_ONE_RUN = new Set(["only", "except", "family", "temperature", "evidence", "keep", "report", "badge"]);

/** A command line of this tool. Throws what `parseArgs` throws (`ERR_PARSE_ARGS_…`). */
export const parseCommandLine = (args: readonly string[]) =>
  parseArgs({ args: [...args], allowPositionals: true, options: OPTIONS, tokens: true });

export type CommandLine = ReturnType<typeof parseCommandLine>;

/** Everything of a run that does not depend on the backend's module. Throws ERR_SUITE_USAGE. */
export function suiteOptions({ values }: CommandLine) {
  const { attach, flavour, tunnel } = values;
  const chosenConfig = Object.entries({ attach, flavour, tunnel }).filter(([, value]) => value !== undefined);
  const bridgeNetfilter = values["bridge-nf"];
  return {
    backendConfig: { ...configOf(values.config), ...Object.fromEntries(chosenConfig) },
    services: oneOf("--services", SERVICE_MODES, values.services),
    pods: oneOf("--pods", POD_NETWORKS, values.pods),
    ...(bridgeNetfilter === undefined
      ? {}
      : { bridgeNetfilter: oneOf("--bridge-nf", ["0", "1"], bridgeNetfilter) === "1" }),
    behaviours: chosen(listed(values.only), listed(values.except)),
    keep: values.keep,
    ...(values.agent === undefined ? {} : { agentCommand: values.agent.split(" ") }),
    ...(values.family === undefined
      ? {}
      : { families: [Number(oneOf("--family", ["4", "6"], values.family)) as Family] }),
    ...(values.temperature === undefined
      ? {}
      : { temperatures: [oneOf<Temperature>("--temperature", ["cold", "warm"], values.temperature)] }),
  } satisfies Omit<SuiteOptions, "backend" | "plugins">;
}

/** The command that runs the same again, without what is said of one run only. */
export function subjectCommand({ tokens }: CommandLine): string {
  const words = tokens.flatMap((token) => {
    if (token.kind !== "option" || OF_ONE_RUN.has(token.name)) return [];
    return token.value === undefined ? [`--${token.name}`] : [`--${token.name}`, quoted(token.value)];
  });
  return [invocation(), "run", ...words].join(" ");
}

function oneOf<T extends string>(option: string, allowed: readonly T[], given: string): T {
  const found = allowed.find((candidate) => candidate === given);
  if (found === undefined) throw new LabError("ERR_SUITE_USAGE", `${option} is ${allowed.join(" or ")}, not ${given}`);
  return found;
}

function configOf(text: string): object {
  try {
    const config: unknown = JSON.parse(text);
    if (typeof config === "object" && config !== null && !Array.isArray(config)) return config;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new LabError("ERR_SUITE_USAGE", `--config is a JSON object, as '{"attach":"tcx"}', not ${text}`);
}

const listed = (lists: readonly string[]): string[] => lists.flatMap((list) => list.split(","));

function chosen(only: readonly string[], except: readonly string[]): readonly Behaviour[] {
  const unknown = [...only, ...except].find((name) => !behaviours.some((behaviour) => named(behaviour, name)));
  if (unknown !== undefined)
    throw new LabError("ERR_SUITE_USAGE", `there is no behaviour ${unknown}; see the command list`);
  const left = behaviours
    .filter((behaviour) => only.length === 0 || only.some((name) => named(behaviour, name)))
    .filter((behaviour) => !except.some((name) => named(behaviour, name)));
  if (left.length === 0) throw new LabError("ERR_SUITE_USAGE", "--except leaves no behaviour to run");
  return left;
}

const named = ({ id, number }: Behaviour, name: string): boolean => id === name || String(number) === name;
